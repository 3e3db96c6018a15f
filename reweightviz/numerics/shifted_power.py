"""Monotone curves y = E + K (x - e)^k through points, many resamples at once.

For given e and k the rest is a line, so only these two are searched.
"""

from __future__ import annotations

import numpy as np

from reweightviz.core.types import Array

__all__ = [
    "CLOSER",
    "GRID",
    "POWERS",
    "SHIFTS",
    "ZOOMS",
    "evaluate",
    "fit_line",
    "fit_shifted_power",
    "slopes",
]


SHIFTS = -1.3, 1.5
"""How far e lies below the least x: ten to this power, in spans of x."""
POWERS = -0.7, 0.7
"""The power k, ten to this."""
GRID = 9
"""Points a side of the grid."""
ZOOMS = 24
CLOSER = 0.7
"""The grid closes in so often, each time to this share of its reach: to 2e-4 of it in the end."""


def evaluate(theta: Array, x: Array) -> Array:
    """Return values at x, parameters [e, k, K, E] in the last axis of ``theta``; flat below e.

    >>> evaluate(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.5, 2.0, 3.0])).tolist()
    [4.0, 7.0, 16.0]
    """
    shift, power, height, floor = (theta[..., i] for i in range(4))
    return np.asarray(floor + height * np.maximum(x - shift, 0) ** power, np.float64)


def fit_line(x: Array, y: Array, counts: Array, sign: float) -> tuple[Array, Array]:
    """Fit lines to points (R,) that count (B, R); K has the sign or is 0.

    Returns:
        Parameters (B, 4) with k = 1, and the summed squares (B,).
    """
    height, floor, cost = _line(np.broadcast_to(x, (len(counts), 1, len(x))), y, counts, sign)
    # A line has no e of its own: any below the points gives the same one.
    zeros = np.zeros(len(counts))
    start = x.min() - 1
    level = floor[:, 0] + height[:, 0] * start
    return np.stack([zeros + start, zeros + 1, height[:, 0], level], axis=1), cost[:, 0]


def fit_shifted_power(x: Array, y: Array, counts: Array, sign: float) -> tuple[Array, Array]:
    """Fit parameters (B, 4), with the summed squares (B,), by a grid over e and k that zooms in.

    Args:
        x: (R,).
        y: (R,).
        counts: (B, R), how often each point counts.
        sign: 1 for a rising curve, -1 for a falling one; K has it or is 0.

    Example:
        >>> x = np.linspace(2, 4, 30)
        >>> y = 1.5 + 0.8 * (x - 1) ** 1.4
        >>> fit_shifted_power(x, y, np.ones((1, 30)), 1)[0].round(2).tolist()
        [[1.0, 1.4, 0.8, 1.5]]
    """
    span = float(np.ptp(x)) or 1.0
    steps = np.linspace(-1, 1, GRID)
    centre = np.tile([[sum(SHIFTS) / 2, sum(POWERS) / 2]], (len(counts), 1))
    reach = np.array([SHIFTS[1] - SHIFTS[0], POWERS[1] - POWERS[0]]) / 2
    best = np.zeros((len(counts), 4))
    cost = np.full(len(counts), np.inf)
    rows = np.arange(len(counts))
    for _ in range(ZOOMS):
        shift = np.clip(centre[:, 0, None] + reach[0] * steps, *SHIFTS).repeat(GRID, axis=1)
        power = np.tile(np.clip(centre[:, 1, None] + reach[1] * steps, *POWERS), (1, GRID))
        start = x.min() - span * 10**shift
        bent = np.maximum(x - start[:, :, None], 1e-12 * span) ** 10 ** power[:, :, None]
        # Far from e a power of 5 spans many orders of magnitude; the line is fitted to 0 to 1.
        size = bent.max(2, keepdims=True)
        height, floor, missed = _line(bent / size, y, counts, sign)
        pick = (rows, missed.argmin(1))
        parameters = (start[pick], 10 ** power[pick], (height / size[:, :, 0])[pick], floor[pick])
        place = np.stack([shift[pick], power[pick]], axis=1)
        better = missed[pick] < cost
        best = np.where(better[:, None], np.stack(parameters, axis=1), best)
        cost = np.where(better, missed[pick], cost)
        centre = np.where(better[:, None], place, centre)
        reach = reach * CLOSER
    return best, cost


def slopes(theta: Array, x: Array) -> Array:
    """Return derivatives (R, 4) of the values at x (R,) by the parameters (4,)."""
    shift, power, height, _ = theta
    along = np.maximum(x - shift, 1e-12)
    bent = along**power
    return np.stack(
        [-height * power * bent / along, height * bent * np.log(along), bent, np.ones_like(x)],
        axis=1,
    )


def _line(bent: Array, y: Array, counts: Array, sign: float) -> tuple[Array, Array, Array]:
    """Fit lines to y (R,) over ``bent`` (B, G, R): slope, level and summed squares (B, G).

    A slope of the other sign becomes 0.
    """
    weight = counts / counts.sum(1, keepdims=True)
    middle = np.einsum("bgr,br->bg", bent, weight)
    level = weight @ y
    apart = bent - middle[:, :, None]
    up = y - level[:, None]
    spread = np.einsum("bgr,bgr,br->bg", apart, apart, weight, optimize=True)
    together = np.einsum("bgr,br->bg", apart, up * weight)
    slope = sign * np.maximum(sign * together, 0) / np.maximum(spread, 1e-300)
    slope[spread <= 1e-24] = 0.0  # all points of a resample at one x
    missed = (weight * up**2).sum(1)[:, None] - slope * (2 * together - slope * spread)
    return (
        slope,
        level[:, None] - slope * middle,
        np.maximum(missed, 0) * counts.sum(1, keepdims=True),
    )
