"""A change of YAML, made again in the text that it came from: every other line stays as it was."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

__all__ = ["are_alike", "measure_indents", "replay"]


_OPENING = re.compile(r"\s*[^\s#-][^#]*:\s*([&!]\S*\s*)?(#.*)?$")
"""A line that only opens a mapping or a list."""


def replay(old: str, before: str, after: str) -> str:
    """Make the change from ``before`` to ``after`` in ``old``.

    Args:
        old: the text of the file.
        before: the same content as ruamel.yaml writes it: other spacing, same lines.
        after: the changed content as ruamel.yaml writes it.
    """
    old_lines = old.splitlines(keepends=True)
    before_lines = before.splitlines(keepends=True)
    after_lines = after.splitlines(keepends=True)
    places = _match_lines(before_lines, old_lines)
    # With autojunk difflib would not match lines that recur often, as those of a long list do.
    matcher = SequenceMatcher(None, before_lines, after_lines, autojunk=False)
    out: list[str] = []
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal" and start in places and end in places:
            out += old_lines[places[start] : places[end]]
            continue
        # New lines go as far to the right as the old text has their neighbours.
        near = start if start < end else start - 1
        place = places.get(near, len(old_lines))
        columns = 0
        if place < len(old_lines):
            columns = _margin(old_lines[place]) - _margin(before_lines[near])
        out += [_shift(line, columns) for line in after_lines[new_start:new_end]]
    rest = old_lines[places[len(before_lines)] :]
    return "".join([*out, *rest])


def _match_lines(before: Sequence[str], old: Sequence[str]) -> dict[int, int]:
    """Return place of a line in ``before`` to its place in ``old``, where that is known.

    Lines that only ``old`` has, such as ``---``, go with what follows them.
    """
    places: dict[int, int] = {}
    matcher = SequenceMatcher(None, before, old, autojunk=False)
    for _, start, end, old_start, old_end in matcher.get_opcodes():
        places.setdefault(start, old_start)
        # Blocks of one length differ in spacing only, so they match line by line.
        if end - start == old_end - old_start:
            places |= {start + step: old_start + step for step in range(1, end - start)}
    places.setdefault(len(before), len(old))
    return places


def _shift(line: str, columns: int) -> str:
    if columns > 0:
        return " " * columns + line
    return line[min(-columns, _margin(line)) :]


def are_alike(one: Any, other: Any) -> bool:
    """Compare content, but for last digits, which a round trip through ruamel.yaml may change."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return list(one) == list(other) and all(are_alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(are_alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12) or (math.isnan(one) and math.isnan(other))
    return bool(one == other)


def measure_indents(text: str) -> dict[str, int]:
    """Measure how far the first nested mapping and the first list of a text are indented.

    Returns:
        The arguments of ``YAML.indent``.
    """
    found = {"mapping": 2, "sequence": 2, "offset": 0}
    lines = [
        line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    pairs = list(itertools.pairwise(lines))
    for upper, lower in pairs:
        step = _margin(lower) - _margin(upper)
        if _OPENING.match(upper) and step > 0 and not lower.lstrip().startswith("- "):
            found["mapping"] = step
            break
    for upper, lower in pairs:
        dash = re.match(r"\s*-( +)\S", lower)
        if dash and _OPENING.match(upper):
            # To ruamel.yaml the indent of a list reaches to its content, the offset to its dash.
            found["offset"] = _margin(lower) - _margin(upper)
            found["sequence"] = found["offset"] + 1 + len(dash[1])
            break
    return found


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())
