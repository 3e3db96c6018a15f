"""Where readers of YAML 1.1 and 1.2 part ways: a bare no, 1e-5, 010, 1:30. Most frameworks read with PyYAML, which is 1.1."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from reweightviz.exporters.text.yaml_load import FAULTS


class Reading(NamedTuple):
    """A bare word that PyYAML reads otherwise: where it stands, the word, and what PyYAML takes it for."""

    line: int
    word: str
    taken: str


_KINDS = (
    (r"yes|Yes|YES|on|On|ON", "the truth value true"),
    (r"no|No|NO|off|Off|OFF", "the truth value false"),
    (r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][0-9]+|[-+]?[0-9][0-9_]*[eE][-+][0-9]+", "text"),
    (r"[-+]?0o[0-7_]+|[-+]?0[0-9_]*[89][0-9_]*|[-+]\.[0-9_]+([eE][-+][0-9]+)?", "text"),
    (r"[-+]?0[0-7_]*[1-7]_*[0-7][0-7_]*", "a number of base 8"),
    (r"[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?", "a number of base 60"),
)


def taken(word: str) -> str:
    """What PyYAML takes a bare word for, where YAML 1.2 takes it for something else; "" where they agree.

    >>> taken("no"), taken("1e-5"), taken("1.0e-05"), taken("web")
    ('the truth value false', 'text', '', '')
    """
    return next((kind for pattern, kind in _KINDS if re.fullmatch(pattern, word)), "")


def readings(text: str) -> Iterator[Reading]:
    """Every bare word of a YAML text that PyYAML takes for something else; none where the text is no YAML."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor that is set again is good YAML
            root = YAML(pure=True).compose(text)
    except (*FAULTS, RecursionError):
        return
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, ScalarNode) and not node.style and taken(node.value):
            yield Reading(node.start_mark.line + 1, node.value, taken(node.value))
        elif isinstance(node, MappingNode):
            waiting += [part for pair in reversed(node.value) for part in reversed(pair)]
        elif isinstance(node, SequenceNode):
            waiting += reversed(node.value)
