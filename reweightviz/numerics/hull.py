"""Distance of a mixture outside the convex hull of others, beyond which a law extrapolates."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array

__all__ = ["distance_outside"]


def distance_outside(mixtures: ArrayLike, sampled: ArrayLike) -> Array:
    """Return the share of tokens (n,) that separates mixtures from blends of the sampled ones.

    That is the least total variation between a mixture and the convex hull, a linear program each;
    0 inside.

    Args:
        mixtures: (n, K), or (K,) for one.
        sampled: (R, K), the mixtures that were really tried. Rows are divided by their sums.

    Example:
        >>> sampled = [[1.0, 0, 0], [0, 1, 0], [0.5, 0, 0.5]]
        >>> distance_outside([[0.5, 0.5, 0.0], [0.0, 0.2, 0.8]], sampled).round(3).tolist()
        [0.0, 0.4]
    """
    asked = np.atleast_2d(np.asarray(mixtures, np.float64))
    corners = np.asarray(sampled, np.float64)
    if corners.ndim != 2 or not len(corners) or asked.shape[1] != corners.shape[1]:
        raise UnmetNeed(
            name="the hull",
            value=(asked.shape, corners.shape),
            expected="mixtures (n, K) and sampled mixtures (R, K) of the same domains",
            got=f"{asked.shape} and {corners.shape}",
        )
    asked = asked / asked.sum(1, keepdims=True)
    corners = corners / corners.sum(1, keepdims=True)
    corners = np.unique(corners, axis=0)
    domains = asked.shape[1]
    runs = len(corners)
    # What is missing of a domain must be moved there: blend + lacking >= mixture, in the least
    # amount.
    table = np.hstack([-corners.T, -np.eye(domains)])
    cost = np.append(np.zeros(runs), np.ones(domains))
    one = np.append(np.ones(runs), np.zeros(domains))[None]
    found = [
        linprog(cost, A_ub=table, b_ub=-row, A_eq=one, b_eq=[1.0], method="highs") for row in asked
    ]
    distance = np.array([max(each.fun, 0.0) for each in found])
    return np.where(distance < 1e-9, 0.0, distance)
