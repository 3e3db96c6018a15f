"""One domain with nearly all of the weight."""

from __future__ import annotations

from collections.abc import Iterator

from reweightviz.core.errors import list_names
from reweightviz.diagnostics.course import Course
from reweightviz.diagnostics.findings._words import percent

__all__ = ["BOUND", "ONE_HOT", "find_one_hot"]


ONE_HOT = 0.9
"""A domain with this much weight has taken it all."""
BOUND = "Bound it, or pull towards a prior."


def find_one_hot(course: Course) -> Iterator[str]:
    """Yield a sentence where some line is one-hot."""
    most = course.weights.max(1)
    full = most >= ONE_HOT
    if len(course.domains) == 1 or not full.any():
        return
    # Of weights that move the line where it began, of others the worst stage or round.
    t = int(full.argmax())
    if not course.moves:
        t = int(most.argmax())
    who = list_names([course.domains[int(course.weights[t].argmax())]])
    if not course.moves:
        where = ""
        if len(course.at) > 1:
            where = f" at {course.kind} {course.at[t]}"
        yield f"One-hot{where}: {who} has {percent(most[t])} of the weight. {BOUND}"
        return
    lines = f"at {int(full.sum())} of {len(full)} lines"
    if full[t:].all():
        lines = "to the end"
    advice = BOUND
    if course.is_mixed:
        advice = (
            "A smaller step size (rv.sensitivity tries some), a reference trained on "
            "natural weights, shuffled data, and every "
            "domain in every batch help."
        )
    yield (
        f"One-hot: a domain has more than {percent(ONE_HOT)} of the weight, from step "
        f"{course.at[t]} {lines}, {who} first. {advice}"
    )
