"""Domains that are passed over too often, and epochs that are not known."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from reweightviz.core.sources import Sources
from reweightviz.diagnostics.course import Course
from reweightviz.diagnostics.findings._words import name_largest

__all__ = ["MOST_EPOCHS", "explain_missing_epochs", "find_repeated"]


MOST_EPOCHS = 4.0
"""More passes over a domain teach clearly less than new text would: N. Muennighoff et al.,
https://arxiv.org/abs/2305.16264."""


def find_repeated(table: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence where a domain is repeated too often."""
    over = table.loc[table["epochs"] > MOST_EPOCHS, "epochs"]
    if not over.empty:
        often = name_largest(dict(over), "{:.1f} times")
        yield (
            f"Repeated more than {MOST_EPOCHS:g} times: {often}. Cap the epochs (max_epochs=), "
            "or find more text."
        )


def explain_missing_epochs(course: Course, sources: Sources | None, budget: float | None) -> str:
    """Return why the epochs that were asked for are not known."""
    if sources is None:
        why = "nothing says what there is of each domain; pass sources="
    elif budget is None and course.log is not None:
        why = "the log counts no tokens; pass tokens="
    elif budget is None:
        why = "nothing says how many tokens are trained on; pass tokens="
    else:
        part = "stage" if course.kind == "step" else "round"
        why = f"how long each {part} lasts is not said"
    return f"Epochs are not known: {why}."
