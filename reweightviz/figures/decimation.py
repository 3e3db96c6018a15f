"""Decimation: lines of any length as at most about 2,000 points that keep every extreme.

The rows fall into buckets of equal length, and of each bucket the lowest and the highest point of
every line are kept, so that no peak is lost at any width of the picture (the min-max of Uwe Jugel,
Zbigniew Jerzak, Gregor Hackenbroich and Volker Markl, "M4: A Visualization-Oriented Time Series
Data Aggregation", VLDB 2014, https://doi.org/10.14778/2732951.2732953, without its first and last
of each pixel column). When the buckets become too many, two and two are joined.
The cost is that of new rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.types import Array, Rows
from reweightviz.figures.smoothing import Ema

__all__ = ["LIMIT", "Decimation"]


LIMIT = 2000
"""Points a line up to which nothing is left out, and about as many as are drawn of a longer one."""
_CHUNK = 1 << 16  # rows taken at once


class _Buckets(NamedTuple):
    """Of B buckets and K lines: row and value of the lowest and of the highest point, row of a gap.

    A row is -1 where there is none.
    """

    low: Rows
    high: Rows
    gap: Rows
    low_value: Array
    high_value: Array

    def part(self, rows: slice) -> _Buckets:
        """Return some of the buckets."""
        return _Buckets._make(each[rows] for each in self)

    def line(self, k: int) -> _Buckets:
        """Return the buckets of line ``k`` alone."""
        return _Buckets._make(each[:, k] for each in self)


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
        self._ema = Ema(smooth) if smooth else None
        self._start = start
        self._size = 1  # rows a bucket
        self._settled = 0  # rows that are in the buckets
        self._buckets: _Buckets | None = None
        self._first = np.empty((0, 0))
        self._last = np.empty((0, 0))
        self.length = 0
        """T, of the table that was seen last."""
        self.width = 0
        """K, of the table that was seen last."""

    def grow(self, values: Array) -> None:
        """Take the whole table (T, K): the rows that were seen before, and more."""
        self.length, self.width = values.shape
        # The last row may still be filled in, so it stays out of the buckets.
        end = self.length - 1
        while self._settled < min(self._start, end):
            rows = values[self._settled : min(self._settled + _CHUNK, self._start, end)]
            self._smooth(rows)
            self._settled += len(rows)
        while self._settled < end:
            self._join_until_few(end - self._start)
            # Up to the end of the bucket that is open, then whole buckets.
            room = (self._start - self._settled) % self._size
            if not room:
                room = max(_CHUNK // self._size, 1) * self._size
            self._take(self._smooth(values[self._settled : min(self._settled + room, end)]))
        self._join_until_few(end - self._start)
        last = values[end:]
        self._last = self._ema.peek(last) if self._ema else last

    def points(self, k: int, *, gaps: bool = True) -> tuple[Rows, Array]:
        """Return rows (P,) and values (P,) of line ``k``, in order.

        They are its extremes, the first and the last point, and where ``gaps`` one NaN a gap.
        """
        rows: list[Rows] = []
        values: list[Array] = []
        if self._buckets is not None:
            own = self._buckets.line(k)
            rows = [own.low, own.high, np.array([self._start])]
            values = [own.low_value, own.high_value, self._first[:, k]]
            if gaps:
                rows.append(own.gap)
                values.append(np.full(len(own.gap), np.nan))
        if self.length > self._start:
            rows.append(np.array([self.length - 1]))
            values.append(self._last[:, k])
        if not rows:
            return np.empty(0, np.int64), np.empty(0)
        row = np.concatenate(rows)
        value = np.concatenate(values)
        there = row >= 0
        if not gaps:
            there &= np.isfinite(value)
        unique, at = np.unique(row[there], return_index=True)
        return unique, value[there][at]

    def _smooth(self, rows: Array) -> Array:
        return self._ema.push(rows) if self._ema else rows

    def _join_until_few(self, length: int) -> None:
        """Make buckets longer, until few enough points come out of them."""
        while self._count_points(length) > LIMIT:
            self._size *= 2
            if self._buckets is not None:
                self._buckets = _join_pairs(self._buckets)

    def _count_points(self, length: int) -> int:
        """Return the number of points that are drawn of the line with the most."""
        if self._size == 1:
            return length
        points = 2 * -(-length // self._size)
        if self._buckets is None:
            return points
        gaps = (self._buckets.gap >= 0).sum(axis=0)
        return points + int(gaps.max(initial=0))

    def _take(self, rows: Array) -> None:
        """Take rows that begin a bucket, or that stay within the open one."""
        if self._buckets is None:
            self._first = rows[:1].copy()
        whole = len(rows) // self._size * self._size
        opened = (self._settled - self._start) % self._size
        for start, stop in ((0, whole), (whole, len(rows))):
            if start < stop:
                size = self._size if stop == whole else stop - start
                part = rows[start:stop].reshape(-1, size, rows.shape[1])
                new = _scan(part, self._settled + start, size)
                if self._buckets is None:
                    self._buckets = new
                elif opened:
                    self._buckets = _join(self._buckets, new)
                else:
                    self._buckets = _append(self._buckets, new)
        self._settled += len(rows)


def _scan(values: NDArray[np.float64], start: int, size: int) -> _Buckets:
    """Return the buckets of values (B, size, K), of which the first begins at row ``start``."""
    nan = ~np.isfinite(values)
    has_gaps = bool(nan.any())
    low = (np.where(nan, np.inf, values) if has_gaps else values).argmin(axis=1)
    high = (np.where(nan, -np.inf, values) if has_gaps else values).argmax(axis=1)
    low_value = np.take_along_axis(values, low[:, None], 1)[:, 0]
    high_value = np.take_along_axis(values, high[:, None], 1)[:, 0]
    begin = start + size * np.arange(len(values))[:, None]
    empty = ~np.isfinite(low_value)
    gap = np.full(low.shape, -1)
    if has_gaps:
        # Best a gap between the two points, so that no line is drawn over it.
        between = nan & (np.arange(size)[:, None] > np.minimum(low, high)[:, None])
        place = np.where(between.any(axis=1), between.argmax(axis=1), nan.argmax(axis=1))
        gap = np.where(nan.any(axis=1), begin + place, -1)
    return _Buckets(
        low=np.where(empty, -1, begin + low),
        high=np.where(empty, -1, begin + high),
        gap=gap,
        low_value=low_value,
        high_value=high_value,
    )


def _append(ones: _Buckets, others: _Buckets) -> _Buckets:
    return _Buckets._make(np.concatenate(parts) for parts in zip(ones, others, strict=True))


def _join(ones: _Buckets, others: _Buckets) -> _Buckets:
    """Join the last buckets of ``ones``, each with the one of ``others`` that follows it."""
    count = len(others.low)
    before = ones.part(slice(None, -count))
    one = ones.part(slice(-count, None))
    lower = (others.low >= 0) & ((one.low < 0) | (others.low_value < one.low_value))
    higher = (others.high >= 0) & ((one.high < 0) | (others.high_value > one.high_value))
    low = np.where(lower, others.low, one.low)
    high = np.where(higher, others.high, one.high)
    fits = (one.gap > np.minimum(low, high)) & (one.gap < np.maximum(low, high))
    joined = _Buckets(
        low=low,
        high=high,
        gap=np.where((one.gap >= 0) & (fits | (others.gap < 0)), one.gap, others.gap),
        low_value=np.where(lower, others.low_value, one.low_value),
        high_value=np.where(higher, others.high_value, one.high_value),
    )
    return _append(before, joined)


def _join_pairs(buckets: _Buckets) -> _Buckets:
    """Join two and two; one that is left over stays."""
    even = len(buckets.low) // 2 * 2
    pairs = _join(buckets.part(slice(0, even, 2)), buckets.part(slice(1, even, 2)))
    return _append(pairs, buckets.part(slice(even, None)))
