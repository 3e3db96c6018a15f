"""The search for a front: importance by importance, or as a whole where it bends inwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from reweightviz.core.types import Array
from reweightviz.numerics.fronts import spread_evenly, undominated, widest_gap
from reweightviz.numerics.simplex_search import Best, draw_moves
from reweightviz.proposals.aim import Aim
from reweightviz.proposals.refits import thin_pool
from reweightviz.proposals.solve import EVALUATIONS, Found, solve
from reweightviz.proposals.task import Task

__all__ = ["MOVES", "POOL", "ROUNDS", "TRACE", "Axes", "Front", "score_axes", "search_front"]


TRACE = 1e-4
"""Share of all targets at the corner of one: it settles what that one leaves open."""
POOL = 1000
"""Mixtures that are taken over from a global search."""
ROUNDS = 6
MOVES = 1500
"""Of a front that bends inwards: rounds of ever shorter moves from it, and how many each."""


@dataclass(frozen=True)
class Axes:
    """Hold the axes of a front (A): names, importance (A, M) of the law's targets, sign (A,)."""

    names: tuple[str, ...]
    importance: Array
    sign: Array

    def values(self, losses: Array) -> Array:
        """Return values (..., A) of losses (..., M)."""
        return np.asarray(losses @ self.importance.T, np.float64)


class Front(NamedTuple):
    """Free weights (n, Z), shares (n, A) of importance, and how the first was found."""

    free: Array
    share: Array
    certificate: dict[str, Any]


def search_front(task: Task, axes: Axes, points: int) -> Front:
    """Return proposals along a front; some of them may be beaten by others.

    Importances are added between the neighbours whose predictions are furthest apart. Where no
    importance may lead to a part of the front, it is searched as a whole, and shares are NaN.
    """
    count = len(axes.names)
    shares = list((1 - TRACE) * np.eye(count) + TRACE / count)
    corners = [solve(task, _aim(task, axes, share)) for share in shares]
    certificate = corners[0].certificate
    pools = [corner.pool for corner in corners if corner.pool is not None]
    tried = None
    if pools:
        tried = np.concatenate([thin_pool(pool.pool, POOL) for pool in pools])
        if _may_bend_inwards(axes, pools):
            whole = _search_whole(task, axes, points, tried)
            return Front(whole, np.full((len(whole), count), np.nan), certificate)
    evaluations = EVALUATIONS
    if tried is not None:
        # The corners' pools are a start near the front, which leaves less to search.
        evaluations = EVALUATIONS // 8
    free = [corner.free for corner in corners]
    while len(free) < points:
        pair = widest_gap(np.array(shares), axes.values(task.predict(np.array(free))))
        if pair is None:
            break
        shares.append((shares[pair[0]] + shares[pair[1]]) / 2)
        aim = _aim(task, axes, shares[-1])
        free.append(solve(task, aim, evaluations=evaluations, tried=tried).free)
    return Front(np.array(free), np.array(shares), certificate)


def score_axes(task: Task, axes: Axes, free: Array) -> Array:
    """Return what is minimised (n, A) by free weights (n, Z): every axis carries the penalty."""
    return axes.values(task.predict(free)) * axes.sign + task.penalty(free)[:, None]


def _may_bend_inwards(axes: Axes, pools: list[Best]) -> bool:
    """Return whether importances may miss a part: a law with steps, or an axis that rises."""
    return not pools[0].smooth or bool((axes.sign < 0).any())


def _aim(task: Task, axes: Axes, share: Array) -> Aim:
    importance = share @ axes.importance
    sign = np.where(task.law.lower_is_better, 1.0, -1.0)
    return Aim(importance, sign, np.ones(len(importance)))


def _search_whole(task: Task, axes: Axes, points: int, tried: Array) -> Array:
    """Return an even choice of the front of everything that a few searches have tried.

    They aim between the axes; then the front moves outwards by ever shorter steps.
    """
    count = len(axes.names)
    middle = np.full((1, count), 1 / count)
    halfway = 0.5 * np.eye(count) + 0.5 / count
    for share in np.concatenate([middle, halfway]):
        found = solve(
            task, _aim(task, axes, share), evaluations=EVALUATIONS // 4, tried=tried[:2000]
        )
        tried = np.concatenate([found.free[None], tried, *_pools_of(found)])
    front, scores = _keep_front(task, axes, tried)
    pool = front
    rng = np.random.default_rng(task.seed)
    where = task.region()
    for turn in range(ROUNDS):
        moves = where.within(draw_moves(front, pool, MOVES, 0.5**turn, rng))
        front, scores = _keep_front(task, axes, np.concatenate([front, moves]))
    return front[spread_evenly(scores, points)]


def _pools_of(found: Found) -> list[Array]:
    if found.pool is None:
        return []
    return [thin_pool(found.pool.pool, POOL)]


def _keep_front(task: Task, axes: Axes, free: Array) -> tuple[Array, Array]:
    """Return the free weights (n, Z) that meet the caps and that none beats, and their scores."""
    allowed = free[task.meets_caps(free)]
    scores = score_axes(task, axes, allowed)
    best = undominated(scores)
    return allowed[best], scores[best]
