"""How the log-linear law is fitted, for every method that has that form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.types import Array
from reweightviz.laws._log_linear import LogLinearLaw
from reweightviz.laws._runs import (
    checked_directions,
    checked_runs,
    fit_diagnostics,
    held_out,
    redrawn_losses,
)
from reweightviz.numerics.levenberg_marquardt import leverage
from reweightviz.numerics.log_linear import (
    Curves,
    fit_log_linear,
    log_linear_jacobian,
    log_linear_starts,
)

LEAST_FLOOR = 1e-9
"""A floor c that ran to 0 is written as this share of the mean loss, so that its logarithm is finite."""


def fitted_log_linear(
    who: str,
    domains: Sequence[str],
    targets: Sequence[str],
    mixtures: ArrayLike,
    losses: ArrayLike,
    lower_is_better: ArrayLike | None,
    *,
    huber: float,
    starts: int,
    draws: int,
    seed: int,
) -> LogLinearLaw:
    """The law ``exp(log c) + exp(t.w)`` of every target, with refits to redrawn losses and whole runs' residuals.

    Args:
        who: name of the method, for the error sentences.
        domains: names (K,).
        targets: names (M,).
        mixtures: (R, K) weights of the runs, as read.
        losses: (R, M), above 0.
        lower_is_better: (M,); all true when not given.
        huber: delta, where the squared error turns absolute, in the unit of the losses.
        starts: how many starting floors c are tried a target.
        draws: refits to redrawn losses, B; 0 for no intervals.
        seed: of the draws.
    """
    names, goals = tuple(domains), tuple(targets)
    w, y = checked_runs(who, names, goals, mixtures, losses, needed=len(names) + 1)
    better = checked_directions(lower_is_better, goals)
    best = _best(w, y, huber, starts)
    fitted = best.at(w).T
    pull = leverage(log_linear_jacobian(w, best.slopes)).T
    noise, redrawn = redrawn_losses(
        y, fitted, pull, 1 + len(names), draws, np.random.default_rng(seed)
    )
    start = Curves(*(np.tile(column, (draws, *[1] * (column.ndim - 1))) for column in best))
    again = fit_log_linear(w, redrawn, start, delta=huber, tolerance=1e-5, steps=60)
    refits = _coefficients(again, np.tile(y, (1, draws))).reshape(draws, len(goals), 1 + len(names))
    said = fit_diagnostics(y, fitted, best.floor <= 1e-3 * y.mean(0)) | (
        _unseen(w, y, best, huber, seed) if draws else {}
    )
    return LogLinearLaw(
        names,
        goals,
        better,
        _coefficients(best, y),
        refits.astype(np.float32),
        noise.astype(np.float32),
        said,
    )


def _best(w: Array, y: Array, huber: float, starts: int) -> Curves:
    start = log_linear_starts(w, y, starts)
    tried = fit_log_linear(w, np.repeat(y.T, starts, 0), start, delta=huber)
    lowest = tried.cost.reshape(-1, starts).argmin(1) + starts * np.arange(y.shape[1])
    return Curves(*(column[lowest] for column in tried))


def _unseen(w: Array, y: Array, best: Curves, huber: float, seed: int) -> dict[str, list[Any]]:
    def refitted(counts: Array) -> Array:
        times = len(counts) // y.shape[1]
        start = Curves(*(np.tile(column, (times, *[1] * (column.ndim - 1))) for column in best))
        again = fit_log_linear(
            w, np.tile(y.T, (times, 1)), start, counts=counts, delta=huber, tolerance=1e-5, steps=60
        )
        return again.at(w)

    return held_out(w, y, 1 + w.shape[1], refitted, seed)


def _coefficients(curves: Curves, y: Array) -> Array:
    floor = np.log(np.maximum(curves.floor, LEAST_FLOOR * y.mean(0)))
    return np.column_stack([floor, curves.slopes])
