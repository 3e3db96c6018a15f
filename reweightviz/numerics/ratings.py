"""Several ratings of the same documents: on one scale, added up, and how much they overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array

__all__ = ["standardise", "variance_inflation"]


def standardise(ratings: ArrayLike) -> Array:
    """Scale ratings (N, K) to mean 0 and variance 1 by column; a column that never changes is 0."""
    found = np.asarray(ratings, np.float64)
    if found.ndim != 2 or not found.size or not np.isfinite(found).all():
        tail = ""
        if found.ndim == 2:
            tail = f" with {int((~np.isfinite(found)).sum())} that are not finite"
        raise ReweightvizError(
            "ratings must be (N, K) finite numbers, one a document and rater; got shape "
            f"{found.shape}{tail}."
        )
    apart = found - found.mean(0)
    spread = apart.std(0)
    # The mean of equal numbers may be off in the last bit, so that their spread is not 0.
    constant = spread <= 1e-12 * np.abs(found).max(0)
    return np.asarray(np.where(constant, 0.0, apart / np.where(constant, 1.0, spread)), np.float64)


def variance_inflation(ratings: ArrayLike) -> Array:
    """Return variance inflation factors (K,): 1 / (1 - R^2) of each rater on all the others.

    1 is a rater of its own; above 10, the customary warning, the others nearly give it, and its
    weight could as well be theirs. inf where they give it exactly, and for a rater that never
    changes.

    Example:
        >>> variance_inflation([[1, 1], [1, -1], [-1, 1], [-1, -1]]).tolist()
        [1.0, 1.0]
        >>> variance_inflation([[1, 2], [2, 4], [3, 6]]).tolist()
        [inf, inf]
    """
    z = standardise(ratings)
    factors = np.full(z.shape[1], np.inf)
    for k in np.flatnonzero(z.any(0)):
        others = np.delete(z, k, axis=1)
        residual = z[:, k]
        if others.size:
            residual = residual - others @ np.linalg.lstsq(others, z[:, k], rcond=None)[0]
        # A rating has variance 1 here, so the mean square left over is 1 - R^2.
        unexplained = float((residual**2).mean())
        if unexplained > 1e-12:
            factors[k] = 1 / unexplained
    return factors
