"""Power laws with one exponent for all: many curves ``c + a x ** -alpha`` beyond their points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from reweightviz.core.types import Array

__all__ = ["EXPONENTS", "PowerLaws", "fit_power_laws"]


EXPONENTS = np.geomspace(0.01, 4.0, 60)
"""Where the shared exponent is looked for; the best of these is then refined."""


class PowerLaws(NamedTuple):
    """G curves over one variable: floors c and scales a (G, M), the exponent, the unit."""

    floor: Array
    scale: Array
    exponent: float
    unit: float

    def at(self, x: ArrayLike) -> Array:
        """Return values (G, M) at ``x``, one number or (G,)."""
        relative = np.asarray(x, np.float64).reshape(-1, 1) / self.unit
        return np.asarray(self.floor + self.scale * relative**-self.exponent, np.float64)


def fit_power_laws(x: Array, y: Array, group: NDArray[np.int64]) -> PowerLaws:
    """Fit ``y = c_g + a_g x ** -alpha`` by least squares, with c_g, a_g >= 0 and one alpha for all.

    For a given alpha the rest is linear and solved exactly, so only alpha is searched.

    Args:
        x: (R,) above 0, such as training tokens.
        y: (R, M) above 0, such as losses.
        group: (R,) which curve a row is on, 0 to G - 1; each with at least two different ``x``.

    Example:
        >>> x = np.array([1.0, 2.0, 4.0, 1.0, 2.0, 4.0])
        >>> groups = np.array([0, 0, 0, 1, 1, 1])
        >>> laws = fit_power_laws(x, (2 + (1 + 2 * groups) * x ** -0.5)[:, None], groups)
        >>> round(laws.exponent, 6), laws.at(100.0).round(6).ravel().tolist()
        (0.5, [2.1, 2.3])
    """
    unit = float(np.exp(np.log(x).mean()))
    relative = x / unit

    def cost(log_exponent: float) -> float:
        return _linear(relative, y, group, float(np.exp(log_exponent)))[2]

    # A bounded search ends in whichever valley it meets, so the grid chooses the valley first.
    tried = np.log(EXPONENTS)
    best = int(np.argmin([cost(value) for value in tried]))
    around = tried[max(best - 1, 0)], tried[min(best + 1, len(tried) - 1)]
    exponent = float(
        np.exp(minimize_scalar(cost, bounds=around, method="bounded", options={"xatol": 1e-10}).x)
    )
    floor, scale, _ = _linear(relative, y, group, exponent)
    return PowerLaws(floor, scale, exponent, unit)


def _linear(
    x: Array, y: Array, group: NDArray[np.int64], exponent: float
) -> tuple[Array, Array, float]:
    """Return floors and scales (G, M), both >= 0, and the squared residual."""
    bent = x**-exponent
    count = np.bincount(group).astype(np.float64)

    def total(values: Array) -> Array:
        summed = np.zeros((len(count), values.shape[1]))
        np.add.at(summed, group, values)
        return summed

    mean_bent = total(bent[:, None]) / count[:, None]
    mean_y = total(y) / count[:, None]
    apart = bent[:, None] - mean_bent[group]
    scale = np.maximum(total(apart * y) / total(apart**2), 0.0)
    floor = mean_y - scale * mean_bent
    # Where the best floor is negative, the best one that is not is 0: the cost is convex.
    through_zero = total(bent[:, None] * y) / total(bent[:, None] ** 2)
    scale = np.where(floor < 0, through_zero, scale)
    floor = np.maximum(floor, 0.0)
    missed = y - floor[group] - scale[group] * bent[:, None]
    return floor, scale, float((missed**2).sum())
