"""Many curves of one kind fitted at once, robustly, by Levenberg-Marquardt within bounds.

A problem is one target from one start, or one target under one resample of the runs. All problems
of a batch share the form of the curve, and each step makes the normal equations of all of them
with one matrix product. The step follows Kenneth Levenberg, 1944, and Donald Marquardt, 1963
(https://doi.org/10.1137/0111030); the Huber loss enters by its weights, so that the gradient is
exact and the curvature is that of Gauss and Newton.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.types import Array, Rows

__all__ = [
    "BLOCK",
    "Curve",
    "Equations",
    "Fits",
    "Jacobian",
    "Setting",
    "fit_batch",
    "huber",
    "leverage",
]


Curve = Callable[[Array, Rows], Array]
"""From parameters (q, P) of the problems of those numbers (q,) to values at the runs (q, R)."""
Jacobian = Callable[[Array, Rows], Array]
"""The same to the derivatives (q, R, P)."""
Equations = Callable[[Array, Rows, Array, Array], tuple[Array, Array]]
"""Parameters, numbers, weights and residuals (q, R) to gradient (q, P) and J'WJ (q, P, P)."""
BLOCK = 1 << 18
"""Numbers in an array of the problems that are worked on at once: 2 MB, which a cache holds."""


class Fits(NamedTuple):
    """Q fitted problems: parameters (Q, P) and summed Huber loss (Q,)."""

    theta: Array
    cost: Array


class Setting(NamedTuple):
    """Settings of a fit: the Huber delta, bounds, when a problem is done, most steps.

    ``delta`` is () or (Q,), bounds are (P,) or (Q, P).
    """

    delta: ArrayLike
    low: Array
    high: Array
    tolerance: float = 1e-10
    steps: int = 300


def huber(residual: Array, delta: ArrayLike) -> Array:
    """Return half the square of the residuals up to ``delta``, which broadcasts, and a line beyond.

    >>> huber(np.array([0.01, 1.0]), 0.02).round(6).tolist()
    [5e-05, 0.0198]
    """
    size = np.abs(residual)
    inside = np.minimum(size, delta)
    return np.asarray(inside * (size - 0.5 * inside), np.float64)


