"""The order in which a framework draws: what every loader script reports beside its totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

PARTS = 10
"""A draw is looked at in so many parts of one length."""


def tenths(drawn: Iterable) -> list[dict[str, int]]:
    """Return the counts of each tenth of a sequence of names, in order."""
    names = [str(name) for name in drawn]
    size = len(names) // PARTS
    return [Counter(names[part * size : (part + 1) * size]) for part in range(PARTS)]
