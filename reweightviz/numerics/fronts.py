"""Fronts between several scores: the rows that none beats, their neighbours, and an even choice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from reweightviz.core.types import Array

__all__ = ["spread_evenly", "undominated", "widest_gap"]


def undominated(scores: Array) -> NDArray[np.int64]:
    """Return the rows of scores (n, A) that no other row beats or equals in every column.

    >>> undominated(np.array([[1.0, 4.0], [2.0, 2.0], [3.0, 3.0], [4.0, 1.0]])).tolist()
    [0, 1, 3]
    """
    span = np.maximum(np.ptp(scores, axis=0), 1e-12)
    # Rows that agree to a millionth of the span are one, or rounding would keep copies.
    _, left = np.unique(np.round(scores / span, 6), axis=0, return_index=True)
    left = left[np.argsort((scores[left] / span).sum(1), kind="stable")]
    best = []
    while len(left):  # the first has the least sum of those left, so none of them beats it
        best.append(left[0])
        left = left[(scores[left] < scores[left[0]]).any(1)]
    return np.sort(np.array(best, np.int64))


def widest_gap(shares: Array, values: Array) -> tuple[int, int] | None:
    """Return the neighbours by share whose values are furthest apart; None where all are close.

    Args:
        shares: (n, A), rows sum to 1; A is 2 or 3, and the first A rows are the corners.
        values: (n, A).
    """
    edges = _neighbours(shares)
    span = np.maximum(np.ptp(values, axis=0), 1e-12)
    width = np.linalg.norm((values[edges[:, 0]] - values[edges[:, 1]]) / span, axis=1)
    # Between shares this near nothing new lies, however far apart the values are.
    width[np.abs(shares[edges[:, 0]] - shares[edges[:, 1]]).max(1) < 1e-4] = 0
    best = int(width.argmax())
    if width[best] <= 1e-6:
        return None
    return int(edges[best, 0]), int(edges[best, 1])


def _neighbours(shares: Array) -> NDArray[np.int64]:
    """Return pairs of rows (E, 2): along the line of two shares, in the triangles of three."""
    if shares.shape[1] == 2:
        order = np.argsort(shares[:, 0])
        return np.stack([order[:-1], order[1:]], 1)
    corners = np.array([[0, 1, 2]])
    if len(shares) > 3:
        # Two of three shares that sum to 1 are coordinates in the plane.
        corners = Delaunay(shares[:, :2]).simplices
    sides = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]])
    return np.unique(np.sort(sides, 1), axis=0)


def spread_evenly(scores: Array, count: int) -> list[int]:
    """Return ``count`` rows of scores (n, A): the best in each column, then each the furthest."""
    scaled = scores / np.maximum(np.ptp(scores, axis=0), 1e-12)
    chosen = list(dict.fromkeys(scaled.argmin(0).tolist()))
    while len(chosen) < min(count, len(scaled)):
        distance = np.linalg.norm(scaled[:, None] - scaled[chosen][None], axis=2)
        chosen.append(int(distance.min(1).argmax()))
    return chosen
