"""Measures of how well predictions follow observations, one figure a column."""

from __future__ import annotations

import numpy as np

from reweightviz.core.types import Array

__all__ = ["explained_variance", "rank_correlation"]


def explained_variance(predicted: Array, observed: Array) -> Array:
    """Return R² (M,) of predictions (R, M); NaN where the observations are all alike.

    >>> explained_variance(np.array([[1.0], [2.0], [2.0]]), np.array([[1.0], [2.0], [3.0]]))
    array([0.5])
    """
    spread = ((observed - observed.mean(0)) ** 2).sum(0)
    alike = spread <= 1e-12 * (observed**2).sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        r2 = 1 - ((observed - predicted) ** 2).sum(0) / spread
    return np.where(alike, np.nan, r2)


def rank_correlation(predicted: Array, observed: Array) -> Array:
    """Return Spearman's correlation (M,) of predictions (R, M); NaN where either is constant.

    >>> rank_correlation(np.array([[1.0], [5.0], [9.0]]), np.array([[1.0], [3.0], [2.0]]))
    array([0.5])
    """
    one, other = (_centred_ranks(values) for values in (predicted, observed))
    with np.errstate(divide="ignore", invalid="ignore"):
        norm = np.sqrt((one**2).sum(0) * (other**2).sum(0))
        return np.asarray((one * other).sum(0) / norm, np.float64)


def _centred_ranks(values: Array) -> Array:
    # scipy.stats takes longer to import than all else that a fit needs.
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=0)
    return np.asarray(ranks - ranks.mean(0), np.float64)
