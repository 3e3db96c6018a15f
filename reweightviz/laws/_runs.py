"""Runs that a law is fitted to, checked in the same sentences for every law."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnmetNeed, list_names
from reweightviz.core.types import Array

__all__ = ["ProxyRuns", "check_directions", "check_runs"]


class ProxyRuns(NamedTuple):
    """R runs: K domains, M targets, mixtures (R, K), losses (R, M), and the directions (M,)."""

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    mixtures: Array
    losses: Array
    lower_is_better: NDArray[np.bool_]


def check_runs(
    who: str,
    domains: Sequence[str],
    targets: Sequence[str],
    mixtures: ArrayLike,
    losses: ArrayLike,
    lower_is_better: ArrayLike | None = None,
    *,
    needed: int,
    positive: bool = True,
    spanning: bool = True,
    parametric: bool = True,
) -> ProxyRuns:
    """Return the runs as float64, or refuse them in one sentence.

    Args:
        who: name of the law, for the sentences.
        domains: names (K,).
        targets: names (M,).
        mixtures: (R, K) weights of the runs.
        losses: (R, M).
        lower_is_better: (M,); all true when not given.
        needed: the least number of runs, R.
        positive: whether losses must be above 0.
        spanning: whether the mixtures must vary in all K directions; if not, two different ones
            will do.
        parametric: whether ``needed`` is how many numbers are fitted a target.

    Raises:
        ReweightvizError: wrong shapes, too few runs, mixtures or losses that are missing, losses
            that are not above 0, or mixtures that do not vary enough.
    """
    names = tuple(domains)
    goals = tuple(targets)
    w = np.asarray(mixtures, np.float64)
    y = np.asarray(losses, np.float64)
    in_shape = w.ndim == 2 and w.shape[1] == len(names) and y.shape == (len(w), len(goals))
    if not in_shape:
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
    _check_losses(y, goals, positive)
    _check_variety(w, names, spanning)
    return ProxyRuns(names, goals, w, y, check_directions(lower_is_better, goals))


def check_directions(
    lower_is_better: ArrayLike | None, targets: Sequence[str]
) -> NDArray[np.bool_]:
    """Return for each target whether lower is better, (M,); all true when not given."""
    if lower_is_better is None:
        return np.ones(len(targets), bool)
    directions = np.asarray(lower_is_better, bool)
    if directions.shape != (len(targets),):
        raise InvalidValue(
            name="lower_is_better",
            value=directions.shape,
            expected=f"({len(targets)},), one a target",
            got=f"shape {directions.shape}",
        )
    return directions


def _check_losses(y: Array, targets: tuple[str, ...], positive: bool) -> None:
    wrong = ~np.isfinite(y)
    if positive:
        wrong |= ~(y > 0)
    if not wrong.any():
        return
    run, target = np.argwhere(wrong)[0]
    raise ReweightvizError(
        f"losses must be {'numbers above 0' if positive else 'finite numbers'}; "
        f"{targets[target]!r} is {y[run, target]} in run {run} "
        f"({wrong.any(1).sum()} such runs): drop them."
    )


def _check_variety(w: Array, names: tuple[str, ...], spanning: bool) -> None:
    if len(names) > 1 and (w == w[0]).all():
        raise ReweightvizError(
            f"the mixtures of the runs differ in only 1 of {len(names)} directions, so the "
            "effect of each domain cannot be told; all runs have the same mixture: vary it."
        )
    # A law with a number a domain cannot be fitted to mixtures that leave a direction out.
    rank = np.linalg.matrix_rank(w) if spanning else len(names)
    if rank < len(names):
        unseen = np.array(names, object)[(w == 0).all(0)]
        why = f"; no run has any of {list_names(unseen)}" if len(unseen) else ""
        raise ReweightvizError(
            f"the mixtures of the runs differ in only {rank} of {len(names)} directions, so the "
            f"effect of each domain cannot be told{why}: vary the mixtures more."
        )
