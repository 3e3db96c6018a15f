"""Loss over training as a power law, ``exp(floor) + exp(scale) * n ** -exponent``, by domain.

The form, the grid of starts, the bounds and the smoothing are those of Yiding Jiang et al.,
"Adaptive Data Optimization: Dynamic Sample Selection with Scaling Laws", ICLR 2025,
https://arxiv.org/abs/2410.11820, in their public code; the fit is by Levenberg-Marquardt from the
best of the starts, where theirs is by L-BFGS from all of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.types import Array
from reweightviz.numerics.levenberg_marquardt import Setting, fit_batch, huber

__all__ = [
    "DELTA",
    "FEWEST",
    "POINTS",
    "STARTS",
    "TRIED",
    "evaluate",
    "fit_loss_curves",
    "slope",
    "smooth",
]


STARTS = (
    np.stack(np.meshgrid(np.arange(-2, 6), np.arange(-2, 2, 0.5), np.arange(0, 0.8, 0.1)), axis=-1)
    .reshape(-1, 3)
    .astype(np.float64)
)
"""Where a fit starts: scale, floor and exponent (512, 3)."""
TRIED = 6
"""Starts that a fit is made from, the best of all."""
POINTS = 256
"""Points that are fitted at most, evenly spread over the run."""
FEWEST = 8
"""Points from which a curve of three parameters is fitted."""
DELTA = 1e-3
"""Where the Huber loss of log losses turns linear."""


def evaluate(theta: Array, n: ArrayLike) -> Array:
    """Return losses at ``n``, parameters [scale, floor, exponent] in the last axis of ``theta``.

    >>> evaluate(np.array([np.log(3), np.log(2), 0.5]), [1.0, 4.0]).round(6).tolist()
    [5.0, 3.5]
    """
    scale, floor, exponent = (theta[..., i] for i in range(3))
    return np.asarray(np.exp(floor) + np.exp(scale - exponent * np.log(n)), np.float64)


def slope(theta: Array, n: ArrayLike) -> Array:
    """Return how fast the loss falls at ``n``: exponent * (loss - floor) / n.

    >>> slope(np.array([np.log(3), np.log(2), 0.5]), 4.0).round(6).tolist()
    0.1875
    """
    scale = theta[..., 0]
    exponent = theta[..., 2]
    return np.asarray(exponent * np.exp(scale - exponent * np.log(n)) / np.asarray(n), np.float64)


def smooth(losses: Array, window: int) -> Array:
    """Smooth (T, K) by Savitzky-Golay over ``window`` points, with cubics.

    NaN before a domain's first loss stays. With fewer points than the window, over as many as there
    are; below 5, nothing is smoothed.

    >>> smooth(np.arange(9.0)[:, None] ** 3, 101).ravel().round(6).tolist()
    [0.0, 1.0, 8.0, 27.0, 64.0, 125.0, 216.0, 343.0, 512.0]
    """
    from scipy.signal import savgol_filter  # it takes longer to import than the rest

    size = min(window, len(losses))
    size -= 1 - size % 2  # the filter's window has a middle
    if size < 5:
        return losses
    known = ~np.isnan(losses)
    first = losses[known.argmax(0), np.arange(losses.shape[1])]
    filled = np.where(known, losses, np.nan_to_num(first))
    return np.asarray(np.where(known, savgol_filter(filled, size, 3, axis=0), np.nan), np.float64)


def fit_loss_curves(n: Array, losses: Array, *, least_floor: float = 0.5) -> Array:
    """Fit parameters [scale, floor, exponent] (K, 3), robustly on log losses.

    Args:
        n: (T,) training steps or samples, above 0.
        losses: (T, K) above 0; NaN and what is not above 0 do not count.
        least_floor: log of the least irreducible loss; of a domain with a loss below it, the floor
            is free.

    Returns:
        (K, 3), NaN for a domain with too few points.

    Example:
        >>> n = np.arange(1.0, 200.0)
        >>> fit_loss_curves(n, (2 + 3 * n ** -0.5)[:, None])[0].round(4).tolist()
        [1.0986, 0.6931, 0.5]
    """
    if len(n) > POINTS:
        kept = np.linspace(0, len(n) - 1, POINTS).astype(np.int64)
        n = n[kept]
        losses = losses[kept]
    counts = (np.nan_to_num(losses, nan=-1.0) > 0).T.astype(np.float64)
    theta = np.full((losses.shape[1], 3), np.nan)
    fitted = counts.sum(1) >= FEWEST
    if not fitted.any():
        return theta
    observed = np.log(np.where(counts > 0, losses.T, 1.0))[fitted]
    counts = counts[fitted]
    least = np.where(counts > 0, observed, np.inf)
    most = np.where(counts > 0, observed, -np.inf)
    lowest = np.where(least.min(1) > least_floor, least_floor, -4.0)
    low = np.tile([-20.0, 0.0, 0.001], (len(counts), 1))
    high = np.tile([6.5, 0.0, 0.8], (len(counts), 1))
    low[:, 1] = lowest
    high[:, 1] = np.maximum(most.max(1), lowest)
    setting = Setting(DELTA, low, high)
    theta[fitted] = _best(np.log(n), observed, counts, setting)
    return theta


def _best(log_n: Array, observed: Array, counts: Array, setting: Setting) -> Array:
    """Return the best of the fits from each domain's best starts, (K, 3)."""

    def parts(theta: Array) -> tuple[Array, Array]:
        # Sums of exponentials in logarithms, as a trial step may overflow them.
        power = theta[:, :1] - theta[:, 2:] * log_n
        value = np.logaddexp(theta[:, 1:2], power)
        return value, np.exp(power - value)

    def jacobian(theta: Array, _: NDArray[np.int64]) -> Array:
        share = parts(theta)[1]
        return np.stack([share, 1 - share, -share * log_n], axis=2)

    starts = []
    for row, count, low, high in zip(observed, counts, setting.low, setting.high, strict=True):
        tried = np.clip(STARTS, low, high)
        cost = (count * huber(parts(tried)[0] - row, DELTA)).sum(1)
        starts.append(tried[np.argsort(cost, kind="stable")[:TRIED]])
    chosen = np.concatenate(starts)
    setting = setting._replace(low=setting.low.repeat(TRIED, 0), high=setting.high.repeat(TRIED, 0))
    fits = fit_batch(
        lambda theta, _: parts(theta)[0],
        jacobian,
        observed.repeat(TRIED, 0),
        chosen,
        setting,
        counts=counts.repeat(TRIED, 0),
    )
    best = np.argmin(fits.cost.reshape(-1, TRIED), axis=1)
    return np.asarray(fits.theta.reshape(-1, TRIED, 3)[np.arange(len(best)), best], np.float64)
