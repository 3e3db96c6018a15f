"""The fit of the log-linear law, for every method that has that form."""

from __future__ import annotations

import numpy as np

from reweightviz.core.types import Array
from reweightviz.laws._bootstrap import residual_bootstrap
from reweightviz.laws._diagnostics import cross_validate, measure_fit
from reweightviz.laws._log_linear_law import LogLinearLaw
from reweightviz.laws._runs import ProxyRuns
from reweightviz.numerics.levenberg_marquardt import leverage
from reweightviz.numerics.log_linear import (
    Curves,
    fit_log_linear,
    log_linear_jacobian,
    log_linear_starts,
)

__all__ = ["LEAST_FLOOR", "fit_log_linear_law"]


LEAST_FLOOR = 1e-9
"""A floor c that ran to 0 becomes this share of the mean loss, so that its logarithm is finite."""


def fit_log_linear_law(
    runs: ProxyRuns, *, huber: float, starts: int, draws: int, seed: int
) -> LogLinearLaw:
    """Fit ``exp(log c) + exp(t.w)`` to every target, then again to redrawn losses.

    Args:
        runs: the runs, with losses above 0.
        huber: delta, where the squared error turns absolute, in the unit of the losses.
        starts: how many starting floors c are tried a target.
        draws: refits to redrawn losses, B; 0 for no intervals.
        seed: of the draws.
    """
    w = runs.mixtures
    y = runs.losses
    best = _fit_best(w, y, huber, starts)
    predicted = best.at(w).T
    shape = (draws, len(runs.targets), 1 + len(runs.domains))
    noise, redrawn = residual_bootstrap(
        y,
        predicted,
        leverage(log_linear_jacobian(w, best.slopes)).T,
        shape[2],
        draws,
        np.random.default_rng(seed),
    )
    refits = _refit(w, redrawn, best, huber)

    def predict_left_out(counts: Array) -> Array:
        losses = np.tile(y.T, (len(counts) // y.shape[1], 1))
        return _refit(w, losses, best, huber, counts).at(w)

    diagnostics = measure_fit(y, predicted, best.floor <= 1e-3 * y.mean(0))
    if draws:
        diagnostics |= cross_validate(w, y, shape[2], predict_left_out, seed)
    return LogLinearLaw(
        runs.domains,
        runs.targets,
        runs.lower_is_better,
        _coefficients(best, y),
        _coefficients(refits, np.tile(y, (1, draws))).reshape(shape).astype(np.float32),
        noise.astype(np.float32),
        diagnostics,
    )


def _fit_best(w: Array, y: Array, huber: float, starts: int) -> Curves:
    start = log_linear_starts(w, y, starts)
    fits = fit_log_linear(w, np.repeat(y.T, starts, 0), start, delta=huber)
    # The starts of a target stand side by side.
    lowest = fits.cost.reshape(-1, starts).argmin(1) + starts * np.arange(y.shape[1])
    return Curves(*(column[lowest] for column in fits))


def _refit(
    w: Array, losses: Array, best: Curves, huber: float, counts: Array | None = None
) -> Curves:
    """Fit losses (Q, R) from the best curves of the M targets; Q is a multiple of M."""
    times = len(losses) // len(best.floor)
    start = Curves(*(np.tile(column, (times, *[1] * (column.ndim - 1))) for column in best))
    # The best curves are near, and a refit need only be right within the width of an interval.
    return fit_log_linear(w, losses, start, counts=counts, delta=huber, tolerance=1e-5, steps=60)


def _coefficients(curves: Curves, y: Array) -> Array:
    floor = np.log(np.maximum(curves.floor, LEAST_FLOOR * y.mean(0)))
    return np.column_stack([floor, curves.slopes])
