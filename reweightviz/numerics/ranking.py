"""Measures of a ranking: what it finds, how sure that is, and what else would rank alike."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.types import Array
from reweightviz.numerics.accuracy import rank_correlation

__all__ = [
    "AreaUnderCurve",
    "area_under_curve",
    "correlation_interval",
    "grouped_share",
    "last_for_nan",
    "monotone_share",
    "recall_at",
]


class AreaUnderCurve(NamedTuple):
    """The area under the ROC curve, and its standard error."""

    area: float
    error: float


def last_for_nan(score: ArrayLike) -> Array:
    """Return scores (N,) in which what is not finite is below all others.

    >>> last_for_nan([2.0, float("nan"), 1.0]).tolist()
    [2.0, 0.0, 1.0]
    """
    values = np.asarray(score, np.float64)
    finite = np.isfinite(values)
    if finite.all() or not finite.any():
        return np.where(finite, values, 0.0)
    return np.where(finite, values, values[finite].min() - 1)


def area_under_curve(score: ArrayLike, found: ArrayLike) -> AreaUnderCurve:
    """Return the chance that a document to be found scores above another, ties counted half.

    The standard error is that of Elizabeth R. DeLong et al., "Comparing the Areas under Two or More
    Correlated Receiver Operating Characteristic Curves", Biometrics 1988, from the placements of
    either side; NaN with fewer than two documents on a side.

    Args:
        score: (N,), higher is better; NaN is last.
        found: (N,) bool, the documents that a good score puts first.

    Example:
        >>> area_under_curve([0.9, 0.8, 0.3, 0.1], [True, False, True, False])
        AreaUnderCurve(area=0.75, error=0.35...)
    """
    from scipy.stats import rankdata

    values = last_for_nan(score)
    is_found = np.asarray(found, bool)
    inside = values[is_found]
    outside = values[~is_found]
    m = len(inside)
    n = len(outside)
    if not m or not n:
        return AreaUnderCurve(float("nan"), float("nan"))
    ranks = rankdata(np.concatenate([inside, outside]))
    # A document's placement: the share of the other side that it beats.
    above = (ranks[:m] - rankdata(inside)) / n
    below = 1 - (ranks[m:] - rankdata(outside)) / m
    error = float("nan")
    if m > 1 and n > 1:
        error = float(np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n))
    return AreaUnderCurve(float(above.mean()), error)


def recall_at(score: ArrayLike, found: ArrayLike, k: int) -> float:
    """Return the share of the documents to be found that are among the best k.

    >>> recall_at([0.9, 0.8, 0.3, 0.1], [True, False, True, False], 2)
    0.5
    """
    is_found = np.asarray(found, bool)
    best = np.argsort(-last_for_nan(score), kind="stable")[:k]
    return float(is_found[best].sum() / max(is_found.sum(), 1))


def monotone_share(score: ArrayLike, other: ArrayLike) -> float:
    """Return the share of the variance of the ranks that another column's ranks explain.

    It is Spearman's correlation, squared, over the documents that have both.
    """
    both = np.stack([np.asarray(score, np.float64), np.asarray(other, np.float64)])
    both = both[:, np.isfinite(both).all(0)]
    if both.shape[1] < 2:
        return float("nan")
    return float(rank_correlation(both[0][:, None], both[1][:, None])[0] ** 2)


def grouped_share(score: ArrayLike, groups: NDArray[np.integer]) -> float:
    """Return the share of the variance of the ranks that lies between groups (N,).

    It is eta squared, less what as many groups drawn by chance would have: (H - G + 1) / (n - G) of
    Kruskal and Wallis.
    """
    from scipy.stats import rankdata

    values = np.asarray(score, np.float64)
    finite = np.isfinite(values)
    ranks = rankdata(values[finite])
    codes = np.unique(groups[finite], return_inverse=True)[1]
    n = len(ranks)
    G = int(codes.max(initial=-1)) + 1
    total = float(((ranks - ranks.mean()) ** 2).sum()) if n else 0.0
    if G < 2 or n <= G or not total:
        return float("nan")
    sizes = np.bincount(codes)
    means = np.bincount(codes, ranks) / sizes
    between = float((sizes * (means - ranks.mean()) ** 2).sum())
    statistic = (n - 1) * between / total
    return max(0.0, (statistic - G + 1) / (n - G))


def correlation_interval(correlation: float, count: int, z: float) -> tuple[float, float]:
    """Return the interval of a rank correlation over ``count`` pairs, by Fisher's z.

    The factor 1.06 for ranks is that of E. C. Fieller et al., "Tests for Rank Correlation
    Coefficients I", Biometrika 1957.

    >>> low, high = correlation_interval(0.5, 40, 1.645)
    >>> round(low, 2), round(high, 2)
    (0.26, 0.68)
    """
    if count < 4 or not np.isfinite(correlation):
        return float("nan"), float("nan")
    centre = np.arctanh(np.clip(correlation, -0.999999, 0.999999))
    half = z * np.sqrt(1.06 / (count - 3))
    return float(np.tanh(centre - half)), float(np.tanh(centre + half))
