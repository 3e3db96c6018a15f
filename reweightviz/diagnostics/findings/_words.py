"""Figures in words."""

from __future__ import annotations

from collections.abc import Mapping

from reweightviz.core.errors import list_names

__all__ = ["name_largest", "percent"]


def percent(part: float, digits: int = 0) -> str:
    """Return a share in percent.

    >>> percent(0.125, 1)
    '12.5 %'
    """
    return f"{100 * part:.{digits}f} %"


def name_largest(figures: Mapping[str, float], form: str, most: int = 3) -> str:
    """Return the largest figures by name, then how many more there are.

    >>> name_largest({"web": 9.5, "code": 5.0, "math": 4.5, "law": 4.1}, "{:.1f} times")
    "'web' 9.5 times, 'code' 5.0 times, 'math' 4.5 times and 1 more"
    """
    largest = sorted(figures.items(), key=lambda pair: -pair[1])
    words = [f"{list_names([name])} {form.format(figure)}" for name, figure in largest[:most]]
    if len(largest) > most:
        words.append(f"{len(largest) - most} more")
    *first, last = words
    if not first:
        return last
    return f"{', '.join(first)} and {last}"
