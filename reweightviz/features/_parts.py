"""Columns that take long: computed part by part, each kept, so that a cut-short run goes on."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

from reweightviz.core.cache import Arrays, compute_once
from reweightviz.core.corpus import Corpus

__all__ = ["compute_in_parts", "plan_parts"]


def plan_parts(corpus: Corpus, longest: int, most: float) -> list[NDArray[np.int64]]:
    """Return rows of parts of at most so many bytes of text, of each at most ``longest`` counted.

    A document that is longer than a part is one by itself.
    """
    lengths = np.asarray(pa.compute.binary_length(corpus["text"]).to_numpy(), np.float64)
    ends = np.cumsum(np.minimum(lengths, longest) + 1)
    numbers = (ends // max(most, 1)).astype(np.int64)
    return np.split(np.arange(len(corpus)), np.flatnonzero(np.diff(numbers)) + 1)


def compute_in_parts(
    name: str,
    key: tuple[object, ...],
    parts: list[NDArray[np.int64]],
    compute: Callable[[NDArray[np.int64]], Arrays],
) -> Arrays:
    """Return the arrays of all parts, joined along their rows; each part is computed once.

    Args:
        name: of the cached files.
        key: all that the result depends on, without the parts.
        parts: rows of each.
        compute: rows of a part to its arrays.
    """
    found = []
    for rows in parts:
        place = (int(rows[0]), int(rows[-1])) if len(rows) else (0, -1)
        found.append(compute_once(name, (*key, *place), functools.partial(compute, rows)))
    return {what: np.concatenate([part[what] for part in found]) for what in found[0]}
