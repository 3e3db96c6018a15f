"""The fit of any curve to runs, with refits for its intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.types import Array
from reweightviz.laws._bootstrap import residual_bootstrap
from reweightviz.laws._curve_law import ConvexCurveLaw, CurveLaw
from reweightviz.laws._curves import CURVES, Curve, Start
from reweightviz.laws._diagnostics import cross_validate, measure_fit
from reweightviz.laws._inputs import Inputs
from reweightviz.laws._runs import ProxyRuns
from reweightviz.numerics.levenberg_marquardt import Equations, Fits, Setting, fit_batch, leverage

__all__ = ["FINALISTS", "fit_curve_law"]


FINALISTS = 3
"""Of all starts, how many a target go on from the rough fit to the fine one."""


def fit_curve_law(
    kind: str,
    runs: ProxyRuns,
    inputs: Inputs,
    start: Start,
    *,
    huber: float,
    draws: int,
    seed: int,
    held: Mapping[str, Array] | None = None,
) -> CurveLaw:
    """Fit a curve to every target, then again to redrawn losses.

    First roughly, by least squares, from every start; then to the end, under the Huber loss, from
    the best few. The refits are to redrawn losses, so that none of a curve's numbers is left
    without runs, as it is when runs are redrawn. A target whose first number, the floor, ran to 0
    is degenerate.

    Args:
        kind: of the curve, in CURVES.
        runs: the runs.
        inputs: their weights (R, K), and what the curve takes beside them.
        start: starts and bounds.
        huber: delta, where the squared error turns absolute, in the unit of the losses.
        draws: refits, B; 0 for no intervals, and no error on runs left out.
        seed: of the draws.
        held: inputs that the law takes for granted.
    """
    problem = _Problem(CURVES[kind], inputs, start, huber)
    losses = runs.losses
    theta = problem.fit_best(losses)
    predicted = problem.curve.value(theta, inputs).T
    # A number at its bound does not move with the runs, and uses up none of them.
    free = (theta > start.low) & (theta < start.high)
    slopes = problem.curve.jacobian(theta, inputs) * free[:, None, :]
    # The leverages of all runs sum to how many numbers the runs determine.
    numbers = round(float(leverage(slopes, most=1.0).sum(1).max()))
    noise, redrawn = residual_bootstrap(
        losses, predicted, leverage(slopes).T, numbers, draws, np.random.default_rng(seed)
    )
    refits = problem.refit(redrawn, theta).reshape(draws, *theta.shape)

    def predict_left_out(counts: Array) -> Array:
        times = len(counts) // len(theta)
        left = problem.refit(np.tile(losses.T, (times, 1)), theta, counts)
        # Part by part: a fixed array of the curve has one row a target, and not one a problem.
        parts = np.split(left, times)
        return np.concatenate([problem.curve.value(part, inputs) for part in parts])

    diagnostics = measure_fit(losses, predicted, theta[:, 0] <= 1e-3 * losses.mean(0))
    if draws:
        diagnostics |= cross_validate(inputs.weights, losses, numbers, predict_left_out, seed)
    law = CurveLaw if problem.curve.minimise is None else ConvexCurveLaw
    return law(
        kind,
        runs.domains,
        runs.targets,
        runs.lower_is_better,
        theta,
        refits.astype(np.float32),
        noise.astype(np.float32),
        inputs.fixed,
        diagnostics,
        held=held or {},
    )


class _Problem(NamedTuple):
    """A curve at the runs, and how it is fitted."""

    curve: Curve
    inputs: Inputs
    start: Start
    huber: float

    def fit_best(self, losses: Array) -> Array:
        """Return the parameters (M, P) of the lowest cost over all starts."""
        starts, targets, size = self.start.theta.shape
        # Losses that are all but equal must not be fitted to within rounding.
        spread = np.tile(np.maximum(losses.std(0), self.huber), starts)
        # Under so wide a delta the Huber loss is that of least squares.
        rough = self._fit(
            np.tile(losses.T, (starts, 1)),
            self.start.theta.reshape(-1, size),
            self._setting(10 * spread, 1e-4, 60),
        )
        finalists = min(FINALISTS, starts)
        # Stable, so that starts that end alike keep their order on every machine.
        order = np.argsort(rough.cost.reshape(starts, targets), axis=0, kind="stable")
        best = order[:finalists, :, None]
        picked = np.take_along_axis(rough.theta.reshape(starts, targets, size), best, axis=0)
        fine = self._fit(
            np.tile(losses.T, (finalists, 1)),
            picked.reshape(-1, size),
            self._setting(self.huber, 1e-8),
        )
        lowest = fine.cost.reshape(finalists, targets).argmin(0) * targets + np.arange(targets)
        return np.asarray(fine.theta[lowest], np.float64)

    def refit(self, losses: Array, theta: Array, counts: Array | None = None) -> Array:
        """Return parameters (Q, P) for losses (Q, R), from the best ones (M, P).

        Q is a multiple of M: the targets come again and again.
        """
        start = np.tile(theta, (len(losses) // len(theta), 1))
        return self._fit(losses, start, self._setting(self.huber, 1e-4, 30), counts).theta

    def _setting(self, delta: Any, tolerance: float, steps: int = 300) -> Setting:
        return Setting(delta, self.start.low, self.start.high, tolerance, steps)

    def _fit(
        self, losses: Array, start: Array, setting: Setting, counts: Array | None = None
    ) -> Fits:
        return fit_batch(
            lambda theta, which: self.curve.value(theta, self._inputs_of(which)),
            lambda theta, which: self.curve.jacobian(theta, self._inputs_of(which)),
            losses,
            start,
            setting,
            counts=counts,
            equations=self._equations(),
        )

    def _equations(self) -> Equations | None:
        equations = self.curve.equations
        if equations is None:
            return None
        return lambda theta, which, *runs: equations(theta, self._inputs_of(which), *runs)

    def _inputs_of(self, which: NDArray[np.int64]) -> Inputs:
        """Return the inputs with a row of each per-target array for each of the problems."""
        if not self.curve.per_target:
            return self.inputs
        fixed = dict(self.inputs.fixed)
        for name in self.curve.per_target:
            # Problems come target after target, again and again.
            fixed[name] = fixed[name][which % len(fixed[name])]
        return self.inputs._replace(fixed=fixed)
