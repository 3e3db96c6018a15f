"""The options of a command line, as the mapping that a YAML config of them would hold.

``--dataset a,b --seed 1`` is ``{"dataset": "a,b", "seed": 1}``, and Hydra's
``data.sources.web=0.7`` is ``{"data": {"sources": {"web": 0.7}}}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters.text import shell, yaml_load

__all__ = ["ASSIGNED", "FLAG", "NEEDS_SHELL", "read_options"]


FLAG = re.compile(r"--?([A-Za-z][\w.-]*)(?:=(.*))?", re.DOTALL)
"""An option, and its value where that stands in the same word; ``-0.5`` is none."""
ASSIGNED = re.compile(r"\+{0,2}([A-Za-z_][\w.]*)=(.+)", re.DOTALL)
"""A setting as Hydra and OmegaConf take it."""
NEEDS_SHELL = re.compile(r"`|\$[\w({]")
"""A command in a word, or a variable that the text does not set."""


def read_options(text: str) -> dict[str, Any]:
    """Return the options of the commands of a text, those of the first command that has each.

    Of one that stands twice in a command the last is taken, as argparse and Hydra do.

    An option has underscores for its dashes, several words are a list of text, and none is True.
    Left out is what needs a shell, such as a variable that the text does not set.

    >>> read_options("python train.py --dataset a,b --interleave-probs 0.7 0.3 data.seed=1")
    {'dataset': 'a,b', 'interleave_probs': ['0.7', '0.3'], 'data': {'seed': 1}}
    """
    found: dict[str, Any] = {}
    for words in shell.read_commands(text):
        own: dict[str, Any] = {}
        for name, values in _pair(words):
            if not any(map(NEEDS_SHELL.search, values)):
                _set(own, name, _to_value(values))
        _add(found, own)
    return found


def _pair(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Generate each option of a command and the words behind it."""
    name = ""
    values: list[str] = []
    for word in words:
        flag = FLAG.fullmatch(word)
        assigned = ASSIGNED.fullmatch(word)
        if flag is None and assigned is None:
            values.append(word)
            continue
        if name:
            yield name, values
        name = ""
        values = []
        if assigned is not None:
            yield assigned[1], [assigned[2]]
        elif flag is not None and flag[2] is not None:
            yield flag[1], [flag[2]]
        elif flag is not None:
            name = flag[1]
    if name:
        yield name, values


def _set(found: dict[str, Any], name: str, value: Any) -> None:
    """Set a value below its dotted name."""
    *above, last = name.replace("-", "_").split(".")
    for key in above:
        found = found.setdefault(key, {})
        if not isinstance(found, dict):
            return
    found[last] = value


def _add(found: dict[str, Any], more: dict[str, Any]) -> None:
    """Add what is not set yet."""
    for key, value in more.items():
        there = found.setdefault(key, value)
        if there is not value and isinstance(there, dict) and isinstance(value, dict):
            _add(there, value)


def _to_value(words: Sequence[str]) -> Any:
    if not words:
        return True
    if len(words) == 1:
        return _to_scalar(words[0])
    # open-instruct tells 1 from 1.0 and takes both as text.
    return list(words)


def _to_scalar(word: str) -> Any:
    """Return what a YAML config would hold for a word: a number, a truth value, a list, or text."""
    try:
        value = yaml_load.load(word, "")
    except ReweightvizError:
        return word
    is_plain = isinstance(value, bool | int | float | list | dict)
    return value if is_plain else word
