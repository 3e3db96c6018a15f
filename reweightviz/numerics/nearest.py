"""Nearest rows of a matrix, exact, block by block so that no n x N array is held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.types import Array, Rows

__all__ = ["nearest_rows", "weighted_places"]


BLOCK = 1 << 22
"""Distances that are held at once."""


def nearest_rows(
    queries: NDArray[np.floating], rows: NDArray[np.floating], k: int
) -> tuple[Rows, Array]:
    """Return the ``k`` rows (N, D) nearest to each query (n, D), the nearest first.

    Ties go to the lowest row; with fewer than ``k`` rows all of them are returned.

    Returns:
        The rows (n, k) and their Euclidean distances (n, k).

    >>> queries, rows = np.array([[0.0, 1.0]]), np.array([[5.0, 5.0], [0.0, 0.0], [0.0, 2.0]])
    >>> nearest_rows(queries, rows, 2)
    (array([[1, 2]]), array([[1., 1.]]))
    """
    k = min(k, len(rows))
    squares = np.einsum("nd,nd->n", rows, rows)
    found = np.empty((len(queries), k), np.int64)
    distances = np.empty((len(queries), k))
    step = max(1, BLOCK // max(len(rows), 1))
    for start in range(0, len(queries), step):
        part = np.asarray(queries[start : start + step], rows.dtype)
        rough = squares - 2 * part @ rows.T
        near = np.sort(np.argpartition(rough, k - 1, axis=1)[:, :k], axis=1)
        # The difference of two squares loses what a small distance is made of.
        exact = np.linalg.norm(rows[near].astype(np.float64) - part[:, None], axis=2)
        order = np.argsort(exact, axis=1, kind="stable")
        found[start : start + step] = np.take_along_axis(near, order, 1)
        distances[start : start + step] = np.take_along_axis(exact, order, 1)
    return found, distances


def weighted_places(
    queries: NDArray[np.floating],
    rows: NDArray[np.floating],
    places: NDArray[np.floating],
    k: int,
) -> Array:
    """Return the mean place of each query's nearest rows, by their distance to the power -2.

    A query that lies on a row gets the place of that row.

    Args:
        queries: (n, D).
        rows: (N, D).
        places: (N, P) of the rows.
        k: how many neighbours count.

    >>> rows, places = np.array([[0.0], [3.0]]), np.array([[0.0, 0.0], [6.0, 9.0]])
    >>> weighted_places(np.array([[1.0], [3.0]]), rows, places, 2).round(9).tolist()
    [[1.2, 1.8], [6.0, 9.0]]
    """
    near, distances = nearest_rows(queries, rows, k)
    first = distances[:, :1]
    # By the ratio to the nearest: a distance of 0 leaves the row that it is of alone.
    weights = np.divide(first, distances, out=np.ones_like(distances), where=distances > 0)
    weights **= 2
    weights /= weights.sum(1, keepdims=True)
    return np.asarray((weights[:, :, None] * np.asarray(places, np.float64)[near]).sum(1))
