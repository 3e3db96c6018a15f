"""Optimal transport from a mixture of domains to a target, by dual potentials.

The distance is convex in the weights. For one mixture, POT (Rémi Flamary et al., "POT: Python
Optimal Transport", JMLR 2021, https://pythonot.github.io) finds potentials f over the documents and
g over the target. Whatever the weights p, the mean of f over each domain's documents, weighed by p,
plus the mean of g, is no more than the distance at p, and equal at the mixture that was solved: a
cut. The largest of some cuts is the distance to within a little, without another problem to solve,
and its slopes are the gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import MissingPackage, ReweightvizError
from reweightviz.core.types import Array

__all__ = ["MOST_PAIRS", "Distances", "Potentials", "cuts", "potentials", "squared_distances"]


MOST_PAIRS = 4_000_000
"""Pairs of documents, at most: the costs are held at once."""


class Distances(NamedTuple):
    """Transport distance to a target: the largest of C cuts ``slopes (C, K) . p + levels (C,)``."""

    slopes: Array
    levels: Array

    def at(self, weights: Array) -> Array:
        """Return distances (n,) of mixtures (n, K).

        >>> Distances(np.array([[1.0, 3.0]]), np.zeros(1)).at(np.array([[0.5, 0.5]])).tolist()
        [2.0]
        """
        return np.asarray((weights @ self.slopes.T + self.levels).max(1), np.float64)

    def slope(self, weights: Array) -> Array:
        """Return how the distance changes with each weight, (n, K): a subgradient."""
        return np.asarray(
            self.slopes[(weights @ self.slopes.T + self.levels).argmax(1)], np.float64
        )


class Potentials(NamedTuple):
    """A solved transport: its ``value``, and dual potentials of sources (X,) and target (Y,)."""

    value: float
    source: Array
    target: Array


def potentials(cost: Array, source: Array, target: Array, *, entropy: float = 0.0) -> Potentials:
    """Solve the transport of weights (X,) to weights (Y,) at a cost (X, Y).

    Args:
        cost: of moving one unit from a source to a target.
        source: sums to 1; some may be 0.
        target: sums to 1, all above 0.
        entropy: 0 for the exact distance (network simplex); above 0 for Sinkhorn's, in the unit of
            the cost.

    Returns:
        Potentials that are feasible for every source weight, so that ``source . f + target . g``
        is the value.

    Example:
        >>> even = np.array([0.5, 0.5])
        >>> near = potentials(np.array([[0.0, 2.0], [1.0, 3.0]]), even, even)
        >>> round(near.value, 6)
        1.5
    """
    ot = _pot()
    some = source > 0
    if entropy:
        # In logarithms: exp(-cost / entropy) is 0 in float64 where the cost is large.
        _, log = ot.bregman.sinkhorn_log(
            source[some],
            target,
            cost[some],
            entropy,
            numItermax=2000,
            stopThr=1e-7,
            log=True,
            warn=False,
        )
        toward = entropy * (np.asarray(log["log_v"]) - np.log(target))
        # Sinkhorn's last step once more, for documents of weight 0 too: they get a potential.
        lowered = (toward - cost) / entropy
        top = lowered.max(1, keepdims=True)
        away = -entropy * (top[:, 0] + np.log(np.exp(lowered - top) @ target))
    else:
        _, log = ot.emd2(
            source[some], target, np.ascontiguousarray(cost[some]), numItermax=1_000_000, log=True
        )
        toward = np.asarray(log["v"], np.float64)
        # The largest potentials that are feasible, for documents of weight 0 too.
        away = (cost - toward).min(1)
    return Potentials(
        float(source @ away + target @ toward),
        np.asarray(away, np.float64),
        np.asarray(toward, np.float64),
    )


def cuts(
    domains: Sequence[Array], target: Array, mixtures: Array, *, entropy: float = 0.0
) -> Distances:
    """Bound the distance from any mixture of domains to a target by transports of some mixtures.

    Args:
        domains: K arrays (X_k, D) of documents.
        target: (Y, D).
        mixtures: (C, K), where the distance is solved.
        entropy: 0 for the exact distance, else Sinkhorn's, as a share of the mean cost.

    Returns:
        Cuts of the mean squared Euclidean distance that the documents travel.
    """
    everywhere = np.concatenate(domains)
    if len(everywhere) * len(target) > MOST_PAIRS:
        raise ReweightvizError(
            f"transport holds a cost for each pair of documents, at most {MOST_PAIRS:,}; "
            f"got {len(everywhere):,} x {len(target):,}: take fewer of each."
        )
    cost = squared_distances(everywhere, target)
    # In units of the mean cost, in which an entropy means the same for any embedding.
    size = max(float(cost.mean()), 1e-300)
    even = np.full(len(target), 1 / len(target))
    first = np.cumsum([0, *(len(part) for part in domains)])[:-1]
    lengths = np.array([len(part) for part in domains])
    slopes = np.empty(mixtures.shape)
    levels = np.empty(len(mixtures))
    for row, weights in enumerate(mixtures):
        shares = np.repeat(weights / (weights.sum() * lengths), lengths)
        solved = potentials(cost / size, shares / shares.sum(), even, entropy=entropy)
        slopes[row] = np.add.reduceat(solved.source, first) / lengths
        levels[row] = solved.target.mean()
    return Distances(slopes * size, levels * size)


def squared_distances(left: ArrayLike, right: ArrayLike) -> Array:
    """Return squared Euclidean distances (n, m) between rows (n, D) and (m, D)."""
    left = np.asarray(left, np.float64)
    right = np.asarray(right, np.float64)
    square = (left**2).sum(1)[:, None] + (right**2).sum(1) - 2 * left @ right.T
    # The difference of two large squares may come out below 0.
    return np.asarray(np.maximum(square, 0), np.float64)


def _pot() -> Any:
    try:
        import ot
    except ImportError as error:
        raise MissingPackage(package="POT", extra="laws", who="Optimal transport") from error
    return ot
