"""Words that readers of YAML 1.1 and 1.2 understand differently: a bare no, 1e-5, 010, 1:30.

Most frameworks read with PyYAML, which is 1.1.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from reweightviz.exporters.text.yaml_load import YAML_ERRORS, check_depth

__all__ = ["MEANINGS", "Word", "find_meaning", "find_words"]


MEANINGS = (
    (r"yes|Yes|YES|on|On|ON", "the truth value true"),
    (r"no|No|NO|off|Off|OFF", "the truth value false"),
    # A number with an exponent needs a point and a sign in YAML 1.1: 1.0e-5, not 1e-5 or 1.0e5.
    (r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][0-9]+|[-+]?[0-9][0-9_]*[eE][-+][0-9]+", "text"),
    # 0o17 is a number in YAML 1.2 only, as are 089, with digits that base 8 lacks, and +.5.
    (r"[-+]?0o[0-7_]+|[-+]?0[0-9_]*[89][0-9_]*|[-+]\.[0-9_]+([eE][-+][0-9]+)?", "text"),
    (r"[-+]?0[0-7_]*[1-7]_*[0-7][0-7_]*", "a number of base 8"),
    # 1:30 is 90, the minutes and seconds of YAML 1.1.
    (r"[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+", "a number of base 60"),
    (r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*", "a number of base 60"),
)
"""Patterns of words that YAML 1.2 reads otherwise, and their meaning to PyYAML."""


class Word(NamedTuple):
    """A bare word of a text, and its meaning to PyYAML."""

    line: int
    text: str
    meaning: str


def find_meaning(word: str) -> str:
    """Return the meaning of a bare word to PyYAML; "" where YAML 1.2 gives it the same.

    >>> find_meaning("no"), find_meaning("1e-5"), find_meaning("1.0e-05"), find_meaning("web")
    ('the truth value false', 'text', '', '')
    """
    return next((meaning for pattern, meaning in MEANINGS if re.fullmatch(pattern, word)), "")


def find_words(text: str) -> Iterator[Word]:
    """Generate every bare word of a YAML text that PyYAML takes for something else.

    There are none where the text is no YAML.
    """
    try:
        check_depth(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an anchor that is set again is good YAML
            root = YAML(pure=True).compose(text)
    except (*YAML_ERRORS, RecursionError):
        return
    # Aliases make a graph of the nodes, so each is looked at once.
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, ScalarNode) and not node.style:
            meaning = find_meaning(node.value)
            if meaning:
                yield Word(node.start_mark.line + 1, node.value, meaning)
        elif isinstance(node, MappingNode):
            waiting += [part for pair in reversed(node.value) for part in reversed(pair)]
        elif isinstance(node, SequenceNode):
            waiting += reversed(node.value)
