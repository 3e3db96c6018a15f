"""The mean of the best of many random weights, as RegMix and Meta-rater read a regressor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reweightviz.core.types import Array

__all__ = ["BLOCK", "mean_of_best"]


BLOCK = 1 << 16
"""Weights that are drawn and scored at once: a search of millions never holds them all."""


def mean_of_best(
    score: Callable[[Array], Array], concentration: Array, *, draws: int, top: int, seed: int
) -> Array:
    """Return the mean (K,) of the ``top`` weights with the lowest score among many draws.

    The draws come from Dirichlet(concentration).

    Args:
        score: weights (n, K) to numbers (n,), lower is better; what is not finite is never taken.
        concentration: (K,) >= 0; a domain with 0 stays at 0.
        draws: how many weights are drawn.
        top: of how many the mean is taken, at most ``draws``.
        seed: of the draws.

    Example:
        >>> score = lambda w: (w[:, 0] - 0.3) ** 2
        >>> mean_of_best(score, np.ones(2), draws=1000, top=20, seed=0).round(2).tolist()
        [0.3, 0.7]
    """
    rng = np.random.default_rng(seed)
    drawn = concentration > 0
    best = np.empty((0, concentration.size))
    scores = np.empty(0)
    for first in range(0, draws, BLOCK):
        some = np.zeros((min(BLOCK, draws - first), concentration.size))
        some[:, drawn] = rng.dirichlet(concentration[drawn], len(some))
        found = np.asarray(score(some), np.float64)
        best = np.concatenate([best, some])
        scores = np.concatenate([scores, np.where(np.isfinite(found), found, np.inf)])
        kept = np.argsort(scores, kind="stable")[:top]
        best = best[kept]
        scores = scores[kept]
    finite = np.isfinite(scores)
    if not finite.any():
        return np.full(concentration.size, np.nan)
    mean = best[finite].mean(0)
    return np.asarray(mean / mean.sum(), np.float64)
