"""The rounds of a course: tenths of a run or stages of a schedule, and how far weights moved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from reweightviz.core.mixture import effective_domains
from reweightviz.core.types import Array
from reweightviz.diagnostics.course import Course

__all__ = ["LATE", "PARTS", "cut_rounds", "measure_drift", "tabulate_changes"]


PARTS = 10
"""Parts that a run is cut into."""
LATE = 3
"""Parts before the last that the last is held against."""


def cut_rounds(course: Course) -> tuple[Sequence[int], Array]:
    """Return where each round ends, and the mean of its weights (T, K)."""
    if course.log is None or course.counts is None:
        return course.at, course.weights
    lines = len(course.weights)
    parts = np.array_split(np.arange(lines), min(PARTS, lines))
    means = [
        np.average(course.weights[part], axis=0, weights=course.counts[part]) for part in parts
    ]
    return [course.at[part[-1]] for part in parts], np.array(means)


def tabulate_changes(
    domains: tuple[str, ...], at: Sequence[int], weights: Array, kind: str
) -> pd.DataFrame:
    """Return a row a line of weights (T, K): effective domains, change in L1 and KL, who moved.

    Args:
        domains: (K,).
        at: (T,) the index.
        weights: (T, K).
        kind: name of the index.
    """
    before = weights[:-1]
    after = weights[1:]
    # 0 log 0 is 0; a weight that comes from 0 makes the KL infinite.
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(after > 0, after * np.log(after / before), 0.0)
    change = np.abs(after - before)
    moved = [""]
    for row in change:
        most = int(row.argmax())
        moved.append(domains[most] if row[most] else "")
    return pd.DataFrame(
        {
            "effective": effective_domains(weights),
            "l1": [np.nan, *change.sum(1)],
            "kl": [np.nan, *terms.sum(1)],
            "moved": moved,
        },
        index=pd.Index(at, name=kind),
    )


def measure_drift(course: Course, means: Array) -> Array:
    """Return how far each weight (K,) of the last round is from an earlier one.

    That is the round that differs most: of the three before, in a run; of rounds, the one before.
    """
    # Weights that creep in one direction change little from each round to the next.
    back = 1
    if course.log is not None:
        back = min(LATE, len(means) - 1)
    change = np.abs(means[-1] - means[-1 - back : -1])
    return np.asarray(change[change.sum(1).argmax()], np.float64)
