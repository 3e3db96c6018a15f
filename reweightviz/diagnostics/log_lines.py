"""The lines of a run log: how many steps each stands for, and its weights as shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.runlog import RunLog
from reweightviz.core.types import Array

__all__ = ["SAME", "count_steps", "normalize_weights"]


SAME = 1e-6
"""How far weights may be from those of a log, which holds seven digits."""


def count_steps(log: RunLog) -> NDArray[np.int64]:
    """Return how many steps (T,) each line of a log stands for: those since the line before.

    Before the first line there were no more steps than between the first two. A line alone stands
    for one, because nothing is known of others.

    >>> count_steps(RunLog(("web",), [10, 20, 40], [[1.0]] * 3)).tolist()
    [10, 10, 20]
    """
    if not len(log):
        return np.zeros(0, np.int64)
    between = np.diff(log.steps)
    most = between[0] if len(between) else 1
    first = np.clip(log.steps[0], 1, most)
    return np.append(first, between).astype(np.int64)


def normalize_weights(log: RunLog) -> Array:
    """Return the weights (T, K) of a log, each line divided by its sum; NaN where there are none.

    >>> normalize_weights(RunLog(("web", "code"), [1, 2], [[2.0, 6.0], [0.0, 0.0]])).tolist()
    [[0.25, 0.75], [nan, nan]]
    """
    totals = log.weights.sum(1, keepdims=True)
    good = (log.weights >= 0).all(1, keepdims=True) & (totals > 0) & np.isfinite(totals)
    shares = np.divide(log.weights, totals, out=np.full(log.weights.shape, np.nan), where=good)
    # A sum of 1 but for rounding leaves the weights as they were written.
    return np.where(good & (np.abs(totals - 1) < SAME), log.weights, shares)
