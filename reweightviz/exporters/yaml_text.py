"""YAML that readers of YAML 1.1 (PyYAML) and 1.2 understand alike, whatever the names in it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from reweightviz.core.errors import ReweightvizError

TRUTH_WORDS = ("no", "on", "off", "yes", "true", "false", "null")


def dumped(content: Mapping[str, Any]) -> str:
    """Text of a mapping of mappings, lists, text and numbers.

    >>> print(dumped({"name": "no", "weight": 0.5}), end="")
    name: "no"
    weight: 0.5
    """
    yaml = YAML(pure=True)
    yaml.width = 2**20
    out = io.StringIO()
    yaml.dump(_quoted(content), out)
    return out.getvalue()


def loaded(file: Path) -> Any:
    """What a YAML file holds; one sentence where it cannot be read."""
    try:
        return YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
    except OSError as error:
        raise ReweightvizError(f"cannot read {file}: {error.strerror or error}.") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise ReweightvizError(f"{file} is no YAML file: {' '.join(str(error).split())[:200]}.") from error


def check_text(name: str) -> None:
    """Refuse a name that no UTF-8 file can hold."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise ReweightvizError(f"{name[:60]!r} holds half of a surrogate pair, which UTF-8 cannot.") from None


def _quoted(value: Any) -> Any:
    # A bare `no` or `on` is a truth value to a reader of YAML 1.1, so all text stands in double quotes.
    if isinstance(value, Mapping):
        return {key if _is_plain(key) else _quoted(key): _quoted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_quoted(item) for item in value]
    return DoubleQuotedScalarString(value) if isinstance(value, str) else value


def _is_plain(key: str) -> bool:
    return bool(re.fullmatch("[a-z]+(_[a-z]+)*", key)) and key not in TRUTH_WORDS
