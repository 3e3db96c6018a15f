"""Units of a run's numbers: perplexities, running totals, and weights in percent or of any sum."""

from __future__ import annotations

import numpy as np

from reweightviz.core.types import Array

__all__ = ["SUM_SLACK", "Units"]


SUM_SLACK = 0.02
"""Relative distance from 1 or 100 that the sum of rounded weights may have."""


class Units:
    """The units of one run, found as its numbers come.

    Example:
        >>> units = Units()
        >>> units.normalise(np.array([[30.0, 70.0]])).tolist(), units.notes
        ([[0.3, 0.7]], ['Weights sum to 100: read as percent.'])
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        """Sentences on what was converted, each once."""
        self._totals: dict[str, float] = {}
        # Of the weights; 0 where each row has its own, less where they stay as they are.
        self._sum: float | None = None

    def rescale(self, tag: str, values: Array, scale: str) -> Array:
        """Return the values (n,) of a tag in the unit of its signal; ``scale`` is a Place's."""
        if scale == "log":
            self._note("Perplexities are shown as losses, by their logarithm.")
            # Infinite is what was logged and is no loss, NaN what was not logged.
            positive = np.where(values > 0, values, np.inf)
            return np.where(np.isnan(values), np.nan, np.log(positive))
        if scale == "difference":
            self._note("Running totals of tokens are shown as the tokens since the record before.")
            return self._differences(tag, values)
        return values

    def normalise(self, weights: Array) -> Array:
        """Return weights (n, K) as shares, whether they sum to 1, to 100 or to more than 1.

        A sum below 1 stays: divided by it, each weight would be too large for what is missing.
        A domain without a weight in a row has no part in its sum.
        """
        sums = np.where(np.isnan(weights).all(axis=1), np.nan, np.nansum(weights, axis=1))
        whole = sums[np.isfinite(sums)]
        # Decided once: the rows of one log are not to be scaled by chance.
        if self._sum is None and len(whole):
            # The median, for single rows may be broken.
            self._sum = self._find_sum(float(np.median(whole)))
        if self._sum is None or self._sum < 0:
            return weights
        # Beside a weight that is not finite, the shares of the others are not known either.
        sums[~np.isfinite(sums)] = np.nan
        return weights / (self._sum or sums[:, None])

    @property
    def is_sum_known(self) -> bool:
        """Whether a weight has its unit without the others of its row."""
        return bool(self._sum)

    def is_whole(self, total: float) -> bool:
        """Return whether weights sum to what all of a row would."""
        return min(abs(total - 1), abs(total / 100 - 1)) <= SUM_SLACK

    def _differences(self, tag: str, totals: Array) -> Array:
        there = np.flatnonzero(np.isfinite(totals))
        drawn = np.full(len(totals), np.nan)
        drawn[there] = np.diff(totals[there], prepend=self._totals.get(tag, 0.0))
        drawn[drawn < 0] = np.nan  # a restart
        if len(there):
            self._totals[tag] = float(totals[there[-1]])
        return drawn

    def _find_sum(self, median: float) -> float:
        if abs(median - 1) <= SUM_SLACK:
            return 1.0
        if abs(median / 100 - 1) <= SUM_SLACK:
            self._note("Weights sum to 100: read as percent.")
            return 100.0
        if 0 < median < 1:
            self._note(
                f"Weights sum to {median:.4g}, less than 1, as if domains were missing: they stay "
                "as they are."
            )
            return -1.0
        self._note(f"Weights sum to {median:.4g}, not to 1: each row is divided by its sum.")
        return 0.0

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)
