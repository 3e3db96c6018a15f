"""A change of YAML made again in the text that it came from, so that every other line stays as it was."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any


def replay(old: str, before: str, after: str) -> str:
    """The change from ``before`` to ``after``, made in ``old``, from which ``before`` differs in spacing only."""
    old_lines, before_lines, after_lines = (
        text.splitlines(keepends=True) for text in (old, before, after)
    )
    place: dict[int, int] = {}
    for _, i1, i2, j1, j2 in SequenceMatcher(
        None, before_lines, old_lines, autojunk=False
    ).get_opcodes():
        place.setdefault(
            i1, j1
        )  # lines of the old text alone, such as ---, go with what follows them
        if i2 - i1 == j2 - j1:
            place |= {i1 + step: j1 + step for step in range(1, i2 - i1)}
    end = place.setdefault(len(before_lines), len(old_lines))
    out: list[str] = []
    for kind, i1, i2, j1, j2 in SequenceMatcher(
        None, before_lines, after_lines, autojunk=False
    ).get_opcodes():
        known = kind == "equal" and i1 in place and i2 in place
        near = i1 if i1 < i2 else i1 - 1
        aside = (
            _margin(old_lines[place[near]]) - _margin(before_lines[near])
            if place.get(near, len(old_lines)) < len(old_lines)
            else 0
        )
        out += (
            old_lines[place[i1] : place[i2]]
            if known
            else [_shifted(line, aside) for line in after_lines[j1:j2]]
        )
    return "".join([*out, *old_lines[end:]])


def _shifted(line: str, columns: int) -> str:
    """The line as far to the right as the old text has its neighbours."""
    return " " * columns + line if columns > 0 else line[min(-columns, _margin(line)) :]


def are_alike(one: Any, other: Any) -> bool:
    """Equal, but for the last digits of numbers, which a round trip through ruamel.yaml may change."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return list(one) == list(other) and all(are_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(are_alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12) or (math.isnan(one) and math.isnan(other))
    return bool(one == other)


_OPENS = re.compile(r"\s*[^\s#-][^#]*:\s*([&!]\S*\s*)?(#.*)?$")
"""A line that only opens a mapping or a list."""


def measure_indents(text: str) -> dict[str, int]:
    """How far the first nested mapping and the first list of a text are indented."""
    found = {"mapping": 2, "sequence": 2, "offset": 0}
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    pairs = list(itertools.pairwise(lines))
    for upper, lower in pairs:
        step = _margin(lower) - _margin(upper)
        if _OPENS.match(upper) and step > 0 and not lower.lstrip().startswith("- "):
            found["mapping"] = step
            break
    for upper, lower in pairs:
        dash = re.match(r"\s*-( +)\S", lower)
        if dash and _OPENS.match(upper):
            found["offset"] = _margin(lower) - _margin(upper)
            found["sequence"] = found["offset"] + 1 + len(dash[1])
            break
    return found


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())
