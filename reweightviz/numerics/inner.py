"""Inner products of gradients, with an inverse or without: the mathematics of data influence.

A step of size eta on document x changes the loss of z by -eta <g_x, g_z>, so most scorers by
gradients are this product with another vector: the mean gradient of a target, a difference of
weights, or the gradient itself. The order is fixed: precondition, scale to unit length, aggregate.
Everything is computed a block of rows at a time in double precision, so that G may be a memory map
of half precision.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.types import Array

__all__ = [
    "Inverse",
    "damped_inverse",
    "group_means",
    "inner",
    "precondition",
    "self_inner",
    "unit_rows",
]


Inverse = Literal["none", "datainf", "exact"]
_BLOCK = 1 << 22  # numbers of G that are in double precision at once
_LARGEST = 8192  # sides of a matrix that is solved


def inner(
    G: Any,
    Q: ArrayLike,
    *,
    unit: bool = False,
    inverse: Inverse = "none",
    damping: float = 0.1,
) -> Array:
    """Return the products (N, Q) of gradients (N, D) and vectors (Q, D) or (D,), the latter (N,).

    A row with NaN has NaN products, and no part in an inverse.

    Args:
        G: (N, D) gradients, a row a document.
        Q: what they are multiplied with.
        unit: whether the rows of G have length 1 first; a row of zeros keeps its zeros.
        inverse: of the mean of outer products of G that stands between: "none"; "datainf", the
            mean of inverses; "exact".
        damping: of the inverse, a share of the mean square of G.
    """
    vectors = np.atleast_2d(np.asarray(Q, np.float64))
    if G.ndim != 2 or vectors.shape[1] != G.shape[1]:
        raise InvalidValue(
            name="vectors beside gradients",
            value=np.shape(Q),
            expected=f"as many numbers a row as the gradients {tuple(G.shape)} have",
        )
    if inverse != "none":
        vectors = damped_inverse(G, vectors, kind=inverse, damping=damping, unit=unit)
    out = np.empty((len(G), len(vectors)))
    for rows, block in _blocks(G, unit=unit):
        out[rows] = block @ vectors.T
    if np.ndim(Q) == 1:
        return out[:, 0]
    return out


def self_inner(G: Any) -> Array:
    """Return the squared length (N,) of every row of (N, D)."""
    out = np.empty(len(G))
    for rows, block in _blocks(G):
        out[rows] = np.einsum("ij,ij->i", block, block)
    return out


def unit_rows(values: ArrayLike) -> Array:
    """Return rows of length 1; a row of zeros stays as it is.

    >>> unit_rows([[3, 4], [0, 0]]).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    rows = np.asarray(values, np.float64)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Array = rows / np.where(lengths == 0, 1, lengths)
    return unit


def group_means(values: ArrayLike, groups: ArrayLike | None = None) -> Array:
    """Return the mean row of each group (T, D), of any sizes, in sorted order of the groups.

    Args:
        values: (Q, D) numbers.
        groups: (Q,) the group of each row; all one when not given.
    """
    rows = np.asarray(values, np.float64)
    if groups is None:
        return np.asarray(rows.mean(0, keepdims=True))
    _, index = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.zeros((index.max() + 1, rows.shape[1]))
    np.add.at(sums, index, rows)
    means: Array = sums / np.bincount(index)[:, None]
    return means


def precondition(
    gradient: Any,
    first: Any,
    second: Any,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> Any:
    """Return the direction of Adam's next step by gradients, of NumPy or torch.

    As LESS has it: m' / sqrt(v' + epsilon) with m' = beta1 m + (1 - beta1) g and v' likewise;
    epsilon within the root, no correction of the bias.

    Args:
        gradient: (..., P) gradients.
        first: (P,) Adam's mean of gradients at the checkpoint, m.
        second: (P,) its mean of squared gradients, v.
        beta1: the optimiser's.
        beta2: the optimiser's.
        epsilon: the optimiser's.

    >>> precondition(np.array([1.0, -2.0]), 0.0, 0.0).round(3).tolist()
    [3.162, -3.162]
    """
    mean = beta1 * first + (1 - beta1) * gradient
    square = beta2 * second + (1 - beta2) * gradient**2
    return mean / (square + epsilon) ** 0.5


def damped_inverse(
    G: Any,
    Q: ArrayLike,
    *,
    kind: Literal["datainf", "exact"] = "datainf",
    damping: float = 0.1,
    unit: bool = False,
) -> Array:
    """Return vectors (Q, D) times the inverse of ``G^T G / n + lambda I``.

    ``lambda`` is the damping times the mean square of G. "datainf" has the mean of the inverses of
    ``g_i g_i^T + lambda I`` instead, closed by Sherman and Morrison, in O(N D); it is exact for one
    document. Gradients that are all zero have no curvature: the vectors become zero.

    Raises:
        ReweightvizError: "exact" for more documents and more dimensions than can be solved.
    """
    vectors = np.atleast_2d(np.asarray(Q, np.float64))
    squares = self_inner(G)
    fine = np.isfinite(squares)
    count = int(fine.sum())
    if count == 0 or not squares[fine].any():
        return np.zeros_like(vectors)
    strength = damping * squares[fine].sum() / (count * G.shape[1])
    if unit:
        strength = damping / G.shape[1]
    if kind == "exact":
        return _solve(G, vectors, fine, strength, unit=unit)
    out = np.zeros_like(vectors)
    for rows, block in _blocks(G, unit=unit):
        kept = block[fine[rows]]
        lengths = np.einsum("ij,ij->i", kept, kept)
        out += (vectors @ kept.T / (strength + lengths)) @ kept
    inverted: Array = (vectors - out / count) / strength
    return inverted


def _solve(
    G: Any, vectors: Array, fine: NDArray[np.bool_], strength: float, *, unit: bool
) -> Array:
    """Solve for the exact inverse, in the smaller of the two dimensions."""
    count = int(fine.sum())
    dimensions = G.shape[1]
    if min(count, dimensions) > _LARGEST:
        side = min(count, dimensions)
        raise ReweightvizError(
            f"the exact inverse of {count} gradients with {dimensions} dimensions solves a matrix "
            f"of {side} x {side}, {side * side * 8 / 1e9:.1f} GB; the limit is {_LARGEST}: "
            "fewer dimensions, or the inverse 'datainf', would do."
        )
    if dimensions <= count:
        matrix = np.eye(dimensions) * strength
        for rows, block in _blocks(G, unit=unit):
            kept = block[fine[rows]]
            matrix += kept.T @ kept / count
        return np.asarray(np.linalg.solve(matrix, vectors.T).T, np.float64)
    kept = np.concatenate([block[fine[rows]] for rows, block in _blocks(G, unit=unit)])
    gram = kept @ kept.T + np.eye(count) * (count * strength)
    inside = np.linalg.solve(gram, kept @ vectors.T).T @ kept
    return np.asarray((vectors - inside) / strength, np.float64)


def _blocks(G: Any, *, unit: bool = False) -> Iterator[tuple[slice, Array]]:
    """Yield slices of rows, and those rows in double precision."""
    step = max(_BLOCK // max(G.shape[1], 1), 1)
    for start in range(0, len(G), step):
        rows = slice(start, start + step)
        block = np.asarray(G[rows], np.float64)
        if unit:
            block = unit_rows(block)
        yield rows, block
