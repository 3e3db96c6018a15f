"""Names of domains and targets in the columns of a table."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["SEPARATORS", "strip_common"]


SEPARATORS = "_/:. -"


def strip_common(columns: Sequence[str]) -> tuple[str, ...]:
    """Return names without what they all begin or end with, cut at separators.

    >>> strip_common(["metric/arxiv_val_loss", "metric/github_val_loss"])
    ('arxiv', 'github')
    """
    names = tuple(columns)
    if len(names) < 2:
        return names
    begin = _end_at_separator(_common_start(names))
    rest = [name[begin:] for name in names]
    end = _end_at_separator(_common_start([name[::-1] for name in rest]))
    short = [name[: len(name) - end] for name in rest]
    if not all(short):  # a name that is nothing but prefix would be lost
        return names
    return tuple(short)


def _common_start(names: Sequence[str]) -> str:
    # In sorted order the first and the last name differ the earliest.
    first = min(names)
    last = max(names)
    differ = (at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    return first[: next(differ, min(len(first), len(last)))]


def _end_at_separator(common: str) -> int:
    return max((at + 1 for at, letter in enumerate(common) if letter in SEPARATORS), default=0)
