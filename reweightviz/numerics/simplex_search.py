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
from reweightviz.numerics.linear_constraints import Limits, interior

Score = Callable[[Array], Array]
"""Weights (n, K) to what is minimised (n,)."""
ROUNDS = 20
KEPT = 24
FIRST = 0.3
"""Rounds of moves, the best that they start from, and the share of evaluations drawn first."""
BATCH = 4096


class Region(NamedTuple):
    """Weights on the simplex within bounds (K,) and limits, with a point ``inside``."""

    lower: Array
    upper: Array
    limits: Limits
    inside: Array

    def within(self, points: Array) -> Array:
        """Draw points (n, K) towards ``inside`` until they meet bounds and limits."""
        moves = points - self.inside
        eye = np.eye(len(self.lower))
        rows = np.concatenate([-eye, eye, self.limits.rows])
        room = np.maximum(
            np.concatenate([-self.lower, self.upper, self.limits.most]) - rows @ self.inside, 0
        )
        tight = room < 1e-9
        if tight.any():
            # Where the region is flat, only moves along it are left.
            held = np.vstack([np.ones(len(self.lower)), rows[tight]])
            moves = moves - moves @ (np.linalg.pinv(held) @ held).T
            rows = rows[~tight]
            room = room[~tight]
        steps = moves @ rows.T
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(steps > 1e-15, room / steps, np.inf).min(1, initial=1.0)
        return np.asarray(self.inside + share[:, None] * moves, np.float64)


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


def region(lower: Array, upper: Array, limits: Limits) -> Region:
    """Return the region between bounds (K,) and limits.

    Raises:
        ReweightvizError: nothing is in it.
    """
    inside, room = interior(limits, lower, upper)
    if not room >= -1e-7:
        raise ReweightvizError("no weights meet every limit.")
    if room < 1e-9:
        inside = _middle(lower, upper, limits)
    inside = np.clip(inside, lower, upper)
    return Region(lower, upper, limits.scaled, inside / inside.sum())


def _middle(lower: Array, upper: Array, limits: Limits) -> Array:
    """Return the mean of the corners furthest along each axis: inside a region that is flat."""
    eye = np.eye(len(lower))
    found = [
        linprog(
            row,
            A_ub=limits.rows,
            b_ub=limits.most + 1e-9,
            A_eq=np.ones((1, len(lower))),
            b_eq=[1.0],
            bounds=np.column_stack([lower, upper]),
            method="highs-ds",
        ).x
        for row in (*eye, *-eye)
    ]
    corners = [corner for corner in found if corner is not None]
    if not corners:
        raise ReweightvizError("no weights meet every limit.")
    return np.asarray(np.mean(corners, 0), np.float64)


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
        >>> box = region(np.zeros(2), np.ones(2), Limits(np.empty((0, 2)), np.empty(0)))
        >>> score = lambda w: (w[:, 0] - 0.3) ** 2
        >>> best = search(score, box, prior=np.array([0.5, 0.5]), evaluations=500)
        >>> best.x.round(3).tolist()
        [0.3, 0.7]
    """
    rng = np.random.default_rng(seed)

    def judge(points: Array) -> Array:
        parts = [points[i : i + BATCH] for i in range(0, len(points), BATCH)]
        found = np.concatenate(
            [
                score(part)
                + (0.0 if ceilings is None else 1e3 * np.maximum(ceilings(part), 0).sum(1))
                for part in parts
            ]
        )
        return np.where(np.isfinite(found), found, np.inf)

    pool = where.within(first_draws(prior, int(FIRST * evaluations), rng, tried))
    scores = judge(pool)
    for turn in range(ROUNDS):
        order = np.argsort(scores, kind="stable")
        count = int((1 - FIRST) * evaluations) // ROUNDS
        near = where.within(
            draw_moves(
                pool[order[:KEPT]], pool[order[:2000]], count, 0.5 ** (8 * turn / ROUNDS), rng
            )
        )
        pool = np.concatenate([pool, near])
        scores = np.concatenate([scores, judge(near)])
    order = np.argsort(scores, kind="stable")
    pool = pool[order]
    scores = scores[order]
    if not np.isfinite(scores[0]):
        raise ReweightvizError(
            "the score is not finite anywhere: the law does not predict these mixtures."
        )
    smooth = is_smooth(probe or score, 0.9 * pool[0] + 0.1 * where.inside)
    best = pool[0]
    value = float(scores[0])
    if smooth:
        for start in _apart(pool, starts):
            polished = _polish(score, where, start, ceilings)
            reached = float(judge(polished[None])[0])
            if reached < value:
                best = polished
                value = reached
    return Best(best, value, len(pool), starts if smooth else 0, smooth, pool, scores)


def first_draws(
    prior: Array, count: int, rng: np.random.Generator, tried: Array | None = None
) -> Array:
    """Draw weights (n, K) of every density.

    What was ``tried``, the prior, the single domains, and Dirichlet draws of log-spaced strengths
    around the prior and around uniform.
    """
    domains = len(prior)
    centre = np.maximum(prior, 1e-3 / domains)
    centres = np.stack([centre / centre.sum(), np.full(domains, 1 / domains)])
    strengths = np.geomspace(0.2, 20 * domains, 15)
    shape = np.maximum(
        centres[rng.integers(0, 2, count)] * strengths[rng.integers(0, 15, count), None], 1e-3
    )
    drawn = rng.standard_gamma(shape)
    drawn[drawn.sum(1) <= 0] = 1.0
    parts = [prior[None], np.eye(domains), drawn / drawn.sum(1, keepdims=True)]
    return np.concatenate(
        [tried / tried.sum(1, keepdims=True), *parts] if tried is not None else parts
    )


def draw_moves(
    best: Array, pool: Array, count: int, reach: float, rng: np.random.Generator
) -> Array:
    """Move away from the best, in three ways.

    Towards others, between two domains, and by the difference of two others of the best.

    The first two are ever shorter with a smaller ``reach``; the last are the moves of differential
    evolution (R. Storn and K. Price, 1997), which grow as small as the best are close.
    """
    domains = best.shape[1]
    start = best[rng.integers(0, len(best), count)]
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
    return np.where(kind < 0.3, evolved, np.where(kind < 0.65, blended, traded))


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
    return bool(
        np.isfinite(scale)
        and scale > 1e-9 * abs(here)
        and np.abs(twice - 2 * change).max() < 0.1 * scale
    )


def tangent_gap(score: Score, x: Array, where: Region, step: float = 1e-6) -> float:
    """Return how far the tangent of the score at ``x`` falls within the region.

    0 at a stationary point.

    For a convex score it bounds how far ``x`` is above the minimum; otherwise it only says that
    ``x`` is a local one.
    """
    domains = len(x)
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
    return max(-float(found.fun), 0.0) if found.x is not None else 0.0


def _apart(pool: Array, count: int) -> Array:
    """Return the best of the pool that differ by more than 2 % of the tokens."""
    kept = [pool[0]]
    for point in pool[1:2000]:
        if len(kept) == count:
            break
        if min(np.abs(point - other).sum() for other in kept) > 0.04:
            kept.append(point)
    return np.array(kept)


def _polish(score: Score, where: Region, start: Array, ceilings: Score | None) -> Array:
    domains = len(start)
    step = 1e-7
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
    x = np.clip(found.x, where.lower, where.upper)
    if not np.isfinite(x).all() or x.sum() <= 0:
        return start
    return np.asarray(where.within((x / x.sum())[None])[0], np.float64)
