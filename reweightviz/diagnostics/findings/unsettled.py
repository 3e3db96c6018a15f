"""Weights that still move, or drift, at the end."""

from __future__ import annotations

import pandas as pd

from reweightviz.core.errors import list_names
from reweightviz.core.types import Array
from reweightviz.diagnostics.course import Course
from reweightviz.diagnostics.rounds import LATE, PARTS, measure_drift

__all__ = ["SETTLED", "find_unsettled"]


SETTLED = 0.02
"""Weights whose last round changes less in L1 have settled: 1 % of the tokens move."""


def find_unsettled(course: Course, rounds: pd.DataFrame, means: Array) -> str:
    """Return the sentence of weights that have not settled, from their rounds (T, K)."""
    last = rounds.iloc[-1]
    part = _name_last_part(course)
    advice = _advise(course)
    if last["l1"] < SETTLED:
        drift = measure_drift(course, means)
        before = min(LATE, len(means) - 1)
        most = course.domains[int(drift.argmax())]
        return (
            f"Not settled: {part} changed the weights little, but they drift, by "
            f"{drift.sum():.2g} in L1 over the {before} before it, "
            f"{list_names([most])} most; under {SETTLED:g} they "
            f"count as settled. {advice}"
        )
    return (
        f"Not settled: {part} changed the weights by {last['l1']:.2g} in L1 (KL "
        f"{last['kl']:.2g}), {list_names([last['moved']])} most; "
        f"under {SETTLED:g} they count as settled. {advice}"
    )


def _name_last_part(course: Course) -> str:
    if course.log is None:
        return "the last round"
    # A log shorter than the parts is cut into its lines.
    if len(course.weights) < PARTS:
        return "the last line"
    return "the last tenth of the run"


def _advise(course: Course) -> str:
    if course.log is None:
        return "Do another round."
    if course.is_mixed:
        return "Train longer, lower the step size, or take the mean of the weights."
    return "Where they do not change on purpose, take their mean."
