"""Levanter's blocks: a share becomes a whole number of the sequences of every block."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reweightviz.core.errors import list_names
from reweightviz.exporters.plan import Numbers

__all__ = [
    "BLOCK",
    "LARGEST_BLOCK",
    "choose_block",
    "find_coarse",
    "find_late",
    "find_vanishing",
    "is_block",
]


BLOCK = 2048
"""Sequences of a block where a config names none."""
LARGEST_BLOCK = 2**15
"""The largest power of 2 that Levanter's 16 bits hold."""


def is_block(block: object) -> bool:
    """Return whether a value is a size that Levanter takes."""
    return isinstance(block, int) and not isinstance(block, bool) and 0 < block < 2**16


def choose_block(stages: Iterable[Numbers]) -> int:
    """Return the smallest block of 2048 times a power of 2 that has a place for every weight."""
    shares: list[float] = []
    for numbers in stages:
        total = sum(numbers.values())
        shares += [value / total for value in numbers.values() if value]
    least = min(shares, default=1.0)
    # No block has a place for a smaller weight, which is refused with its name later.
    exponent = math.ceil(-math.log2(max(least, 1 / LARGEST_BLOCK)))
    return max(BLOCK, int(2**exponent))


def find_vanishing(stages: Mapping[int, Numbers], block: int) -> Iterator[str]:
    """Return a sentence where a weight has no place in a block."""
    lost = {name: share for name, share in _shares(stages) if 0 < share < 1 / block}
    if lost:
        yield (
            f"{list_names(lost)} would never be drawn: a share below 1/{block} has no place "
            f"in a block of {block} sequences."
        )


def find_coarse(stages: Mapping[int, Numbers], block: int) -> Iterator[str]:
    """Return a sentence where a share loses a twentieth of itself to the rounding down."""
    off = {}
    for name, share in _shares(stages):
        sequences = share * block
        if sequences >= 1 and int(sequences) < 0.95 * sequences:
            off[name] = share
    if off:
        yield (
            f"the share of {list_names(off)} is rounded down by more than a twentieth, to a "
            f"whole number of {block} sequences."
        )


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


def _shares(stages: Mapping[int, Numbers]) -> Iterator[tuple[str, float]]:
    for numbers in stages.values():
        total = sum(numbers.values()) or 1
        for name, value in numbers.items():
            yield name, value / total


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
