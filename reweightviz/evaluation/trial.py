"""A law on trial: fitted without each part of the runs in turn, and scored on that part."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.protocols import Law, LawSpec
from reweightviz.core.swarm import MEAN_OF_TARGETS, Swarm
from reweightviz.core.types import Array
from reweightviz.evaluation.held_out import Signals, fit_law, predict_held_out
from reweightviz.evaluation.law_inputs import law_inputs_of_runs
from reweightviz.numerics.accuracy import explained_variance, rank_correlation
from reweightviz.numerics.quantiles import between

__all__ = ["LEVEL", "MEAN_OF_TARGETS", "Trial", "score_trial", "try_law", "try_mean"]


LEVEL = 0.9


@dataclass(frozen=True)
class Trial:
    """Hold a law's predictions of runs held out, and its fit to all.

    Args:
        spec: the law's settings; None of the mean of the runs.
        predicted: (R, M) losses, each by a fit without that run.
        low: (R, M) of the 90 % interval of a new run.
        high: (R, M) of the same.
        law: fitted to all runs; None of the mean.
        seconds: that this fit took.
        r2_within: (M,) of this fit on the runs themselves.
    """

    spec: LawSpec | None
    predicted: Array
    low: Array
    high: Array
    law: Law | None
    seconds: float
    r2_within: Array


def try_law(swarm: Swarm, spec: LawSpec, part: NDArray[np.int64], signals: Signals) -> Trial:
    """Return the trial of a law; ``part`` (R,) is the fold in which each run is held out."""
    start = time.perf_counter()
    law = fit_law(swarm, spec, signals)
    seconds = time.perf_counter() - start
    # Three views of one array, so that a fold fills them at once.
    predicted, low, high = predictions = np.full((3, *swarm.losses.shape), np.nan)
    for fold in range(part.max() + 1):
        held = np.flatnonzero(part == fold)
        known = np.flatnonzero(part != fold)
        predictions[:, held] = predict_held_out(
            swarm, spec, signals, known=known, held=held, level=LEVEL
        )
    inputs = law_inputs_of_runs(law, swarm, signals)
    within = np.asarray(law.predict(swarm.mixtures, **inputs), np.float64)
    r2_within = explained_variance(within, swarm.losses)
    return Trial(spec, predicted, low, high, law, seconds, r2_within)


def try_mean(swarm: Swarm, part: NDArray[np.int64]) -> Trial:
    """Return the trial of the mean of the runs, which every law should beat."""
    predicted, low, high = np.empty((3, *swarm.losses.shape))
    for fold in range(part.max() + 1):
        known = swarm.losses[part != fold]
        held = part == fold
        predicted[held] = known.mean(0)
        low[held], high[held] = between(known, LEVEL)
    return Trial(None, predicted, low, high, None, 0.0, np.zeros(len(swarm.targets)))


def score_trial(swarm: Swarm, trial: Trial, baseline: Trial) -> pd.DataFrame:
    """Return the rows of one law, a target each; the mean over targets is first."""
    missed = np.abs(trial.predicted - swarm.losses)
    mae = missed.mean(0)
    mae_of_mean = np.abs(baseline.predicted - swarm.losses).mean(0)
    inside = (trial.low <= swarm.losses) & (swarm.losses <= trial.high)
    has_interval = np.isfinite(trial.low).all(0)
    spearman = np.full(mae.shape, np.nan)
    if trial.law is not None:
        spearman = rank_correlation(trial.predicted, swarm.losses)
    with np.errstate(divide="ignore", invalid="ignore"):
        # The mean absolute value of a normal error with this standard deviation.
        noise = swarm.noise_floor() * np.sqrt(2 / np.pi)
        columns = {
            "mae": mae,
            "mre": (missed / np.abs(swarm.losses)).mean(0),
            "r2": explained_variance(trial.predicted, swarm.losses),
            "spearman": spearman,
            "relative": np.where(mae_of_mean > 0, mae / mae_of_mean, np.nan),
            "over_noise": mae / noise,
            "coverage": np.where(has_interval, inside.mean(0), np.nan),
            "width": np.where(has_interval, (trial.high - trial.low).mean(0), np.nan),
            "r2_within": trial.r2_within,
        }
    table = pd.DataFrame(columns, index=pd.Index(swarm.targets, name="target"))
    mean = table.mean().to_frame(MEAN_OF_TARGETS).T
    diagnostics = getattr(trial.law, "diagnostics", {}) or {}
    for flag in ("degenerate", "constant"):
        values = [bool(value) for value in diagnostics.get(flag, [False] * len(table))]
        table[flag] = values
        mean[flag] = any(values)
    rows = pd.concat([mean, table])
    rows.insert(len(rows.columns) - 2, "seconds", trial.seconds)
    return rows
