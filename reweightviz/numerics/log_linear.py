"""The log-linear curve ``y = c + exp(t.w)`` of one target, and how many of them are fitted at once.

All problems (starts, targets, bootstrap draws) share the runs' mixtures and differ in their losses
and in how often each run counts, so that one matrix product makes the normal equations of all of
them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reweightviz.core.types import Array, Rows
from reweightviz.numerics.levenberg_marquardt import Equations, Setting, fit_batch

__all__ = ["SLOPES", "Curves", "fit_log_linear", "log_linear_jacobian", "log_linear_starts"]


SLOPES = -1000.0, 50.0
"""Slopes stay within these, so that no mixture's prediction overflows, in float32 neither.

Rare domains reach -400.
"""


class Curves(NamedTuple):
    """P fitted curves: floor c (P,), slopes t (P, K), summed Huber loss (P,)."""

    floor: Array
    slopes: Array
    cost: Array

    def at(self, mixtures: Array) -> Array:
        """Return the values (P, R) at mixtures (R, K)."""
        return self.floor[:, None] + _bend(mixtures, self.slopes)


def log_linear_starts(mixtures: Array, losses: Array, starts: int) -> Curves:
    """Make starting curves for M targets: floors over [0, min y), each with log(y - c) fitted.

    Args:
        mixtures: (R, K).
        losses: (R, M), above 0.
        starts: how many floors a target.

    Returns:
        Curves of M * starts problems, the starts of a target side by side; without their cost.
    """
    fractions = np.array([0.5])
    if starts > 1:
        # Denser towards the least loss, where log(y - c) changes most with c.
        fractions = 1 - np.geomspace(1.0, 0.01, starts)
    floors = np.outer(losses.min(0), fractions)
    above = np.log(np.maximum(losses.T[:, None, :] - floors[:, :, None], 1e-9))
    slopes = above.reshape(-1, len(mixtures)) @ np.linalg.pinv(mixtures).T
    slopes = np.clip(slopes, *SLOPES)
    return Curves(floors.ravel(), slopes, np.full(floors.size, np.nan))


def fit_log_linear(
    mixtures: Array,
    losses: Array,
    start: Curves,
    *,
    counts: Array | None = None,
    delta: float = 0.02,
    tolerance: float = 1e-10,
    steps: int = 300,
) -> Curves:
    """Minimise sum_r counts * huber(c + exp(t.w_r) - y_r) over c >= 0 and t, for P problems.

    Args:
        mixtures: (R, K), the same for all problems.
        losses: (P, R).
        start: P curves to start from.
        counts: (P, R) how often each run counts; once when not given.
        delta: where the Huber loss turns linear, in the unit of the losses.
        tolerance: a problem is done when a step lowers its cost by a smaller share than this.
        steps: at most.

    Returns:
        P curves, each at least as good as its start.
    """

    def curve(theta: Array, _: Rows) -> Array:
        return theta[:, :1] + _bend(mixtures, theta[:, 1:])

    def jacobian(theta: Array, _: Rows) -> Array:
        return log_linear_jacobian(mixtures, theta[:, 1:])

    domains = mixtures.shape[1]
    low = np.array([0.0, *[SLOPES[0]] * domains])
    high = np.array([np.inf, *[SLOPES[1]] * domains])
    theta = np.column_stack([start.floor, start.slopes])
    fits = fit_batch(
        curve,
        jacobian,
        losses,
        theta,
        Setting(delta, low, high, tolerance, steps),
        counts=counts,
        equations=_equations(mixtures, losses),
    )
    return Curves(fits.theta[:, 0], fits.theta[:, 1:], fits.cost)


def log_linear_jacobian(mixtures: Array, slopes: Array) -> Array:
    """Return the derivatives (P, R, 1 + K) by floor and slopes (P, K) at mixtures (R, K).

    >>> log_linear_jacobian(np.array([[0.0, 1.0]]), np.zeros((1, 2))).tolist()
    [[[1.0, 0.0, 1.0]]]
    """
    bend = _bend(mixtures, slopes)[:, :, None]
    return np.concatenate([np.ones_like(bend), bend * mixtures], axis=2)


def _bend(mixtures: Array, slopes: Array) -> Array:
    return np.asarray(np.exp(slopes @ mixtures.T), np.float64)


def _equations(mixtures: Array, losses: Array) -> Equations:
    """Make the normal equations of many problems with one matrix product over pairs of weights."""
    domains = mixtures.shape[1]
    row, column = np.triu_indices(domains)
    pairs = mixtures[:, row] * mixtures[:, column]

    def equations(theta: Array, which: Rows, weight: Array, residual: Array) -> tuple[Array, Array]:
        # The residual holds the exponential already; a second one would cost a tenth of the fit.
        bend = residual + losses[which] - theta[:, :1]
        sloped = weight * bend
        gradient = np.empty(theta.shape)
        gradient[:, 0] = (weight * residual).sum(1)
        gradient[:, 1:] = (sloped * residual) @ mixtures
        normal = np.empty((len(theta), 1 + domains, 1 + domains))
        normal[:, 0, 0] = weight.sum(1)
        normal[:, 0, 1:] = normal[:, 1:, 0] = sloped @ mixtures
        square = (sloped * bend) @ pairs
        normal[:, 1 + row, 1 + column] = normal[:, 1 + column, 1 + row] = square
        return gradient, normal

    return equations
