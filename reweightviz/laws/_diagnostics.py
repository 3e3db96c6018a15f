"""Diagnostics of a fit: its error on the runs that it has seen, and on runs left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.repeats import group_equal_mixtures
from reweightviz.core.types import Array

__all__ = [
    "FOLDS",
    "assign_folds",
    "cross_validate",
    "explains_nothing",
    "measure_fit",
    "measure_held_out",
]


FOLDS = 5
"""Parts of the runs that are left out in turn for the error on runs that a fit has not seen."""


def measure_fit(losses: Array, predicted: Array, degenerate: ArrayLike) -> dict[str, list[Any]]:
    """Return R squared and the mean error of each target, a list of M values a name.

    R squared is None where all losses are equal.

    Args:
        losses: (R, M).
        predicted: (R, M).
        degenerate: (M,), where the law has run to a bound that leaves it without meaning.
    """
    spread = ((losses - losses.mean(0)) ** 2).sum(0)
    missed = ((losses - predicted) ** 2).sum(0)
    # Rounding leaves equal losses a little spread.
    constant = spread <= 1e-12 * (losses**2).sum(0)
    r2 = [
        None if flat else 1 - m / s
        for flat, m, s in zip(constant, missed.tolist(), spread.tolist(), strict=True)
    ]
    return {
        "r2": r2,
        "mae": np.abs(losses - predicted).mean(0).tolist(),
        "runs": [len(losses)] * losses.shape[1],
        "degenerate": np.asarray(degenerate, bool).tolist(),
        "constant": constant.tolist(),
    }


def measure_held_out(losses: Array, predicted: Array) -> dict[str, list[Any]]:
    """Return the error on runs (R, M) that were predicted by fits that had not seen them."""
    unseen = measure_fit(losses, predicted, np.zeros(losses.shape[1], bool))
    return {"held_out_r2": unseen["r2"], "held_out_mae": unseen["mae"]}


def explains_nothing(diagnostics: dict[str, list[Any]]) -> list[bool]:
    """Return for each target whether the mean of the runs predicts those left out as well."""
    return [r2 is not None and r2 <= 0 for r2 in diagnostics["held_out_r2"]]


def assign_folds(mixtures: Array, folds: int, seed: int) -> NDArray[np.int64]:
    """Return one of at most ``folds`` parts for each run (R,).

    Repeats of one mixture stay together, or a fit would have seen what is left out.
    """
    group = group_equal_mixtures(mixtures)
    order = np.random.default_rng(seed).permutation(group.max() + 1)
    return np.asarray(order[group] % min(folds, len(order)), np.int64)


def cross_validate(
    mixtures: Array, losses: Array, numbers: int, refit: Callable[[Array], Array], seed: int
) -> dict[str, list[Any]]:
    """Return the error of a curve on runs left out, by five parts.

    It is empty where too few runs would be left for the ``numbers`` that the curve fits.

    Args:
        mixtures: (R, K).
        losses: (R, M).
        numbers: how many are fitted a target.
        refit: from how often each run counts (5 M, R), part after part, to predictions (5 M, R).
        seed: of the parts.
    """
    fold = assign_folds(mixtures, FOLDS, seed)
    parts = fold.max() + 1
    seen = fold != np.arange(parts)[:, None]
    if seen.sum(1).min() <= numbers:
        return {}
    targets = losses.shape[1]
    counts = np.repeat(seen.astype(np.float64), targets, 0)
    predicted = refit(counts).reshape(parts, targets, -1)
    # Each run takes the prediction of the fit that left its part out.
    return measure_held_out(losses, predicted[fold, :, np.arange(len(fold))])
