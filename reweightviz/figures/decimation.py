"""Decimation: lines of any length as at most about 2,000 points that keep every extreme, at a cost of what is new.

The rows fall into buckets of equal length, and of each bucket the lowest and the highest point of
every line are kept, so that no peak is lost at any width of the picture (the min-max of Uwe Jugel,
Zbigniew Jerzak, Gregor Hackenbroich and Volker Markl, "M4: A Visualization- Oriented Time Series
Data Aggregation", VLDB 2014, https://doi.org/10.14778/2732951.2732953, without its first and last
of each pixel column). When the buckets become too many, two and two are joined.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.types import Array, Rows
from reweightviz.figures.smoothing import Ema

LIMIT = 2000
"""Points a line up to which nothing is left out, and about as many as are drawn of a longer one."""
_CHUNK = 1 << 16  # rows taken at once


class _Buckets(NamedTuple):
    """Of B buckets and K lines: row and value of the lowest and of the highest point, row of a gap; row -1 where there is none."""

    low: Rows
    high: Rows
    gap: Rows
    low_value: Array
    high_value: Array


class Decimation:
    """A table (T, K) that grows, and of each of its lines the points to draw.

    Rows that were seen are not looked at again, but for the last one, which may still be filled in.

    Args:
        smooth: span of an exponential moving average that the lines are passed through first; 0
            takes them as they are.
        start: rows before it are only smoothed over; the points begin with it.

    Example:
        >>> values = np.zeros((1_000_000, 1))
        >>> values[123_456] = 7
        >>> lines = Decimation()
        >>> lines.grow(values)
        >>> rows, y = lines.points(0)
        >>> len(rows) <= LIMIT, float(y.max()), int(rows[y.argmax()])
        (True, 7.0, 123456)
    """

    def __init__(self, smooth: int = 0, start: int = 0) -> None:
        self._ema, self._start = Ema(smooth) if smooth else None, start
        self._size = 1  # rows a bucket
        self._settled = 0  # rows that are in the buckets
        self._buckets: _Buckets | None = None
        self._first = self._last = np.empty((0, 0))
        self.length, self.width = 0, 0
        """T and K, of the table that was seen last."""

    def grow(self, values: Array) -> None:
        """The whole table (T, K): what was seen before, and more rows."""
        self.length, self.width = values.shape
        while self._settled < min(self._start, self.length - 1):
            rows = values[self._settled : min(self._settled + _CHUNK, self._start, self.length - 1)]
            self._settled += len(self._ema.push(rows) if self._ema else rows)
        while self._settled < self.length - 1:
            self._fit(self.length - 1 - self._start)
            # Up to the end of the bucket that is open, then whole buckets.
            room = (self._start - self._settled) % self._size or max(
                _CHUNK // self._size, 1
            ) * self._size
            rows = values[self._settled : min(self._settled + room, self.length - 1)]
            self._take(self._ema.push(rows) if self._ema else rows)
        self._fit(self.length - 1 - self._start)
        last = values[self.length - 1 :]
        self._last = self._ema.peek(last) if self._ema else last

    def points(self, k: int, *, gaps: bool = True) -> tuple[Rows, Array]:
        """Rows (P,) and values (P,) of line ``k``, in order: extremes, the first and the last point, and where ``gaps`` one NaN a gap."""
        kept: list[tuple[Rows, Array]] = []
        if self._buckets is not None:
            low, high, gap, low_value, high_value = (part[:, k] for part in self._buckets)
            kept = [
                (low, low_value),
                (high, high_value),
                (np.array([self._start]), self._first[:, k]),
            ]
            kept += [(gap, np.full(len(gap), np.nan))] if gaps else []
        if self.length > self._start:
            kept.append((np.array([self.length - 1]), self._last[:, k]))
        if not kept:
            return np.empty(0, np.int64), np.empty(0)
        rows, values = (np.concatenate(part) for part in zip(*kept, strict=True))
        there = rows >= 0 if gaps else (rows >= 0) & np.isfinite(values)
        rows, at = np.unique(rows[there], return_index=True)
        return rows, values[there][at]

    def _fit(self, length: int) -> None:
        """Longer buckets, until few enough points come out of them."""
        while -(-length // self._size) * (1 if self._size == 1 else 2) + self._gaps() > LIMIT:
            self._size *= 2
            if self._buckets is not None:
                self._buckets = _join_pairs(self._buckets)

    def _gaps(self) -> int:
        """Points that are drawn for gaps, of the line with the most; a bucket of one row has no other point."""
        return (
            0
            if self._buckets is None or self._size == 1
            else int((self._buckets.gap >= 0).sum(axis=0).max(initial=0))
        )

    def _take(self, rows: Array) -> None:
        """Rows that begin a bucket, or that stay within the open one."""
        if self._buckets is None:
            self._first = rows[:1].copy()
        whole = len(rows) // self._size * self._size
        opened = (self._settled - self._start) % self._size
        for start, stop in ((0, whole), (whole, len(rows))):
            if start < stop:
                size = self._size if stop == whole else stop - start
                new = _scan(
                    rows[start:stop].reshape(-1, size, rows.shape[1]), self._settled + start, size
                )
                self._buckets = (
                    new
                    if self._buckets is None
                    else _join(self._buckets, new)
                    if opened
                    else _Buckets(
                        *(np.concatenate(parts) for parts in zip(self._buckets, new, strict=True))
                    )
                )
        self._settled += len(rows)


def _scan(values: NDArray[np.float64], start: int, size: int) -> _Buckets:
    """Buckets of (B, size, K), of which the first begins at row ``start``."""
    nan = ~np.isfinite(values)
    gappy = bool(nan.any())
    low = (np.where(nan, np.inf, values) if gappy else values).argmin(axis=1)
    high = (np.where(nan, -np.inf, values) if gappy else values).argmax(axis=1)
    low_value, high_value = (np.take_along_axis(values, at[:, None], 1)[:, 0] for at in (low, high))
    begin = start + size * np.arange(len(values))[:, None]
    empty = ~np.isfinite(low_value)
    if not gappy:
        gap = np.full(low.shape, -1)
    else:
        # Best a gap between the two points, so that no line is drawn over it.
        between = nan & (np.arange(size)[:, None] > np.minimum(low, high)[:, None])
        gap = np.where(between.any(axis=1), between.argmax(axis=1), nan.argmax(axis=1))
        gap = np.where(nan.any(axis=1), begin + gap, -1)
    return _Buckets(
        np.where(empty, -1, begin + low),
        np.where(empty, -1, begin + high),
        gap,
        low_value,
        high_value,
    )


def _join(ones: _Buckets, others: _Buckets) -> _Buckets:
    """The last buckets of ``ones``, each with the one of ``others`` that follows it."""
    before, last = zip(
        *((part[: -len(others.low)], part[-len(others.low) :]) for part in ones), strict=True
    )
    one = _Buckets(*last)
    lower = (others.low >= 0) & ((one.low < 0) | (others.low_value < one.low_value))
    higher = (others.high >= 0) & ((one.high < 0) | (others.high_value > one.high_value))
    low, high = np.where(lower, others.low, one.low), np.where(higher, others.high, one.high)
    fits = (one.gap > np.minimum(low, high)) & (one.gap < np.maximum(low, high))
    gap = np.where((one.gap >= 0) & (fits | (others.gap < 0)), one.gap, others.gap)
    joined = _Buckets(
        low,
        high,
        gap,
        np.where(lower, others.low_value, one.low_value),
        np.where(higher, others.high_value, one.high_value),
    )
    return _Buckets(*(np.concatenate(parts) for parts in zip(before, joined, strict=True)))


def _join_pairs(buckets: _Buckets) -> _Buckets:
    """Two and two joined; one that is left over stays."""
    even = len(buckets.low) // 2 * 2
    pairs = _join(
        _Buckets(*(part[:even:2] for part in buckets)),
        _Buckets(*(part[1:even:2] for part in buckets)),
    )
    return _Buckets(
        *(np.concatenate([pair, part[even:]]) for pair, part in zip(pairs, buckets, strict=True))
    )
