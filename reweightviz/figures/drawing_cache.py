"""The points of lines, kept from one drawing to the next."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reweightviz.core.types import Array, Rows
from reweightviz.figures.decimation import LIMIT, Decimation

__all__ = ["DrawingCache", "ZoomedLines"]


class ZoomedLines(NamedTuple):
    """The lines of a table (T, K): coarse, and finer between the rows that are zoomed to."""

    coarse: Decimation
    fine: Decimation | None = None
    low: int = 0
    high: int = 0

    def points(self, k: int, *, gaps: bool = True) -> tuple[Rows, Array]:
        """Return rows (P,) and values (P,) of line ``k``; without gaps only measured points."""
        rows, y = self.coarse.points(k, gaps=gaps)
        if self.fine is None:
            return rows, y
        fine_rows, fine_y = self.fine.points(k, gaps=gaps)
        left, right = np.searchsorted(rows, [self.low, self.high])
        return (
            np.concatenate([rows[:left], fine_rows, rows[right:]]),
            np.concatenate([y[:left], fine_y, y[right:]]),
        )

    def shared_rows(self) -> Rows:
        """Return rows at which every line has a point.

        They are those of all lines together, thinned again to about as many as one has.
        """
        lines = [self.points(k)[0] for k in range(self.coarse.width)]
        every = np.unique(np.concatenate([np.empty(0, np.int64), *lines]))
        step = -(-len(every) // LIMIT)
        if step <= 1:
            return every
        return np.unique(np.append(every[::step], every[-1:]))


class DrawingCache:
    """The work of earlier drawings, so that one more step costs one more step.

    It is for logs that only grow. A figure that is drawn once makes its own.
    """

    def __init__(self) -> None:
        self._coarse: dict[object, Decimation] = {}
        self._fine: dict[object, tuple[int, Decimation]] = {}
        self._scanned: dict[object, tuple[int, bool]] = {}

    def decimate(
        self,
        key: tuple[object, ...],
        values: Array,
        *,
        smooth: int = 0,
        between: tuple[int, int] | None = None,
    ) -> ZoomedLines:
        """Return the lines of the table (T, K) under a key, with more detail between those rows."""
        key = (*key, smooth)
        coarse = self._coarse.get(key)
        if coarse is None or coarse.length > len(values):
            coarse = self._coarse[key] = Decimation(smooth)
        coarse.grow(values)
        low, high = between or (0, len(values))
        if len(values) <= LIMIT or (low, high) == (0, len(values)):
            return ZoomedLines(coarse)
        start, fine = self._fine.get(key, (-1, coarse))
        # Buckets only grow at their end: another start, or an earlier end, needs new ones.
        if start != low or fine.length > high:
            fine = Decimation(smooth, low)
            self._fine[key] = low, fine
        fine.grow(values[:high])
        return ZoomedLines(coarse, fine, low, high)

    def has_values(self, key: object, values: Array) -> bool:
        """Return whether there is one number in the table (T, K) under a key."""
        scanned, found = self._scanned.get(key, (0, False))
        if not found:
            # The last row of before may have been filled in since.
            found = bool(np.isfinite(values[max(scanned - 1, 0) :]).any())
            self._scanned[key] = len(values), found
        return found

    def clear(self) -> None:
        """Forget everything: rows that were drawn have changed."""
        self._coarse.clear()
        self._fine.clear()
        self._scanned.clear()