def fit_batch(
    curve: Curve,
    jacobian: Jacobian,
    observed: Array,
    start: Array,
    setting: Setting,
    *,
    counts: Array | None = None,
    equations: Equations | None = None,
) -> Fits:
    """Minimise ``sum_r counts * huber(curve_r(theta) - observed_r)`` for Q problems at once.

    Over ``low <= theta <= high``.

    Args:
        curve: parameters (q, P) and numbers (q,) of some of the problems to values (q, R).
        jacobian: the same to derivatives (q, R, P).
        observed: (Q, R).
        start: (Q, P), brought within the bounds.
        setting: the Huber delta, the bounds and when to stop.
        counts: (Q, R) how often each run counts; once when not given.
        equations: a quicker way to the normal equations than through the jacobian, for a curve
            that has one; the jacobian is not called then.

    Returns:
        Q fits, each at least as good as its start; a start where the curve is not finite stays, at
        infinite cost.

    Example:
        >>> x = np.array([0.0, 1.0, 2.0])
        >>> def curve(theta, _):
        ...     return np.exp(theta[:, :1] * x)
        >>> def jacobian(theta, _):
        ...     return (x * np.exp(theta[:, :1] * x))[:, :, None]
        >>> bounds = np.array([-5.0]), np.array([5.0])
        >>> setting = Setting(0.1, *bounds)
        >>> fits = fit_batch(curve, jacobian, np.exp(-x)[None], np.zeros((1, 1)), setting)
        >>> fits.theta.round(6).tolist()
        [[-1.0]]
    """
    theta = np.clip(start, setting.low, setting.high)
    if not len(theta):
        return Fits(theta, np.empty(0))
    if counts is None:
        counts = np.broadcast_to(1.0, observed.shape)
    rows = _problems_in_a_block(
        observed.shape[1], theta.shape[1], through_jacobian=equations is None
    )
    delta = np.broadcast_to(np.asarray(setting.delta, np.float64), (len(theta),))
    low = np.broadcast_to(setting.low, theta.shape)
    high = np.broadcast_to(setting.high, theta.shape)
    parts = []
    for first in range(0, len(theta), rows):
        which = np.arange(first, min(first + rows, len(theta)))
        block = _Block(
            curve,
            equations or _through(jacobian),
            observed[which],
            counts[which],
            delta[which, None],
            low[which],
            high[which],
            which,
            setting,
        )
        parts.append(block.solve(theta[which]))
    return Fits(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def leverage(jacobian: Array, *, most: float = 0.9) -> Array:
    """Return the leverage (Q, R) of each run on its own fitted value, at most ``most``.

    The derivatives are (Q, R, P), and their columns may depend on each other. Residuals are divided
    by ``1 - leverage``, so without a limit a run that a parameter fits alone would seem all noise.

    >>> leverage(np.ones((1, 4, 2))).round(3).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    # Parameters differ by orders of magnitude; the rank is judged by directions alone.
    scale = np.sqrt((jacobian**2).sum(1, keepdims=True))
    scaled = np.divide(jacobian, scale, out=np.zeros_like(jacobian), where=scale > 0)
    left, sizes, _ = np.linalg.svd(scaled, full_matrices=False)
    real = sizes > 1e-7 * np.maximum(sizes[:, :1], 1e-300)
    return np.asarray(np.minimum(((left * real[:, None, :]) ** 2).sum(2), most), np.float64)


def _problems_in_a_block(runs: int, parameters: int, *, through_jacobian: bool) -> int:
    """Count the problems whose largest array is a block.

    That is derivatives (q, R, P), or values (q, R) and J'WJ (q, P, P).
    """
    largest = max(runs, parameters**2)
    if through_jacobian:
        largest = runs * parameters
    return max(1, BLOCK // max(1, largest))


def _through(jacobian: Jacobian) -> Equations:
    def equations(theta: Array, which: Rows, weight: Array, residual: Array) -> tuple[Array, Array]:
        sloped = jacobian(theta, which)
        gradient = np.matmul((weight * residual)[:, None, :], sloped)[:, 0]
        sloped *= np.sqrt(weight)[:, :, None]
        return gradient, np.matmul(sloped.transpose(0, 2, 1), sloped)

    return equations


class _Point(NamedTuple):
    theta: Array
    residual: Array
    cost: Array


class _Block(NamedTuple):
    """Problems that are worked on at once: ``which`` (q,) of all, and what is known of each."""

    curve: Curve
    equations: Equations
    observed: Array
    counts: Array
    delta: Array
    low: Array
    high: Array
    which: Rows
    setting: Setting

    def rows(self, keep: NDArray[np.bool_]) -> _Block:
        return self._replace(
            observed=self.observed[keep],
            counts=self.counts[keep],
            delta=self.delta[keep],
            low=self.low[keep],
            high=self.high[keep],
            which=self.which[keep],
        )

    def at(self, theta: Array) -> _Point:
        # A step may leave a curve's finite range; its cost is then infinite and the step refused.
        with np.errstate(over="ignore", invalid="ignore"):
            residual = self.curve(theta, self.which) - self.observed
            cost = (self.counts * huber(residual, self.delta)).sum(1)
        return _Point(theta, residual, np.where(np.isfinite(cost), cost, np.inf))

    def solve(self, theta: Array) -> Fits:
        """Step until every problem is done; one that is done leaves the batch.

        One that does not start finite is not tried.
        """
        here = self.at(theta)
        found = Fits(theta.copy(), here.cost.copy())
        block = self
        left = np.arange(len(theta))
        damping = np.full(len(theta), 1e-3)
        done = ~np.isfinite(here.cost)
        for _ in range(self.setting.steps):
            if done.any():
                block = block.rows(~done)
                here = _Point(*(value[~done] for value in here))
                left = left[~done]
                damping = damping[~done]
            if not len(left):
                break
            there = block.at(block.step(here, damping))
            better = there.cost < here.cost
            gain = np.where(better, here.cost - there.cost, 0.0)
            # A small gain under much damping comes of a short step, not of a minimum.
            settled = better & (damping < 1e-2) & (gain <= self.setting.tolerance * here.cost)
            stuck = damping > 1e9
            exact = here.cost < 1e-26
            done = settled | stuck | exact
            here = _Point(
                np.where(better[:, None], there.theta, here.theta),
                np.where(better[:, None], there.residual, here.residual),
                np.where(better, there.cost, here.cost),
            )
            damping = np.where(better, np.maximum(damping * 0.2, 1e-12), damping * 5)
            found.theta[left] = here.theta
            found.cost[left] = here.cost
        return found

    def step(self, here: _Point, damping: Array) -> Array:
        """Return the parameters after one damped Gauss-Newton step.

        A parameter at its bound that is pushed outwards stays.
        """
        size = np.abs(here.residual)
        weight = self.counts * np.where(
            size <= self.delta, 1.0, self.delta / np.maximum(size, self.delta)
        )
        gradient, normal = self.equations(here.theta, self.which, weight, here.residual)
        below = (here.theta <= self.low) & (gradient > 0)
        above = (here.theta >= self.high) & (gradient < 0)
        # Few parameters are held, so their rows and columns alone are set to 0: two products over
        # all normal equations would cost some 5 % of a log-linear fit.
        problem, parameter = np.nonzero(below | above)
        normal[problem, parameter] = 0.0
        normal[problem, :, parameter] = 0.0
        gradient[problem, parameter] = 0.0
        # Marquardt's damping, by the scale of each parameter. The last terms keep a matrix solvable
        # whose parameter is held or changes nothing.
        diagonal = np.einsum("qpp->qp", normal)  # a view: the matrices change with it
        diagonal += damping[:, None] * diagonal + 1e-12 * diagonal.max(1, keepdims=True) + 1e-300
        move = np.linalg.solve(normal, -gradient[:, :, None])[:, :, 0]
        return np.asarray(np.clip(here.theta + move, self.low, self.high), np.float64)
