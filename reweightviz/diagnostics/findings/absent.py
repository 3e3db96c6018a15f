"""Domains that batches lack."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from reweightviz.core.errors import list_names
from reweightviz.diagnostics.course import Course
from reweightviz.diagnostics.findings._words import name_largest

__all__ = ["OFTEN", "find_absent"]


OFTEN = 0.05
"""Share of the lines that may lack a domain."""


def find_absent(course: Course, table: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence for domains that are often absent, and one for those never trained."""
    often = table[(table["absent"] > OFTEN) & (table["absent"] < 1)]
    if not often.empty:
        shares = name_largest(dict(100 * often["absent"]), "({:.0f} %)")
        longest = often["longest_gap"].max()
        lines = ""
        if longest > 0:
            lines = f"; the lines of the log lack one for up to {longest:.0f} steps"
        loss = "Its loss is not measured there"
        if course.is_mixed:
            loss = "A mixer learns nothing of it there"
        yield (
            f"Absent from batches: {shares}{lines}. {loss}: a larger batch, or at least "
            "one sequence of every domain in each, helps."
        )
    never = list(table.index[table["absent"] == 1])
    if never:
        yield (
            f"Never trained: {list_names(never)}. Leave such domains out, or give them a "
            "lowest weight."
        )
