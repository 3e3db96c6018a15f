"""What every law asks of the runs it is fitted to, said in the same sentences, and what a fit says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import ReweightvizError, listed

Array = NDArray[np.float64]


def checked_runs(who: str, domains: Sequence[str], targets: Sequence[str], mixtures: ArrayLike, losses: ArrayLike, *,
                 needed: int, positive: bool = True, spanning: bool = True, parametric: bool = True) -> tuple[Array, Array]:
    """Mixtures (R, K) and losses (R, M) as float64, or one sentence that says what is wrong with them.

    Args:
        who: name of the law, for the sentences.
        domains: names (K,).
        targets: names (M,).
        mixtures: (R, K) weights of the runs.
        losses: (R, M).
        needed: the least number of runs, R.
        positive: whether losses must be above 0.
        spanning: whether the mixtures must vary in all K directions; if not, two different ones will do.
        parametric: whether ``needed`` is how many numbers are fitted a target.

    Raises:
        ReweightvizError: wrong shapes, too few runs, mixtures or losses that are missing, losses that are not
            above 0, or mixtures that do not vary enough.
    """
    names, goals = tuple(domains), tuple(targets)
    w, y = np.asarray(mixtures, np.float64), np.asarray(losses, np.float64)
    if w.ndim != 2 or y.ndim != 2 or w.shape[1] != len(names) or y.shape != (len(w), len(goals)):
        raise ReweightvizError(f"{who} needs mixtures (R, {len(names)}) and losses (R, {len(goals)}); "
                               f"got {w.shape} and {y.shape}.")
    if len(w) < needed:
        fits = f"fits {needed} numbers a target for {len(names)} domains and " if parametric else ""
        raise ReweightvizError(f"{who} {fits}needs at least {needed} runs; got {len(w)}.")
    if not np.isfinite(w).all():
        raise ReweightvizError("the mixtures must be finite; drop the runs whose weights are missing.")
    wrong = ~(np.isfinite(y) & (y > 0)) if positive else ~np.isfinite(y)
    if wrong.any():
        run, goal = np.argwhere(wrong)[0]
        raise ReweightvizError(f"losses must be {'numbers above 0' if positive else 'finite numbers'}; {goals[goal]!r} is "
                               f"{y[run, goal]} in run {run} ({wrong.any(1).sum()} such runs): drop them.")
    _check_variety(w, names, spanning)
    return w, y


def _check_variety(w: Array, names: tuple[str, ...], spanning: bool) -> None:
    if len(names) > 1 and (w == w[0]).all():
        raise ReweightvizError(f"the mixtures of the runs differ in only 1 of {len(names)} directions, so the effect of "
                               "each domain cannot be told; all runs have the same mixture: vary it.")
    rank = np.linalg.matrix_rank(w) if spanning else len(names)
    if rank < len(names):
        unseen = np.array(names, object)[(w == 0).all(0)]
        why = f"; no run has any of {listed(unseen)}" if len(unseen) else ""
        raise ReweightvizError(f"the mixtures of the runs differ in only {rank} of {len(names)} directions, so the "
                               f"effect of each domain cannot be told{why}: vary the mixtures more.")


def checked_given(who: str, name: str, values: ArrayLike, count: int, width: int | None = None) -> Array:
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
        fits, wanted = given.shape in ((width,), (1, width), (count, width)), f"({width},) or ({count}, {width})"
    if not fits:
        raise ReweightvizError(f"{who} needs {name} as {wanted}; got shape {given.shape}.")
    if not np.isfinite(given).all() or (given <= 0).any():
        raise ReweightvizError(f"{name} must be finite numbers above 0; got {given[~(np.isfinite(given) & (given > 0))].ravel()[:3]}.")
    return np.broadcast_to(given.reshape(-1), (count,)).copy() if width is None else np.broadcast_to(given, (count, width)).copy()


def checked_directions(lower_is_better: ArrayLike | None, targets: Sequence[str]) -> NDArray[np.bool_]:
    """Whether lower is better for each target, (M,); all true when not given."""
    better = np.ones(len(targets), bool) if lower_is_better is None else np.asarray(lower_is_better, bool)
    if better.shape != (len(targets),):
        raise ReweightvizError(f"lower_is_better must be ({len(targets)},), one a target; got shape {better.shape}.")
    return better


def checked_importance(importance: ArrayLike | None, targets: Sequence[str], lower_is_better: NDArray[np.bool_]) -> Array:
    """How much each target counts, (M,), rescaled to sum 1; refuses targets where higher is better."""
    given = np.ones(len(targets)) if importance is None else np.asarray(importance, np.float64)
    if given.shape != (len(targets),) or not np.isfinite(given).all() or (given < 0).any() or not given.any():
        raise ReweightvizError(f"importance must be {len(targets)} numbers >= 0, at least one above 0, "
                               f"one for each of {listed(targets)}; got {given}.")
    upwards = (given > 0) & ~lower_is_better
    if upwards.any():
        raise ReweightvizError("the convex optimiser needs targets where lower is better; higher is better for "
                               f"{listed(np.array(targets, object)[upwards])}: give them importance 0.")
    return np.asarray(given / given.sum(), np.float64)


def fit_diagnostics(losses: Array, fitted: Array, degenerate: ArrayLike) -> dict[str, list[Any]]:
    """How well the runs (R, M) are met: no R squared where all losses are equal; ``degenerate`` (M,) comes from the law."""
    spread = ((losses - losses.mean(0)) ** 2).sum(0)
    missed = ((losses - fitted) ** 2).sum(0)
    constant = spread <= 1e-12 * (losses ** 2).sum(0)
    r2 = [None if flat else 1 - m / s for flat, m, s in zip(constant, missed.tolist(), spread.tolist(), strict=True)]
    return {"r2": r2, "mae": np.abs(losses - fitted).mean(0).tolist(), "runs": [len(losses)] * losses.shape[1],
            "degenerate": np.asarray(degenerate, bool).tolist(), "constant": constant.tolist()}


def whole_runs(residuals: Array, draws: int, rng: np.random.Generator) -> Array:
    """Rows (draws, M) of the residuals (R, M): each run once before any comes again."""
    runs = len(residuals)
    orders = [rng.permutation(runs) for _ in range(-(-draws // runs))]
    rows = np.concatenate([*orders, np.empty(0, np.int64)])[:draws].astype(np.int64)
    return np.asarray(residuals[rows], np.float64)
