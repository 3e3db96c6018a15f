"""What every law asks of the runs it is fitted to, said in the same sentences, and what a fit says of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnmetNeed, listed, warn
from reweightviz.core.repeats import group_equal_mixtures
from reweightviz.core.types import Array


def checked_runs(
    who: str,
    domains: Sequence[str],
    targets: Sequence[str],
    mixtures: ArrayLike,
    losses: ArrayLike,
    *,
    needed: int,
    positive: bool = True,
    spanning: bool = True,
    parametric: bool = True,
) -> tuple[Array, Array]:
    """Mixtures (R, K) and losses (R, M) as float64, or one sentence that says what is wrong with them.

    Args:
        who: name of the law, for the sentences.
        domains: names (K,).
        targets: names (M,).
        mixtures: (R, K) weights of the runs.
        losses: (R, M).
        needed: the least number of runs, R.
        positive: whether losses must be above 0.
        spanning: whether the mixtures must vary in all K directions; if not, two different ones
            will do.
        parametric: whether ``needed`` is how many numbers are fitted a target.

    Raises:
        ReweightvizError: wrong shapes, too few runs, mixtures or losses that are missing, losses
            that are not above 0, or mixtures that do not vary enough.
    """
    names, goals = tuple(domains), tuple(targets)
    w, y = np.asarray(mixtures, np.float64), np.asarray(losses, np.float64)
    if w.ndim != 2 or y.ndim != 2 or w.shape[1] != len(names) or y.shape != (len(w), len(goals)):
        raise UnmetNeed(
            name=who,
            value=(w.shape, y.shape),
            expected=f"mixtures (R, {len(names)}) and losses (R, {len(goals)})",
            got=f"{w.shape} and {y.shape}",
        )
    if len(w) < needed:
        fits = f"fits {needed} numbers a target for {len(names)} domains and " if parametric else ""
        raise ReweightvizError(f"{who} {fits}needs at least {needed} runs; got {len(w)}.")
    if not np.isfinite(w).all():
        raise ReweightvizError(
            "the mixtures must be finite; drop the runs whose weights are missing."
        )
    wrong = ~(np.isfinite(y) & (y > 0)) if positive else ~np.isfinite(y)
    if wrong.any():
        run, goal = np.argwhere(wrong)[0]
        raise ReweightvizError(
            f"losses must be {'numbers above 0' if positive else 'finite numbers'}; "
            f"{goals[goal]!r} is "
            f"{y[run, goal]} in run {run} ({wrong.any(1).sum()} such runs): drop them."
        )
    _check_variety(w, names, spanning)
    return w, y


def _check_variety(w: Array, names: tuple[str, ...], spanning: bool) -> None:
    if len(names) > 1 and (w == w[0]).all():
        raise ReweightvizError(
            f"the mixtures of the runs differ in only 1 of {len(names)} directions, so "
            "the effect of "
            "each domain cannot be told; all runs have the same mixture: vary it."
        )
    rank = np.linalg.matrix_rank(w) if spanning else len(names)
    if rank < len(names):
        unseen = np.array(names, object)[(w == 0).all(0)]
        why = f"; no run has any of {listed(unseen)}" if len(unseen) else ""
        raise ReweightvizError(
            f"the mixtures of the runs differ in only {rank} of {len(names)} directions, so the "
            f"effect of each domain cannot be told{why}: vary the mixtures more."
        )


def checked_given(
    who: str, name: str, values: ArrayLike, count: int, width: int | None = None
) -> Array:
    """A number above 0 for each of ``count`` runs or mixtures, (count,); a scalar stands for all.

    With ``width``, one for each domain too, (count, width); a row stands for all runs.

    >>> checked_given("the law", "run_tokens", 1e9, 2).tolist()
    [1000000000.0, 1000000000.0]
    >>> checked_given("the law", "available", [1e9, 2e9], 2, 2).tolist()
    [[1000000000.0, 2000000000.0], [1000000000.0, 2000000000.0]]
    """
    given = np.asarray(values, np.float64)
    if width is None:
        fits, wanted = given.ndim <= 1 and given.size in (1, count), f"one number or ({count},)"
    else:
        fits, wanted = (
            given.shape in ((width,), (1, width), (count, width)),
            f"({width},) or ({count}, {width})",
        )
    if not fits:
        raise UnmetNeed(
            name=who, value=given.shape, expected=f"{name} as {wanted}", got=f"shape {given.shape}"
        )
    if not np.isfinite(given).all() or (given <= 0).any():
        raise InvalidValue(
            name=name,
            value=given[~(np.isfinite(given) & (given > 0))].ravel()[:3],
            expected="finite numbers above 0",
        )
    return (
        np.broadcast_to(given.reshape(-1), (count,)).copy()
        if width is None
        else np.broadcast_to(given, (count, width)).copy()
    )


def checked_directions(
    lower_is_better: ArrayLike | None, targets: Sequence[str]
) -> NDArray[np.bool_]:
    """Whether lower is better for each target, (M,); all true when not given."""
    better = (
        np.ones(len(targets), bool)
        if lower_is_better is None
        else np.asarray(lower_is_better, bool)
    )
    if better.shape != (len(targets),):
        raise InvalidValue(
            name="lower_is_better",
            value=better.shape,
            expected=f"({len(targets)},), one a target",
            got=f"shape {better.shape}",
        )
    return better


def checked_importance(
    importance: ArrayLike | None, targets: Sequence[str], lower_is_better: NDArray[np.bool_]
) -> Array:
    """How much each target counts, (M,), rescaled to sum 1; refuses targets where higher is better."""
    given = np.ones(len(targets)) if importance is None else np.asarray(importance, np.float64)
    if (
        given.shape != (len(targets),)
        or not np.isfinite(given).all()
        or (given < 0).any()
        or not given.any()
    ):
        raise InvalidValue(
            name="importance",
            value=given,
            expected=f"{len(targets)} numbers >= 0, at least one above 0, one for each of "
            f"{listed(targets)}",
        )
    upwards = (given > 0) & ~lower_is_better
    if upwards.any():
        raise ReweightvizError(
            "the convex optimiser needs targets where lower is better; higher is better for "
            f"{listed(np.array(targets, object)[upwards])}: give them importance 0."
        )
    return np.asarray(given / given.sum(), np.float64)


def fit_diagnostics(losses: Array, fitted: Array, degenerate: ArrayLike) -> dict[str, list[Any]]:
    """How well the runs (R, M) are met: no R squared where all losses are equal; ``degenerate`` (M,) comes from the law."""
    spread = ((losses - losses.mean(0)) ** 2).sum(0)
    missed = ((losses - fitted) ** 2).sum(0)
    constant = spread <= 1e-12 * (losses**2).sum(0)
    r2 = [
        None if flat else 1 - m / s
        for flat, m, s in zip(constant, missed.tolist(), spread.tolist(), strict=True)
    ]
    return {
        "r2": r2,
        "mae": np.abs(losses - fitted).mean(0).tolist(),
        "runs": [len(losses)] * losses.shape[1],
        "degenerate": np.asarray(degenerate, bool).tolist(),
        "constant": constant.tolist(),
    }


FOLDS = 5
"""Parts of the runs that are left out in turn for the error on runs that a fit has not seen."""
FREEDOM = 3
"""With fewer runs beyond the numbers that are fitted, the residuals hardly tell how large the noise is."""


def say_few_runs(who: str, runs: int, enough: int) -> None:
    """Warn that intervals rest on few runs."""
    warn(
        f"{who} and has {runs} runs: with fewer than {enough} they hardly tell how large "
        "the noise is, so the intervals may be far off."
    )


def redrawn_losses(
    losses: Array, fitted: Array, pull: Array, numbers: int, draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """What the intervals of a fitted curve are made of: the noise (B, M) of new runs, and losses (B M, R) to fit it to again.

    A new run's noise is a whole run's residuals, enlarged for its pull on the fit and for the
    numbers fitted. The losses are the fitted ones with other runs' residuals, as large as if each
    run had been left out, so that they hold what the curve misses, too. In each draw all of it
    grows or shrinks by how little the runs say of the noise, as Student's t does. Where as many
    numbers were fitted as there are runs, no residuals are left over: the losses' own spread
    stands for them.

    Args:
        losses: (R, M).
        fitted: (R, M).
        pull: of each run on its own fitted losses, (R, M), below 1.
        numbers: how many were fitted a target.
        draws: B.
        rng: what draws.

    Warns:
        ReweightvizWarning: hardly more runs than numbers.
    """
    runs, freedom = len(losses), len(losses) - numbers
    if draws and freedom < FREEDOM:
        say_few_runs(f"the law fits {numbers} numbers a target", runs, numbers + FREEDOM)
    if freedom < 1:
        residuals = left_out = losses - losses.mean(0)
        wider = np.ones((draws, 1))
    else:
        missed = losses - fitted
        residuals = missed / np.sqrt(1 - pull)
        least = np.sqrt((missed**2).sum(0) / freedom)
        residuals = residuals * np.maximum(
            1, least / np.maximum(np.sqrt((residuals**2).mean(0)), 1e-300)
        )
        left_out = residuals / np.sqrt(1 - pull)
        wider = np.sqrt(freedom / rng.chisquare(freedom, draws))[:, None]
    redrawn = (
        fitted
        + (left_out - left_out.mean(0))[rng.integers(0, runs, (draws, runs))] * wider[:, None]
    )
    return whole_runs(residuals, draws, rng) * wider, redrawn.transpose(0, 2, 1).reshape(-1, runs)


def held_out_diagnostics(losses: Array, predicted: Array) -> dict[str, list[Any]]:
    """The error on runs (R, M) whose losses were predicted by fits that had not seen them."""
    unseen = fit_diagnostics(losses, predicted, np.zeros(losses.shape[1], bool))
    return {"held_out_r2": unseen["r2"], "held_out_mae": unseen["mae"]}


def fold_of_runs(mixtures: Array, folds: int, seed: int) -> NDArray[np.int64]:
    """Which of at most ``folds`` parts each run (R,) belongs to; repeats of one mixture stay together."""
    group = group_equal_mixtures(mixtures)
    order = np.random.default_rng(seed).permutation(group.max() + 1)
    return np.asarray(order[group] % min(folds, len(order)), np.int64)


def held_out(
    mixtures: Array, losses: Array, numbers: int, refitted: Callable[[Array], Array], seed: int
) -> dict[str, list[Any]]:
    """The error of a curve on runs left out, by five parts; empty where too few runs would be left for the ``numbers`` it fits.

    Args:
        mixtures: (R, K).
        losses: (R, M).
        numbers: how many are fitted a target.
        refitted: from how often each run counts (5 M, R), part after part, to predictions (5 M, R).
        seed: of the parts.
    """
    fold = fold_of_runs(mixtures, FOLDS, seed)
    parts = fold.max() + 1
    seen = fold != np.arange(parts)[:, None]
    if seen.sum(1).min() <= numbers:
        return {}
    predicted = refitted(np.repeat(seen.astype(np.float64), losses.shape[1], 0)).reshape(
        parts, losses.shape[1], -1
    )
    return held_out_diagnostics(losses, predicted[fold, :, np.arange(len(fold))])


def whole_runs(residuals: Array, draws: int, rng: np.random.Generator) -> Array:
    """Rows (draws, M) of the residuals (R, M): each run once before any comes again."""
    runs = len(residuals)
    orders = [rng.permutation(runs) for _ in range(-(-draws // runs))]
    rows = np.concatenate([*orders, np.empty(0, np.int64)])[:draws].astype(np.int64)
    return np.asarray(residuals[rows], np.float64)
