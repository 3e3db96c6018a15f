"""Runs of one mixture, and the noise of their losses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["DECIMALS", "group_equal_mixtures", "noise_of_repeats"]


DECIMALS = 6
"""Mixtures that agree to so many decimals are one."""


def group_equal_mixtures(mixtures: ArrayLike, decimals: int = DECIMALS) -> NDArray[np.int64]:
    """Return for each run (R,) the number of its mixture, from 0; equal rows of (R, K) share one.

    >>> group_equal_mixtures([[0.2, 0.8], [0.1, 0.9], [0.2, 0.8 + 1e-9]]).tolist()
    [1, 0, 1]
    """
    rows = np.round(np.asarray(mixtures, np.float64), decimals)
    _, group = np.unique(rows, axis=0, return_inverse=True)
    return np.asarray(group.ravel(), np.int64)


def noise_of_repeats(values: ArrayLike, group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the pooled standard deviation (M,) of values (R, M) within groups (R,).

    It is NaN where no group has two runs.
    """
    y = np.asarray(values, np.float64)
    counts = np.bincount(group)
    freedom = len(y) - len(counts)
    if not freedom:
        return np.full(y.shape[1], np.nan)
    means = np.stack([np.bincount(group, column) for column in y.T], 1) / counts[:, None]
    return np.asarray(np.sqrt(((y - means[group]) ** 2).sum(0) / freedom), np.float64)
