"""Embeddings as they come in: numbers, a row a document, none of them NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError

__all__ = ["Matrix", "as_embedding", "as_matrix", "unit_rows"]


Matrix = NDArray[np.float32]


def as_matrix(values: Any) -> Matrix:
    """Return an array of float32; refuse text and rows of different lengths."""
    try:
        return np.asarray(values, np.float32)
    except (TypeError, ValueError) as error:
        raise InvalidValue(
            name="an embedding",
            value=values,
            expected="(N, D) numbers, rows of one length",
            got=type(values).__name__,
        ) from error


def as_embedding(values: Any, N: int) -> Matrix:
    """Return an embedding (N, D) without NaN or inf.

    Raises:
        ReweightvizError: the shape is wrong, or a row is not finite; the sentence names the first.
    """
    matrix = as_matrix(values)
    if matrix.ndim != 2 or len(matrix) != N:
        raise InvalidValue(
            name="an embedding",
            value=matrix.shape,
            expected=f"(N, D) with a row a document, N = {N}",
        )
    bad = ~np.isfinite(matrix).all(1)
    if bad.any():
        raise ReweightvizError(
            f"the embedding has NaN or inf in {bad.sum()} of {N} rows, the first is row "
            f"{int(np.argmax(bad))}; drop or replace those rows."
        )
    return matrix


def unit_rows(matrix: Matrix) -> Matrix:
    """Return rows of length 1; zero rows stay zero, so their similarity to everything is 0."""
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    length[length == 0] = 1
    return np.asarray(matrix / length, np.float32)
