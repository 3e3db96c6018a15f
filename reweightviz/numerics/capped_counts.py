"""How often each document is taken when every copy lowers its chance: soft and hard caps.

Mikey Shechter and Yair Carmon, "Filter Like You Test: Data-Driven Data Filtering for CLIP
Pretraining", 2025, https://arxiv.org/abs/2503.08805. Soft cap sampling draws batches of different
rows by ``softmax(s)`` and takes a penalty from every score that was drawn; hard cap sampling draws
with replacement until a row has its limit. Both are here as the authors draw, and the first also in
closed form: where many rows are drawn, its counts are ``(s_i - mu) / penalty``, with the water
level ``mu`` that makes them add up. The formulas were read in their code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.types import Array, Rows

__all__ = ["draw_hard_cap", "draw_soft_cap", "soft_cap_counts"]


def soft_cap_counts(scores: ArrayLike, draws: float, *, penalty: float = 0.15) -> Array:
    """Return the counts (N,) that soft cap sampling tends to; they add up to ``draws``.

    Args:
        scores: (N,) logits; NaN is never taken.
        draws: how many rows are taken in all, repeats included.
        penalty: what every copy takes from the score.

    >>> soft_cap_counts([0, 0.3, 0.6, 0.9, -1], 400).round(2).tolist()
    [78.93, 80.93, 82.93, 84.93, 72.27]
    """
    values = _check(scores, draws, penalty=penalty)
    order = np.argsort(-values, kind="stable")
    best = values[order][np.isfinite(values[order])]
    # The level if the m best rows were those that are taken; the largest m that is consistent.
    levels = (np.cumsum(best) - penalty * draws) / np.arange(1, len(best) + 1)
    last = np.flatnonzero(best > levels)
    if not len(last):
        return np.zeros(len(values))
    level = levels[last[-1]]
    counts: Array = np.nan_to_num(np.maximum(values - level, 0)) / penalty
    return counts


def draw_soft_cap(
    scores: ArrayLike,
    draws: int,
    rng: np.random.Generator,
    *,
    penalty: float = 0.15,
    batch: int = 1,
) -> Rows:
    """Return how often each row (N,) was drawn, by the authors' loop.

    With a batch near N all rows are drawn alike, whatever their scores: the penalty acts between
    batches alone. :func:`soft_cap_counts` has no batch.

    Args:
        scores: (N,) logits; NaN is never taken.
        draws: how many rows are drawn in all.
        rng: draws.
        penalty: what every copy takes from the score.
        batch: how many different rows are drawn between two penalties.
    """
    keys = np.where(np.isfinite(scores), _check(scores, draws, penalty=penalty), -np.inf)
    counts = np.zeros(len(keys), np.int64)
    there = int(np.isfinite(keys).sum())
    if not 1 <= batch <= there:
        raise InvalidValue(
            name="a batch of different rows",
            value=batch,
            expected=f"a whole number from 1 to the {there} rows that have a score",
        )
    left = draws
    while left > 0:
        # The largest keys with Gumbel noise are draws without replacement by softmax.
        noisy = keys + rng.gumbel(size=len(keys))
        rows = np.argsort(-noisy, kind="stable")[: min(batch, left)]
        counts[rows] += 1
        keys[rows] -= penalty
        left -= len(rows)
    return counts


def draw_hard_cap(
    scores: ArrayLike, draws: int, rng: np.random.Generator, *, limit: int = 15
) -> Rows:
    """Return how often each row (N,) was drawn with replacement, never over ``limit`` times.

    Args:
        scores: (N,) logits; NaN is never taken.
        draws: how many rows are drawn in all.
        rng: draws.
        limit: copies of a row at most.

    Raises:
        ReweightvizError: all rows at their limit are fewer than the draws.
    """
    values = _check(scores, draws, penalty=1)
    open_rows = np.isfinite(values)
    counts = np.zeros(len(values), np.int64)
    if limit * open_rows.sum() < draws:
        raise ReweightvizError(
            f"{draws} draws of {open_rows.sum()} rows, each taken at most {limit} times, are more "
            f"than there are; at most {limit * open_rows.sum()} draws, or a higher limit, would do."
        )
    shares = np.zeros(len(values))
    shares[open_rows] = np.exp(values[open_rows] - values[open_rows].max(initial=-np.inf))
    while (left := draws - int(counts.sum())) > 0:
        live = np.where(counts < limit, shares, 0)
        if not live.sum():  # what is left has a chance below the smallest number
            live = (open_rows & (counts < limit)).astype(np.float64)
        drawn = rng.multinomial(left, live / live.sum())
        counts = np.minimum(counts + drawn, limit)
    return counts


def _check(scores: ArrayLike, draws: float, *, penalty: float) -> Array:
    values = np.asarray(scores, np.float64)
    if values.ndim != 1:
        raise InvalidValue(name="scores", value=values.shape, expected="one a row, shape (N,)")
    if draws < 0 or not np.isfinite(draws):
        raise InvalidValue(name="draws", value=draws, expected="a number of at least 0")
    if not penalty > 0:
        raise InvalidValue(name="penalty", value=penalty, expected="a number above 0")
    return values
