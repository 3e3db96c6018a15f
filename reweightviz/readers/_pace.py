"""The pace of a run: how long it usually is from one news to the next."""

from __future__ import annotations

from collections import deque
from statistics import median

import numpy as np

from reweightviz.core.types import Array

__all__ = ["QUIET", "Pace"]


QUIET = 300.0
"""Seconds without news after which a run is late, as long as its pace is not known."""
_USUAL_TIMES = 5  # as long as usual is late
_RECENT = 30  # news that tell the pace
_ENOUGH = 3
_SHORTEST = 10.0  # seconds; a run also saves and evaluates
_SHORTEST_BY_ROWS = 60.0
"""Seconds; rows tell when they were logged, and a logger may write many of them at once."""


class Pace:
    """The gaps between the news of one run.

    Args:
        quiet: seconds without news after which it is late, whatever its pace; None tells them
            from its pace.

    Example:
        >>> pace = Pace()
        >>> for now in (100, 120, 140, 160):
        ...     pace.add_news(now)
        >>> pace.usual, pace.quiet
        (20, 100)
    """

    def __init__(self, quiet: float | None = None) -> None:
        self._quiet = quiet
        self._last: float | None = None
        self._gaps: deque[float] = deque(maxlen=_RECENT)
        self._row_gap: float | None = None

    def add_news(self, now: float) -> None:
        """Record that there was news at a time in Unix seconds."""
        if self._last is not None:
            self._gaps.append(now - self._last)
        self._last = now

    def begin(self, times: Array, written: float | None) -> None:
        """Take up what is there already: times (T,) of rows, NaN where unknown, and of its file."""
        self._last = written
        known = times[np.isfinite(times)][-_RECENT:]
        gaps = np.diff(known)
        gaps = gaps[gaps > 0]
        if len(gaps) >= _ENOUGH:
            self._row_gap = float(np.median(gaps))

    @property
    def usual(self) -> float | None:
        """Seconds between two news; None where too few came to tell."""
        if len(self._gaps) >= _ENOUGH:
            return median(self._gaps)
        return self._row_gap

    @property
    def quiet(self) -> float:
        """Seconds without news after which the run is late."""
        if self._quiet is not None:
            return self._quiet
        if len(self._gaps) >= _ENOUGH:
            return max(_SHORTEST, _USUAL_TIMES * median(self._gaps))
        if self._row_gap is not None:
            return max(_SHORTEST_BY_ROWS, _USUAL_TIMES * self._row_gap)
        return QUIET
