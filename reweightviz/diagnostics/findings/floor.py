"""Domains that rest on the lowest weight of all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from reweightviz.core.errors import list_names
from reweightviz.diagnostics.course import Course
from reweightviz.diagnostics.rounds import PARTS

__all__ = ["FLOOR", "NEAR", "find_floor"]


FLOOR = 0.2
"""Below this share of the uniform weight, the lowest weight of all is a floor."""
NEAR = 1.05
"""Times the floor within which a weight rests on it."""


def find_floor(course: Course) -> Iterator[str]:
    """Yield a sentence where domains ended on the floor."""
    lowest = float(course.weights.min())
    if not course.moves or not 0 < lowest < FLOOR / len(course.domains):
        return
    late = course.weights[-max(len(course.weights) // PARTS, 1) :]
    rests = np.all(late < NEAR * lowest, axis=0)
    # One that rests where all others rest too may have been sent there.
    others_move = np.ptp(late, axis=0).max() > lowest
    if not rests.any() or (rests.sum() == 1 and not others_move):
        return
    advice = "Give them more if they must be learned, or leave them out."
    if course.is_mixed:
        advice = (
            "The signal alone would send them lower: smooth more if they must be "
            "learned, or leave them out."
        )
    names = list_names(np.array(course.domains, object)[rests], 3)
    yield (
        f"On the floor: {names} ended at {100 * lowest:.2g} %, the lowest weight of the run. "
        f"{advice}"
    )
