"""Smoothing: the exponential moving average of lines that grow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from reweightviz.core.types import Array, Rows

__all__ = ["Ema"]


class Ema:
    """Exponential moving average over the measured points, without bias at the start.

    The weight of a new point is 2 / (span + 1). Gaps stay gaps.

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
        """Return the next rows (n, K), smoothed."""
        smoothed, self._total, self._seen = self._filter(values)
        return smoothed

    def peek(self, values: Array) -> Array:
        """Return the next rows (n, K), smoothed, without taking them."""
        smoothed, _, _ = self._filter(values)
        return smoothed

    def _filter(self, values: Array) -> tuple[Array, Array, Array]:
        """Return the smoothed rows, and the sums and numbers of points (K,) after them."""
        K = values.shape[1]
        keep = self._keep
        total = np.zeros(K) if self._total is None else self._total.copy()
        seen = np.zeros(K) if self._total is None else self._seen.copy()
        smoothed = np.full(values.shape, np.nan)
        for columns, rows in _group_columns(np.isfinite(values)):
            count = int(rows.sum())
            if not count:
                continue
            given = values if rows.all() else values[rows]
            measured = np.ascontiguousarray(given[:, columns].T)
            sums, _ = lfilter([1.0], [1.0, -keep], measured, zi=keep * total[columns, None])
            # The sum of all weights so far, by which a plain average has no bias at the start.
            decay = keep ** seen[columns, None] * keep ** np.arange(1, count + 1)
            mass = (1 - decay) / (1 - keep)
            smoothed[np.ix_(rows, columns)] = (sums / mass).T
            total[columns] = sums[:, -1]
            seen[columns] += count
        return smoothed, total, seen


def _group_columns(measured: NDArray[np.bool_]) -> list[tuple[Rows, NDArray[np.bool_]]]:
    """Return columns that are measured on the same rows, and those rows."""
    if not measured.all():
        return [(np.array([k]), measured[:, k]) for k in range(measured.shape[1])]
    # Without a gap all of them go through the filter at once.
    return [(np.arange(measured.shape[1]), measured[:, 0])] if measured.size else []
