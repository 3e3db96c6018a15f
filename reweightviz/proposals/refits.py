"""Proposals under other draws of the law: how far the weights hang on the noise of the runs."""

from __future__ import annotations

import numpy as np

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.protocols import ExponentialLaw
from reweightviz.core.types import Array
from reweightviz.numerics.simplex_search import draw_moves
from reweightviz.proposals.aim import Aim
from reweightviz.proposals.exponentials import minimise_curves
from reweightviz.proposals.solve import Found
from reweightviz.proposals.task import Task

__all__ = ["BATCH", "POOL", "ROUNDS", "solve_refits", "thin_pool"]


POOL = 600
"""Mixtures among which every draw of a law without convexity chooses at first."""
ROUNDS = 4
"""Rounds that add half as many."""
BATCH = 250
"""Mixtures that are drawn at once: the draws of more would fill the memory."""


def solve_refits(task: Task, aim: Aim, found: Found, count: int) -> Array:
    """Return the best free weights (n, Z) under other draws of the law.

    Args:
        task: what may be proposed.
        aim: what is minimised.
        found: the proposal under the law itself.
        count: draws at most, where each is a convex program; all draws otherwise; 0 for none.
    """
    if not count:
        return np.empty((0, len(found.free)))
    if isinstance(task.law, ExponentialLaw) and found.pool is None:
        return _solve_each(task, task.law, aim, count)
    return _choose_from_pool(task, aim, found)


def _solve_each(task: Task, law: ExponentialLaw, aim: Aim, count: int) -> Array:
    draws = law.exponential_draws()
    chosen = np.linspace(0, len(draws) - 1, min(count, len(draws))).astype(np.int64)
    refits = []
    for row in chosen:
        try:
            refits.append(minimise_curves(task, draws[row], aim).x)
        except ReweightvizError:  # under this draw the caps cannot be met
            continue
    # Where no draw has a solution the shape is (0, Z), not (0,).
    return np.array(refits).reshape(-1, len(task.space.names))


def _choose_from_pool(task: Task, aim: Aim, found: Found) -> Array:
    """Return the best for each draw, searched for all draws at once.

    A draw's noise is the same for every mixture, so it does not choose. The pool begins with
    mixtures that the search tried, near and distant ones; moves away from what is best for any of
    the draws are added, ever shorter ones.
    """
    rng = np.random.default_rng(task.seed)
    where = task.region()
    if found.pool is None:
        others = _spread_around(task, found.free)
    else:
        others = thin_pool(found.pool.pool, POOL)
    pool, scores = _score_draws(task, aim, np.concatenate([found.free[None], others]))
    for turn in range(ROUNDS):
        if not len(scores):
            return np.empty((0, len(found.free)))
        parents = pool[np.unique(scores.argmin(1))]
        moves = where.within(draw_moves(parents, pool, POOL // 2, 0.3**turn, rng))
        fresh, added = _score_draws(task, aim, moves)
        pool = np.concatenate([pool, fresh])
        scores = np.concatenate([scores, added], axis=1)
    return np.asarray(pool[scores.argmin(1)], np.float64)


def _score_draws(task: Task, aim: Aim, free: Array) -> tuple[Array, Array]:
    """Return the free weights (n, Z) that meet the caps, and their scores (B, n) by draw."""
    free = free[task.meets_caps(free)]
    # The losses count for nothing beside an infinite pull, but their shape has the draws.
    weight = 0.0 if task.only_prior else 1.0
    parts = np.array_split(free, max(1, len(free) // BATCH))
    scores = [weight * aim.score(task.samples(part)) + task.penalty(part) for part in parts]
    return free, np.concatenate(scores, axis=1)


def _spread_around(task: Task, free: Array) -> Array:
    rng = np.random.default_rng(task.seed)
    # A Dirichlet distribution has no parameter of 0, and a domain left out may be best in a draw.
    centre = np.maximum(free, 1e-3)
    draws = [rng.dirichlet(centre * strength, 300) for strength in np.geomspace(3, 300, 5)]
    return task.region().within(np.concatenate(draws))


def thin_pool(pool: Array, count: int) -> Array:
    """Return about ``count`` rows of a pool, best first: many of the best, ever fewer others."""
    return pool[np.unique(np.geomspace(1, len(pool), count).astype(np.int64)) - 1]
