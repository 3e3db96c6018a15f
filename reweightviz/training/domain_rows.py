"""The rows of each domain in a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.types import Rows

__all__ = ["DomainRows"]


class DomainRows:
    """The domains of a data set, and where their rows are.

    Args:
        domains: names (K,).
        sizes: rows of each (K,).
        order: the rows of all domains, one domain after the other; None where they stand so.
        digest: of the domain of every row; "" where the sizes tell it.
    """

    def __init__(
        self, domains: tuple[str, ...], sizes: Rows, order: Rows | None = None, digest: str = ""
    ) -> None:
        self.domains = domains
        self.sizes = sizes.astype(np.int64)
        self.digest = digest
        self._order = order
        self._ends = np.cumsum(self.sizes)
        self._starts = self._ends - self.sizes
        self._codes: Rows | None = None

    @classmethod
    def from_sizes(cls, sizes: Mapping[str, int]) -> DomainRows:
        """Take domain to number of rows, one domain after the other.

        Raises:
            ReweightvizError: no whole numbers, one below 0, or all 0.
        """
        counts = np.array(list(sizes.values()))
        is_whole = counts.size > 0 and counts.dtype.kind in "iu"
        if not is_whole or (counts < 0).any() or not counts.any():
            raise InvalidValue(
                name="data",
                value=dict(sizes),
                expected="domains to their number of rows, at least one above 0",
            )
        return cls(tuple(map(str, sizes)), counts)

    @classmethod
    def from_names(cls, names: Sequence[str] | NDArray[Any]) -> DomainRows:
        """Take the domain of every row (N,); the domains are in the order of their names.

        Raises:
            ReweightvizError: no rows, or one without a domain.
        """
        codes, found = pd.factorize(np.asarray(names, object))  # ten times as fast as np.unique
        if not found.size or codes.min() < 0:
            raise ReweightvizError(
                "there are no rows to draw from, or some without a domain; data is the "
                "domain of every row, or domain to number of rows."
            )
        domains, places = np.unique(np.asarray(found, str), return_inverse=True)
        codes = places[codes]
        # One byte order, so that a checkpoint can be loaded on another machine.
        digest = hashlib.blake2b(codes.astype("<i8").tobytes(), digest_size=8).hexdigest()
        # Stable, or rows of one domain might stand in another order elsewhere.
        order = np.argsort(codes, kind="stable")
        return cls(tuple(domains.tolist()), np.bincount(codes), order, digest)

    def find_rows(self, domains: Rows, places: Rows) -> Rows:
        """Return the row of each place (B,) in its domain (B,)."""
        rows = self._starts[domains] + places
        if self._order is None:
            return rows
        return np.asarray(self._order[rows], np.int64)

    def find_domains(self, rows: Rows) -> Rows:
        """Return the place in ``domains`` of the domain of each row."""
        if self._order is None:
            return np.searchsorted(self._ends, rows, side="right")
        if self._codes is None:  # as long as the data, so made only where it is needed
            self._codes = np.empty(len(self._order), np.int64)
            self._codes[self._order] = np.repeat(np.arange(len(self.sizes)), self.sizes)
        return np.asarray(self._codes[rows], np.int64)
