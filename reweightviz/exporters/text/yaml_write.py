"""YAML that readers of YAML 1.1 (PyYAML) and 1.2 understand alike."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

__all__ = ["PLAIN_KEY", "TRUTH_WORDS", "dump", "fill", "make_yaml", "quote", "quote_key", "to_text"]


TRUTH_WORDS = ("no", "on", "off", "yes", "y", "n", "true", "false", "null")
"""Words, in any case, that some reader takes for a truth value or for nothing."""
PLAIN_KEY = re.compile("[A-Za-z]+([_-][A-Za-z]+)*")
"""Keys without digits, points or colons, so that none can be a number or a time."""


class _Representer(RoundTripRepresenter):
    """Numbers with a point: PyYAML takes 1e-05 for text."""

    def represent_number(self, value: float) -> Any:
        text = repr(value)
        if "." not in text:
            text = text.replace("e", ".0e")
        return self.represent_scalar("tag:yaml.org,2002:float", text)


_Representer.add_representer(float, _Representer.represent_number)


def make_yaml() -> YAML:
    """Make a reader and writer that keeps comments and quotes and breaks no lines."""
    yaml = YAML(pure=True)
    yaml.width = 2**20
    yaml.preserve_quotes = True
    yaml.Representer = _Representer
    return yaml


def to_text(yaml: YAML, content: Any) -> str:
    """Return content as ``yaml`` writes it."""
    out = io.StringIO()
    yaml.dump(content, out)
    return out.getvalue()


def dump(content: Mapping[str, Any]) -> str:
    """Return the text of a mapping of mappings, lists, text and numbers.

    >>> print(dump({"name": "no", "weight": 1e-05}), end="")
    name: "no"
    weight: 1.0e-05
    """
    return to_text(make_yaml(), quote(content))


def fill(change: Callable[[Any], None]) -> str:
    """Return the text of an empty mapping after a change."""
    root = CommentedMap()
    change(root)
    return to_text(make_yaml(), root)


def quote(value: Any) -> Any:
    """Return the value with all text in double quotes.

    A bare ``no`` or ``on`` is a truth value to a reader of YAML 1.1.
    """
    if isinstance(value, Mapping):
        return CommentedMap((quote_key(key), quote(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return CommentedSeq(quote(item) for item in value)
    if isinstance(value, str):
        return DoubleQuotedScalarString(value)
    return value


def quote_key(key: Any) -> Any:
    """Return a key in double quotes, unless it is a plain word to every reader."""
    if not isinstance(key, str):
        return key
    if PLAIN_KEY.fullmatch(key) and key.lower() not in TRUTH_WORDS:
        return key
    return DoubleQuotedScalarString(key)
