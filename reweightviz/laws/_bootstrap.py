"""The bootstrap of residuals behind the intervals of fitted laws."""

from __future__ import annotations

import numpy as np

from reweightviz.core.errors import warn
from reweightviz.core.types import Array

__all__ = ["FREEDOM", "draw_counts", "draw_whole_runs", "residual_bootstrap", "warn_few_runs"]


FREEDOM = 3
"""With fewer runs beyond the numbers fitted, the residuals hardly show how large the noise is."""


def residual_bootstrap(
    losses: Array,
    predicted: Array,
    leverage: Array,
    numbers: int,
    draws: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Draw the noise (B, M) of new runs, and losses (B M, R) to which a curve is fitted again.

    A new run's noise is a whole run's residuals, enlarged for its leverage and for the numbers
    fitted. The losses are the predicted ones with other runs' residuals, as large as if each run
    had been left out, so that they hold what the curve misses, too. In each draw all of it grows
    or shrinks by how little the runs say of the noise, as Student's t does. Where as many numbers
    were fitted as there are runs, no residuals are left over: the losses' own spread stands for
    them.

    Args:
        losses: (R, M).
        predicted: (R, M), by the curve.
        leverage: of each run on its own prediction, (R, M), below 1.
        numbers: how many were fitted a target.
        draws: B.
        rng: what draws.

    Warns:
        ReweightvizWarning: hardly more runs than numbers.
    """
    runs = len(losses)
    freedom = runs - numbers
    if draws and freedom < FREEDOM:
        warn_few_runs(f"the law fits {numbers} numbers a target", runs, numbers + FREEDOM)
    if freedom < 1:
        residuals = losses - losses.mean(0)
        left_out = residuals
        wider = np.ones((draws, 1))
    else:
        missed = losses - predicted
        # With leverage h a residual has the variance (1 - h) sigma^2; divided by 1 - h it is
        # that of the run left out of the fit.
        residuals = missed / np.sqrt(1 - leverage)
        # Leverages are capped and may enlarge too little: the degrees of freedom set the least.
        least = np.sqrt((missed**2).sum(0) / freedom)
        size = np.maximum(np.sqrt((residuals**2).mean(0)), 1e-300)
        residuals = residuals * np.maximum(1, least / size)
        left_out = residuals / np.sqrt(1 - leverage)
        # A normal deviate over the root of chi^2 / freedom is Student's t.
        wider = np.sqrt(freedom / rng.chisquare(freedom, draws))[:, None]
    # Centred, so that the refits scatter about the curve and not beside it.
    rows = rng.integers(0, runs, (draws, runs))
    redrawn = predicted + (left_out - left_out.mean(0))[rows] * wider[:, None]
    noise = draw_whole_runs(residuals, draws, rng) * wider
    return noise, redrawn.transpose(0, 2, 1).reshape(-1, runs)


def draw_whole_runs(residuals: Array, draws: int, rng: np.random.Generator) -> Array:
    """Return rows (draws, M) of the residuals (R, M): each run once before any comes again."""
    # A whole run at once keeps what the targets have in common.
    runs = len(residuals)
    orders = [rng.permutation(runs) for _ in range(-(-draws // runs))]
    rows = np.concatenate([*orders, np.empty(0, np.int64)])[:draws].astype(np.int64)
    return np.asarray(residuals[rows], np.float64)


def draw_counts(runs: int, draws: int, rng: np.random.Generator) -> Array:
    """Return how often each run counts in each resample of the runs, (draws, R)."""
    return rng.multinomial(runs, np.full(runs, 1 / runs), draws).astype(np.float64)


def warn_few_runs(who: str, runs: int, enough: int) -> None:
    """Warn that intervals rest on few runs."""
    warn(
        f"{who} and has {runs} runs: with fewer than {enough} they hardly tell how large "
        "the noise is, so the intervals may be far off."
    )
