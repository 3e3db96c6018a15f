"""Global search for the lowest score on the simplex under linear limits, without convexity.

Random starts over all densities, rounds of finer moves around the best, and, where the score is
smooth, sequential quadratic programming (D. Kraft, "A software package for sequential quadratic
programming", 1988, as scipy's SLSQP) from the best of them. It proves nothing: the answer is the
best that was tried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog, minimize

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array
from reweightviz.numerics.region import Region

__all__ = [
    "BATCH",
    "FINEST",
    "FIRST",
    "KEPT",
    "OTHERS",
    "PENALTY",
    "ROUNDS",
    "Best",
    "Score",
    "draw_moves",
    "first_draws",
    "is_smooth",
    "search",
    "tangent_gap",
]


Score = Callable[[Array], Array]
"""Weights (n, K) to what is minimised (n,)."""
FIRST = 0.3
"""Share of the evaluations that are drawn before any move."""
ROUNDS = 20
"""Rounds of moves."""
KEPT = 24
"""The best weights, from which moves start."""
OTHERS = 2000
"""The best weights, towards which moves go."""
FINEST = 0.5**8
"""Reach of the moves in the last round, beside 1 in the first."""
BATCH = 4096
"""Weights that are scored at once."""
PENALTY = 1e3
"""What an excess over a ceiling counts beside the score: one of 0.001 counts as 1."""


class Best(NamedTuple):
    """The best weights ``x`` (K,) that were tried, their score, and how they were found.

    ``pool`` (n, K) holds the weights that were tried, best first, with their ``scores`` (n,).
    """

    x: Array
    value: float
    evaluations: int
    starts: int
    smooth: bool
    pool: Array
    scores: Array


def search(
    score: Score,
    where: Region,
    *,
    prior: Array,
    seed: int = 0,
    evaluations: int = 20_000,
    starts: int = 8,
    ceilings: Score | None = None,
    tried: Array | None = None,
    probe: Score | None = None,
) -> Best:
    """Return the lowest score that a seeded search finds.

    Args:
        score: weights (n, K) to what is minimised (n,).
        where: the region.
        prior: (K,) mixture around which the first draws spread.
        seed: of the draws.
        evaluations: how many weights are scored before the polishing.
        starts: how many of the best are polished.
        ceilings: weights (n, K) to (n, J) that should be at most 0; what exceeds them counts much.
        tried: (n, K) more weights to begin with, such as those of the runs.
        probe: the part of the score that may have steps; polishing needs it smooth. The score
            itself when not given.

    Example:
        >>> from reweightviz.numerics.linear_constraints import Limits
        >>> from reweightviz.numerics.region import region
        >>> box = region(np.zeros(2), np.ones(2), Limits(np.empty((0, 2)), np.empty(0)))
        >>> score = lambda w: (w[:, 0] - 0.3) ** 2
        >>> best = search(score, box, prior=np.array([0.5, 0.5]), evaluations=500)
        >>> best.x.round(3).tolist()
        [0.3, 0.7]
    """
    rng = np.random.default_rng(seed)

    def judge(points: Array) -> Array:
        return _judge(score, ceilings, points)

    pool, scores = _explore(judge, where, prior, evaluations, tried, rng)
    if not np.isfinite(scores[0]):
        raise ReweightvizError(
            "the score is not finite anywhere: the law does not predict these mixtures."
        )
    best = pool[0]
    value = float(scores[0])
    smooth = is_smooth(probe or score, 0.9 * pool[0] + 0.1 * where.inside)
    if not smooth:
        return Best(best, value, len(pool), 0, smooth, pool, scores)
    for start in _apart(pool, starts):
        polished = _polish(score, where, start, ceilings)
        reached = float(judge(polished[None])[0])
        if reached < value:
            best = polished
            value = reached
    return Best(best, value, len(pool), starts, smooth, pool, scores)


def _judge(score: Score, ceilings: Score | None, points: Array) -> Array:
    """Return scores (n,), penalised above the ceilings; what is not finite is inf."""
    found = []
    for first in range(0, len(points), BATCH):
        part = points[first : first + BATCH]
        scores = score(part)
        if ceilings is not None:
            scores = scores + PENALTY * np.maximum(ceilings(part), 0).sum(1)
        found.append(scores)
    together = np.concatenate(found)
    return np.where(np.isfinite(together), together, np.inf)


def _explore(
    judge: Score,
    where: Region,
    prior: Array,
    evaluations: int,
    tried: Array | None,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """Return the weights (n, K) that were tried, best first, with their scores (n,)."""
    pool = where.within(first_draws(prior, int(FIRST * evaluations), rng, tried))
    scores = judge(pool)
    count = int((1 - FIRST) * evaluations) // ROUNDS
    for turn in range(ROUNDS):
        order = np.argsort(scores, kind="stable")
        reach = FINEST ** (turn / ROUNDS)
        moved = draw_moves(pool[order[:KEPT]], pool[order[:OTHERS]], count, reach, rng)
        near = where.within(moved)
        pool = np.concatenate([pool, near])
        scores = np.concatenate([scores, judge(near)])
    order = np.argsort(scores, kind="stable")
    return pool[order], scores[order]


def first_draws(
    prior: Array, count: int, rng: np.random.Generator, tried: Array | None = None
) -> Array:
    """Draw weights (n, K), from nearly single domains to nearly even ones.

    They are what was ``tried``, the prior, the single domains, and Dirichlet draws of log-spaced
    strengths around the prior and around uniform.
    """
    domains = len(prior)
    # A prior of 0 does not rule a domain out: the best mixture may hold it.
    centre = np.maximum(prior, 1e-3 / domains)
    centres = np.stack([centre / centre.sum(), np.full(domains, 1 / domains)])
    strengths = np.geomspace(0.2, 20 * domains, 15)
    around = centres[rng.integers(0, 2, count)]
    # Gammas of tiny shapes underflow to 0, sometimes in all domains at once.
    shape = np.maximum(around * strengths[rng.integers(0, 15, count), None], 1e-3)
    drawn = rng.standard_gamma(shape)
    drawn[drawn.sum(1) <= 0] = 1.0
    parts = [prior[None], np.eye(domains), drawn / drawn.sum(1, keepdims=True)]
    if tried is not None:
        parts.insert(0, tried / tried.sum(1, keepdims=True))
    return np.concatenate(parts)


def draw_moves(
    best: Array, pool: Array, count: int, reach: float, rng: np.random.Generator
) -> Array:
    """Move away from the best: towards others, between two domains, by a difference of two others.

    The first two are ever shorter with a smaller ``reach``; the last are the moves of differential
    evolution (R. Storn and K. Price, 1997), which grow as small as the best are close.
    """
    domains = best.shape[1]
    start = best[rng.integers(0, len(best), count)]
    # Log-uniform over three decades: the scale on which a score changes is not known.
    step = reach * np.exp(rng.uniform(np.log(1e-3), 0, count))[:, None]
    others = pool[rng.integers(0, len(pool), count)]
    corners = np.eye(domains)[rng.integers(0, domains, count)]
    towards = np.where(rng.random((count, 1)) < 0.5, others, corners)
    blended = start + step * (towards - start)
    taken, given = rng.integers(0, domains, (2, count))
    rows = np.arange(count)
    swap = np.minimum(start[rows, taken], step[:, 0])
    traded = start.copy()
    traded[rows, taken] -= swap
    traded[rows, given] += swap
    one, other = best[rng.integers(0, len(best), (2, count))]
    evolved = np.maximum(start + rng.uniform(0.3, 1.2, (count, 1)) * (one - other), 0)
    evolved /= np.maximum(evolved.sum(1, keepdims=True), 1e-300)
    kind = rng.random((count, 1))
    moved = np.where(kind < 0.65, blended, traded)
    return np.where(kind < 0.3, evolved, moved)


def is_smooth(score: Score, x: Array, step: float = 1e-5) -> bool:
    """Return whether a short move changes the score, and in proportion: in trees it does not."""
    towards = np.eye(len(x)) - x
    near = score(x + step * towards)
    far = score(x + 2 * step * towards)
    here = score(x[None])[0]
    change = near - here
    twice = far - here
    scale = np.abs(change).max()
    # Sums of other lengths round otherwise, so a change of some 1e-16 is none.
    if not np.isfinite(scale) or scale <= 1e-9 * abs(here):
        return False
    return bool(np.abs(twice - 2 * change).max() < 0.1 * scale)


def tangent_gap(score: Score, x: Array, where: Region, step: float = 1e-6) -> float:
    """Return how far the tangent of the score at ``x`` falls within the region.

    That is the gap of Frank and Wolfe, 1956. For a convex score it bounds how far ``x`` is above
    the minimum; of another score a gap of 0 only shows that ``x`` is stationary.
    """
    domains = len(x)
    # Derivatives towards the corners stay on the simplex. They differ from those by one weight by
    # a constant, which the sum of the weights makes vanish.
    base = (1 - step) * x
    slope = (score(base + step * np.eye(domains)) - score(x[None])[0]) / step
    found = linprog(
        slope,
        A_ub=where.limits.rows,
        b_ub=where.limits.most,
        A_eq=np.ones((1, domains)),
        b_eq=[1.0],
        bounds=np.column_stack([where.lower, where.upper]),
        method="highs",
    )
    if found.x is None:
        return 0.0
    return max(-float(found.fun), 0.0)


def _apart(pool: Array, count: int) -> Array:
    """Return the best of the pool that differ by more than 2 % of the tokens."""
    kept = [pool[0]]
    for point in pool[1:OTHERS]:
        if len(kept) == count:
            break
        if min(np.abs(point - other).sum() for other in kept) > 0.04:
            kept.append(point)
    return np.array(kept)


def _polish(score: Score, where: Region, start: Array, ceilings: Score | None) -> Array:
    """Return the weights (K,) that SLSQP reaches from a start."""
    domains = len(start)
    step = 1e-7
    # SLSQP stops by an absolute change of the score.
    scale = max(abs(float(score(start[None])[0])), 1e-12)

    def jacobian(of: Score, x: Array) -> Array:
        values = of(np.concatenate([x[None], x + step * np.eye(domains)]))
        return np.asarray((values[1:] - values[0]).T / step, np.float64)

    rules = [{"type": "eq", "fun": lambda x: x.sum() - 1, "jac": lambda _: np.ones((1, domains))}]
    if len(where.limits.most):
        rules.append(
            {
                "type": "ineq",
                "fun": lambda x: where.limits.most - where.limits.rows @ x,
                "jac": lambda _: -where.limits.rows,
            }
        )
    if ceilings is not None:
        rules.append(
            {
                "type": "ineq",
                "fun": lambda x: -ceilings(x[None])[0],
                "jac": lambda x: -jacobian(ceilings, x),
            }
        )
    found = minimize(
        lambda x: float(score(x[None])[0]) / scale,
        start,
        jac=lambda x: jacobian(score, x) / scale,
        method="SLSQP",
        bounds=np.column_stack([where.lower, where.upper]),
        constraints=rules,
        options={"maxiter": 200, "ftol": 1e-12},
    )
    # SLSQP may end a little outside, or at no number.
    x = np.clip(found.x, where.lower, where.upper)
    if not np.isfinite(x).all() or x.sum() <= 0:
        return start
    return np.asarray(where.within((x / x.sum())[None])[0], np.float64)
