"""The best free weights for an aim: by a convex program, by the law itself, or by a search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.protocols import ConvexLaw, ExponentialLaw
from reweightviz.core.types import Array
from reweightviz.numerics.simplex_search import Best, search, tangent_gap
from reweightviz.proposals.aim import Aim
from reweightviz.proposals.exponentials import cap_limits, is_convex, minimise_curves
from reweightviz.proposals.task import SLACK, Task

__all__ = ["EVALUATIONS", "Found", "solve"]


EVALUATIONS = 20_000
"""Mixtures that a global search scores."""


@dataclass(frozen=True)
class Found:
    """Hold free weights (Z,), how they were found, and the search's pool where there was one."""

    free: Array
    certificate: dict[str, Any]
    pool: Best | None = None


def solve(
    task: Task, aim: Aim, *, evaluations: int = EVALUATIONS, tried: Array | None = None
) -> Found:
    """Return the best free weights for an aim.

    Args:
        task: what may be proposed.
        aim: what is minimised.
        evaluations: mixtures that a global search scores, where one is needed.
        tried: (n, Z) free weights that it begins with; the runs' where not given.

    Raises:
        ReweightvizError: constraints that contradict each other, by name; or caps that none of the
            mixtures tried meets.
    """
    try:
        if isinstance(task.law, ExponentialLaw) and is_convex(aim, task.kl):
            return _solve_exactly(task, task.law, aim)
        if isinstance(task.law, ConvexLaw) and _suits_minimise(task, aim):
            return _solve_by_law(task, task.law, aim)
        return _search(task, aim, evaluations, tried)
    except ReweightvizError:
        limits = []
        if isinstance(task.law, ExponentialLaw):
            limits = cap_limits(task, task.law.exponentials())
        # The limits by name are a better sentence than that of the solver.
        task.space.with_limits(limits).refuse_conflict()
        raise


def _solve_exactly(task: Task, law: ExponentialLaw, aim: Aim) -> Found:
    best = minimise_curves(task, law.exponentials(), aim)
    certificate = {"method": "convex program", "gap": best.gap, "excess": best.excess}
    return Found(best.x, certificate)


def _suits_minimise(task: Task, aim: Aim) -> bool:
    """Return whether a convex law's own ``minimise`` covers all that was asked for."""
    law_domains = tuple(task.law.domains)
    if task.caps or len(task.space.compile()[2].most) or task.space.names != law_domains:
        return False
    # Parts that hold tokens of two domains blur the law's weights.
    eye = np.eye(len(law_domains))
    direct = np.allclose(task.space.law_spread, eye, rtol=0, atol=1e-12)
    return direct and aim.downwards and bool(np.isfinite(task.kl))


def _solve_by_law(task: Task, law: ConvexLaw, aim: Aim) -> Found:
    lower, upper, _ = task.space.compile()
    found = law.minimise(
        aim.importance, kl=task.kl, prior=task.prior, lower=lower, upper=upper, **task.given
    )
    free = np.asarray(found, np.float64)
    gap = tangent_gap(lambda w: aim.score(task.predict(w)) + task.penalty(w), free, task.region())
    return Found(free, {"method": f"{type(law).__name__}.minimise", "gap": gap})


def _search(task: Task, aim: Aim, evaluations: int, tried: Array | None) -> Found:
    where = task.region()
    predict = _Remembered(task.predict)

    def score(free: Array) -> Array:
        if task.only_prior:
            return task.penalty(free)
        return aim.score(predict(free)) + task.penalty(free)

    def excess(free: Array) -> Array:
        return task.excess(predict(free))

    ceilings = excess if task.caps else None
    if tried is None:
        tried = _free_weights_of_runs(task)
    best = search(
        score,
        where,
        prior=task.prior,
        seed=task.seed,
        evaluations=evaluations,
        ceilings=ceilings,
        tried=tried,
        probe=lambda free: aim.score(task.predict(free)),
    )
    if task.caps:
        _check_excess(task, best, excess(best.x[None])[0])
    # The gap is from a gradient, which means nothing where a law has steps.
    gap = tangent_gap(score, best.x, where) if best.smooth else None
    note = "the best of what was tried; nothing proves that there is none better"
    convex = isinstance(task.law, ConvexLaw) and not task.caps and aim.downwards
    if gap is not None and convex:
        note = f"the law is convex, so no mixture is better by more than {gap:.2g}"
    certificate = {
        "method": "global search",
        "seed": task.seed,
        "evaluations": best.evaluations,
        "starts": best.starts,
        "gap": gap,
        "note": note,
    }
    return Found(best.x, certificate, best)


def _check_excess(task: Task, best: Best, excess: Array) -> None:
    if excess.max() > SLACK:
        raise ReweightvizError(
            f"none of {best.evaluations:,} mixtures tried meets all caps; the nearest "
            "misses that on "
            f"{list(task.caps)[int(excess.argmax())]!r} by {excess.max():.3g}."
        )


def _free_weights_of_runs(task: Task) -> Array | None:
    """Return the runs' mixtures as free weights, where every domain is free."""
    if task.swarm is None or task.space.names != task.swarm.domains:
        return None
    return task.swarm.mixtures


class _Remembered:
    """Remember the last prediction: a search scores an array and then holds it to the caps."""

    def __init__(self, predict: Callable[[Array], Array]) -> None:
        self._predict = predict
        self._free = np.empty(0)
        self._losses = np.empty(0)

    def __call__(self, free: Array) -> Array:
        if free is not self._free:
            self._losses = self._predict(free)
            self._free = free
        return self._losses
