"""The error of a fit by the number of its points, ``a + b * n ** -c``."""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

from reweightviz.core.types import Array

__all__ = ["fit_error_decay"]


def fit_error_decay(n: Array, error: Array) -> tuple[float, float, float]:
    """Return a, b and c of ``error = a + b * n ** -c``, by robust least squares of log errors.

    Args:
        n: (S,) numbers of points, ascending; at least three.
        error: (S,) measured with them.

    Example:
        >>> n = np.array([10.0, 20.0, 40.0, 80.0])
        >>> [round(value, 3) for value in fit_error_decay(n, 0.1 + 2 / n)]
        [0.1, 2.0, 1.0]
    """
    measured = np.maximum(error, 1e-9)
    # With hardly more points than parameters the error is wild, so what lies off the curve there
    # counts little: by the weight, and by the soft loss.
    weight = np.sqrt(n / n.max())

    def misfit(theta: Array) -> Array:
        expected = np.exp(theta[0]) + np.exp(theta[1]) * (n / n[0]) ** -theta[2]
        return np.asarray(weight * np.log(expected / measured), np.float64)

    best = least_squares(
        misfit,
        [np.log(0.5 * measured.min()), np.log(0.5 * measured.max()), 0.7],
        loss="soft_l1",
        f_scale=0.05,
        bounds=([-40, -40, 0.1], [np.log(measured.max()) + 1, 10, 2.0]),
    )
    floor, scale, exponent = best.x
    return float(np.exp(floor)), float(np.exp(scale) * n[0] ** exponent), float(exponent)
