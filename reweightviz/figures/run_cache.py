"""Tables that are computed from runs, kept from one drawing to the next."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reweightviz.core.types import Array
from reweightviz.figures.drawing_cache import DrawingCache

__all__ = ["RunCache"]


class RunCache(DrawingCache):
    """Also keeps the tables that are computed from runs, so that only new rows are computed.

    Example:
        >>> cache = RunCache()
        >>> numbers = np.arange(4.0)[:, None]
        >>> for length in (2, 4):
        ...     new = lambda start, _: 2 * numbers[start:length]
        ...     doubled = cache.extend("doubled", length, 1, new)
        >>> doubled.ravel().tolist()
        [0.0, 2.0, 4.0, 6.0]
    """

    def __init__(self) -> None:
        super().__init__()
        self._tables: dict[object, tuple[Array, int]] = {}

    def extend(
        self, key: object, length: int, width: int, compute: Callable[[int, Array], Array]
    ) -> Array:
        """Return the table (length, width) under a key, with its new rows.

        Args:
            key: of the table.
            length: rows now.
            width: columns.
            compute: called with the first row to compute and the rows before it; returns the rows
                from there on. The last row of before is computed again: it may have been filled in
                since.
        """
        table, known = self._tables.get(key, (np.empty((0, width)), 0))
        start = max(min(known, length) - 1, 0)
        if len(table) < length:
            # Twice as long as before, so that a growing run is not copied at every step.
            longer = np.empty((max(length, 2 * len(table)), width))
            longer[:start] = table[:start]
            table = longer
        table[start:length] = compute(start, table[:start])
        self._tables[key] = table, length
        return table[:length]

    def clear(self) -> None:
        """Forget everything: rows that were drawn have changed."""
        super().clear()
        self._tables.clear()
