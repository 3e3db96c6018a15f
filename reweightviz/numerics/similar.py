"""Similarity of documents to those of a target, block by block: no N x Q array is held."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.numerics.inner import unit_rows

__all__ = ["greatest_cosines"]


_BLOCK = 1 << 22
"""Similarities that are held at once."""


def greatest_cosines(who: str, E: Any, Q: Any, groups: ArrayLike | None = None) -> Array:
    """Return the greatest cosine (N, T) of each document with one of each task's documents.

    A row of zeros is similar to nothing, 0; one that is not finite has NaN.

    Args:
        who: asks, for the sentence of an error.
        E: (N, D).
        Q: (Q, D).
        groups: (Q,) the task of each row of Q; all one when not given.
    """
    rows = np.asarray(E)
    queries = np.asarray(Q, np.float64)
    if rows.ndim != 2 or queries.ndim != 2 or rows.shape[1] != queries.shape[1] or not len(queries):
        raise UnmetNeed(
            name=who,
            value=(rows.shape, queries.shape),
            expected="embeddings (N, D) and of the target (Q, D), at least one",
            got=f"shapes {rows.shape} and {queries.shape}",
        )
    tasks = np.zeros(len(queries), np.int64)
    if groups is not None:
        tasks = np.unique(np.asarray(groups), return_inverse=True)[1]
    aims = unit_rows(queries)
    out = np.empty((len(rows), int(tasks.max()) + 1))
    step = max(1, _BLOCK // max(len(aims), rows.shape[1]))
    for start in range(0, len(rows), step):
        part = unit_rows(rows[start : start + step]) @ aims.T
        for task in range(out.shape[1]):
            out[start : start + step, task] = part[:, tasks == task].max(1)
    return out
