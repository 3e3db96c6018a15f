"""Mixtures to try: random draws of every density, points far apart, or D-optimal ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array
from reweightviz.numerics.region import Region

__all__ = [
    "BATCHES",
    "LEVELS",
    "Drawn",
    "dirichlet_design",
    "drop_small_weights",
    "information",
    "keep_different",
    "log_linear_features",
    "meets",
    "optimal_design",
    "space_filling_design",
]


LEVELS = 15
"""Strengths between the least and the largest, as RegMix takes."""
BATCHES = 60
"""Batches of draws, after which mixtures are pulled within the limits instead."""


class Drawn(NamedTuple):
    """Mixtures (n, K), and how many of them were pulled within the limits for lack of draws."""

    mixtures: Array
    pulled: int


def meets(points: Array, where: Region, slack: float = 1e-9) -> NDArray[np.bool_]:
    """Return for each point (n, K) whether it meets bounds and limits."""
    above_floors = (points >= where.lower - slack).all(1)
    below_caps = (points <= where.upper + slack).all(1)
    within_limits = (points @ where.limits.rows.T <= where.limits.most + slack).all(1)
    return np.asarray(above_floors & below_caps & within_limits)


def drop_small_weights(points: Array, where: Region, least: float) -> Array:
    """Set weights below ``least`` to 0 and divide the rest by its sum.

    A weight that a lower bound keeps stays.
    """
    kept = np.where((points < least) & (where.lower <= 0), 0.0, points)
    total = kept.sum(1, keepdims=True)
    return np.asarray(np.divide(kept, total, out=points.copy(), where=total > 0), np.float64)


def dirichlet_design(
    prior: Array,
    count: int,
    where: Region,
    *,
    strengths: tuple[float, float] = (0.1, 5.0),
    least: float = 2e-4,
    rng: np.random.Generator,
) -> Drawn:
    """Draw mixtures from Dirichlet distributions around a prior, of log-spaced strengths.

    They reach from nearly single domains to mixtures like the prior. Bounds and limits are checked
    after small weights were dropped and the rest was normalised, so they hold in the end.

    Args:
        prior: (K,), sums to 1.
        count: how many different mixtures.
        where: the region.
        strengths: least and largest concentration; the shape of a draw is strength times prior.
        least: smallest weight that is not 0.
        rng: of the draws.
    """
    levels = np.geomspace(*strengths, LEVELS)
    found = np.empty((0, len(prior)))
    seen = np.empty((0, len(prior)))
    batch = max(2000, 20 * count)
    for _ in range(BATCHES):
        drawn = rng.standard_gamma(np.outer(levels[rng.integers(0, LEVELS, batch)], prior))
        drawn = drawn[drawn.sum(1) > 0]
        seen = drop_small_weights(drawn / drawn.sum(1, keepdims=True), where, least)
        found = keep_different(np.concatenate([found, seen[meets(seen, where)]]))
        # More than are needed, as the mixtures are then a random choice of them.
        if len(found) >= 4 * count:
            break
    return _complete(found, seen, count, where, least, rng)


def space_filling_design(
    count: int, where: Region, *, least: float = 2e-4, rng: np.random.Generator
) -> Drawn:
    """Choose mixtures far apart from a pool spread evenly over the region.

    The pool is quasi-random; each time the point furthest from those chosen is taken. This greedy
    rule is that of T. F. Gonzalez, "Clustering to minimize the maximum intercluster
    distance", 1985: the least distance between chosen points is at least half of the largest that
    is possible within the pool.
    """
    from scipy.stats import qmc  # it takes longer to import than all else here

    domains = len(where.lower)
    pool = np.empty((0, domains))
    seen = pool
    sequence = qmc.Sobol(domains, rng=rng)
    size = 1 << int(np.ceil(np.log2(max(4096, 20 * count))))  # Sobol is even at powers of two
    for _ in range(4):
        # Exponential numbers divided by their sum are uniform on the simplex.
        drawn = -np.log(np.clip(sequence.random(size), 1e-12, 1))
        seen = drop_small_weights(drawn / drawn.sum(1, keepdims=True), where, least)
        # The corners of the region are what draws never reach.
        corners = drop_small_weights(where.within(np.eye(domains)), where, least)
        both = np.concatenate([seen, corners])
        pool = keep_different(np.concatenate([pool, both[meets(both, where)]]))
        if len(pool) >= 8 * count:
            break
    if len(pool) <= count:
        return _complete(pool, seen, count, where, least, rng)
    chosen = [int(((pool - where.inside) ** 2).sum(1).argmin())]
    nearest = ((pool - pool[chosen[0]]) ** 2).sum(1)
    while len(chosen) < count:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, ((pool - pool[chosen[-1]]) ** 2).sum(1))
    return Drawn(pool[chosen], 0)


def log_linear_features(points: Array, slopes: Array) -> Array:
    """Return the derivatives (S, n, 1 + K) of ``c + exp(t.w)`` at slopes t (S, K).

    They are the information that a run has about the curve.
    """
    # The height of a curve does not change which runs are best for it. Near 1, the regularisation
    # of :func:`information` is small beside every curve.
    bend = np.exp(points @ slopes.T).T
    bend /= bend.mean(1, keepdims=True)
    by_floor = np.ones((len(slopes), len(points), 1))
    return np.concatenate([by_floor, bend[:, :, None] * points], axis=2)


def information(features: Array) -> Array:
    """Return the log determinants (S,) of the information of runs with features (S, n, P)."""
    # Regularised, as fewer runs than parameters would give minus infinity.
    gram = features.transpose(0, 2, 1) @ features + 1e-10 * np.eye(features.shape[2])
    return np.asarray(np.linalg.slogdet(gram)[1], np.float64)


def optimal_design(
    pool: Array, slopes: Array, count: int, *, rng: np.random.Generator, sweeps: int = 6
) -> NDArray[np.int64]:
    """Choose rows (count,) of a pool (N, K) that determine log-linear curves best.

    D-optimal by exchange (V. V. Fedorov, Theory of Optimal Experiments, 1972): while some swap of
    a chosen mixture for another raises the mean log determinant of the information over the
    curves, the best one is made.

    Args:
        pool: candidate mixtures.
        slopes: (S, K), the curves that the design is good for.
        count: rows to choose, at least K + 1.
        rng: of the first choice.
        sweeps: passes over the chosen rows, at most.
    """
    features = log_linear_features(pool, slopes)
    if count > len(pool):
        raise ReweightvizError(
            f"an optimal design of {count} runs needs at least as many candidates; there "
            f"are {len(pool)}."
        )
    chosen = rng.permutation(len(pool))[:count]
    free = np.ones(len(pool), bool)
    free[chosen] = False
    projected, variance = _project(features, chosen)
    without_swap = 0
    for turn in range(sweeps * count):
        place = turn % count
        out = chosen[place]
        with_out = (projected @ features[:, out, :, None])[:, :, 0]
        # By how much the determinant grows when a candidate takes this place (Fedorov's delta).
        ratio = (1 + variance) * (1 - variance[:, [out]]) + with_out**2
        gain = np.where(free, np.log(np.maximum(ratio, 1e-300)).mean(0), -np.inf)
        best = int(gain.argmax())
        without_swap += 1
        if gain[best] > 1e-4:
            chosen[place] = best
            free[out] = True
            free[best] = False
            without_swap = 0
            projected, variance = _project(features, chosen)
        if without_swap == count:
            break
    return np.asarray(chosen, np.int64)


def _project(features: Array, chosen: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return features (S, N, P) times the inverse information, and their variances (S, N)."""
    known = features[:, chosen]
    gram = known.transpose(0, 2, 1) @ known + 1e-10 * np.eye(features.shape[2])
    projected = features @ np.linalg.inv(gram)
    return projected, np.einsum("snp,snp->sn", projected, features)


