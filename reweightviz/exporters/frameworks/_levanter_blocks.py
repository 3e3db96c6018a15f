"""Levanter's blocks: a share becomes a whole number of the sequences of every block."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from reweightviz.core.errors import list_names
from reweightviz.exporters.plan import Numbers

__all__ = [
    "BLOCK",
    "LARGEST_BLOCK",
    "MOST_NAMES",
    "choose_block",
    "find_coarse",
    "find_late",
    "find_never_drawn",
    "find_partly_drawn",
    "is_block",
    "name_stage",
]


BLOCK = 2048
"""Sequences of a block where a config names none."""
LARGEST_BLOCK = 2**15
"""The largest power of 2 that Levanter's 16 bits hold."""
MOST_NAMES = 6
"""The most domains of which one sentence says where they are drawn."""


def is_block(block: object) -> bool:
    """Return whether a value is a size that Levanter takes."""
    return isinstance(block, int) and not isinstance(block, bool) and 0 < block < 2**16


def choose_block(stages: Mapping[int, Numbers]) -> int:
    """Return the smallest block of 2048 times a power of 2 that has a place for every weight.

    A weight that no block has a place for counts only where its name has no larger one: then it is
    refused later, with its name.
    """
    best = _find_best(stages)
    shares = [
        share
        for _, name, share in _shares(stages)
        if share * LARGEST_BLOCK >= 1 or 0 < best[name] * LARGEST_BLOCK < 1
    ]
    least = min(shares, default=1.0)
    exponent = math.ceil(-math.log2(max(least, 1 / LARGEST_BLOCK)))
    return max(BLOCK, int(2**exponent))


def find_never_drawn(stages: Mapping[int, Numbers], block: int) -> Iterator[str]:
    """Return a sentence where a weight has no place in a block of any stage."""
    lost = [name for name, share in _find_best(stages).items() if 0 < share < 1 / block]
    if lost:
        yield (
            f"{list_names(lost)} would never be drawn: a share below 1/{block} has no place "
            f"in a block of {block} sequences."
        )


def find_partly_drawn(stages: Mapping[int, Numbers], block: int) -> Iterator[str]:
    """Return a sentence on each stage where a weight has no place, though it has in another."""
    best = _find_best(stages)
    for start in stages:
        lost = [
            name
            for step, name, share in _shares(stages)
            if step == start and 0 < share < 1 / block <= best[name]
        ]
        if lost:
            yield (
                f"{list_names(lost)} is not drawn in the stage from step {start}: its share there "
                f"is below 1/{block}, and has no place in a block of {block} sequences. "
                f"{_describe_others(stages, lost, block)}."
            )


def find_coarse(stages: Mapping[int, Numbers], block: int) -> Iterator[str]:
    """Return a sentence on each stage where a share loses a twentieth to the rounding down."""
    for start in stages:
        off = []
        for step, name, share in _shares(stages):
            sequences = share * block
            if step == start and sequences >= 1 and int(sequences) < 0.95 * sequences:
                off.append(name)
        if off:
            yield (
                f"the share of {list_names(off)}{name_stage(stages, start)} is rounded down by "
                f"more than a twentieth, to a whole number of {block} sequences."
            )


def name_stage(stages: Collection[int], start: int) -> str:
    """Return the words for a stage; "" where there is only one."""
    return f" in the stage from step {start}" if len(stages) > 1 else ""


def find_late(stages: Iterable[int], batches: Any, block: int) -> Iterator[str]:
    """Return a sentence where a stage begins inside a block.

    Args:
        stages: first step of each.
        batches: Levanter's batch size in sequences, a number or a list of starts and values; what
            is neither leaves the question open.
        block: in sequences.
    """
    rows = _read_batches(batches)
    if not rows:
        return
    for step in stages:
        begin = _count_sequences(step, rows)
        if begin % block:
            every = ""
            if len(rows) == 1:
                multiple = block // math.gcd(block, rows[0][1])
                every = f", at a step that is a multiple of {multiple}"
            yield (
                f"a stage of Levanter begins on a block of {block} sequences{every}; step "
                f"{step} is sequence {begin}."
            )
            return


def _shares(stages: Mapping[int, Numbers]) -> Iterator[tuple[int, str, float]]:
    """Generate the first step of a stage, a name and its share there."""
    for start, numbers in stages.items():
        total = sum(numbers.values()) or 1
        for name, value in numbers.items():
            yield start, name, value / total


def _find_best(stages: Mapping[int, Numbers]) -> Numbers:
    """Return name to its largest share in any stage."""
    best: Numbers = {}
    for _, name, share in _shares(stages):
        best[name] = max(best.get(name, 0.0), share)
    return best


def _describe_others(stages: Mapping[int, Numbers], lost: Collection[str], block: int) -> str:
    """Return where the names that one stage does not draw are drawn."""
    places: dict[str, list[str]] = {}
    for start, name, share in _shares(stages):
        if name in lost and share >= 1 / block:
            places.setdefault(name, []).append(f"from step {start} on ({100 * share:.3g} %)")
    words = [f"{name!r} is drawn {' and '.join(found)}" for name, found in places.items()]
    return "; ".join(words[:MOST_NAMES])


def _read_batches(batches: Any) -> list[tuple[int, int]]:
    """Return the first step and the size of each batch size."""
    try:
        if not isinstance(batches, list):
            return [(0, int(batches))]
        return [(int(row["start"]), int(row["value"])) for row in batches]
    except (TypeError, ValueError, KeyError, OverflowError):
        return []


def _count_sequences(step: int, rows: list[tuple[int, int]]) -> int:
    """Return the sequences that a run has drawn before a step."""
    ends = [start for start, _ in rows[1:]] + [step]
    count = 0
    for (start, size), end in zip(rows, ends, strict=True):
        count += max(min(end, step) - start, 0) * size
    return count
