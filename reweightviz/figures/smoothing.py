"""Smoothing: the exponential moving average of lines that grow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.types import Array


class Ema:
    """Exponential moving average over the measured points, weight 2 / (span + 1), without bias at the start; gaps stay gaps.

    Args:
        span: in measured points, 1 or more.

    Example:
        >>> Ema(3).push(np.array([[1.0], [np.nan], [2.0]])).ravel().round(3).tolist()
        [1.0, nan, 1.667]
    """

    def __init__(self, span: int) -> None:
        self._keep = 1 - 2 / (span + 1)
        self._total: Array | None = None
        self._seen = np.zeros(0)

    def push(self, values: Array) -> Array:
        """The next rows (n, K), smoothed."""
        smoothed, self._total, self._seen = self._passed(values)
        return smoothed

    def peek(self, values: Array) -> Array:
        """What the next rows would be, without taking them."""
        return self._passed(values)[0]

    def _passed(self, values: Array) -> tuple[Array, Array, Array]:
        from scipy.signal import lfilter  # it takes longer to import than all else here

        K, keep = values.shape[1], self._keep
        total = np.zeros(K) if self._total is None else self._total.copy()
        seen = np.zeros(K) if self._total is None else self._seen.copy()
        smoothed = np.full(values.shape, np.nan)
        there = np.isfinite(values)
        for columns, rows in _group_columns(there):
            count = int(rows.sum())
            if count:
                measured = np.ascontiguousarray(
                    (values if rows.all() else values[rows])[:, columns].T
                )
                sums, _ = lfilter([1.0], [1.0, -keep], measured, zi=keep * total[columns, None])
                mass = (1 - keep ** seen[columns, None] * keep ** np.arange(1, count + 1)) / (
                    1 - keep
                )
                smoothed[np.ix_(rows, columns)] = (sums / mass).T
                total[columns], seen[columns] = sums[:, -1], seen[columns] + count
        return smoothed, total, seen


def _group_columns(there: NDArray[np.bool_]) -> list[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Columns that are measured on the same rows, and those rows."""
    if there.all():
        return [(np.arange(there.shape[1]), there[:, 0])] if there.size else []
    return [(np.array([k]), there[:, k]) for k in range(there.shape[1])]


def ema(values: Array, span: int) -> Array:
    """:class:`Ema` of a whole table (T, K)."""
    return Ema(span).push(values)