def keep_different(points: Array) -> Array:
    """Return the points that differ by more than rounding, in their order."""
    _, first = np.unique(np.round(points, 5), axis=0, return_index=True)
    return points[np.sort(first)]


def _complete(
    found: Array, seen: Array, count: int, where: Region, least: float, rng: np.random.Generator
) -> Drawn:
    """Return ``count`` of the mixtures found.

    Where they are too few, others are pulled within the limits.
    """
    if len(found) >= count:
        return Drawn(found[np.sort(rng.permutation(len(found))[:count])], 0)
    pulled = where.within(seen)
    for _ in range(5):
        dropped = drop_small_weights(pulled, where, least)
        fine = meets(dropped, where)
        # Where dropping a small weight would break a limit, the limit counts more.
        pulled = np.where(fine[:, None], dropped, where.within(dropped))
    pulled = keep_different(pulled[meets(pulled, where)])
    known = {tuple(row) for row in np.round(found, 5)}
    is_new = np.array([tuple(row) not in known for row in np.round(pulled, 5)], bool)
    fresh = pulled[is_new]
    missing = count - len(found)
    if len(fresh) < missing:
        raise ReweightvizError(
            f"bounds and caps leave only {len(found) + len(fresh)} different mixtures; "
            f"{count} runs were asked for."
        )
    return Drawn(np.concatenate([found, fresh[rng.permutation(len(fresh))[:missing]]]), missing)
