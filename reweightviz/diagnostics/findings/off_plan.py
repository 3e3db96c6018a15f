"""Tokens drawn from other domains than the weights planned."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from reweightviz.core.errors import list_names
from reweightviz.diagnostics.course import Course
from reweightviz.diagnostics.findings._words import percent
from reweightviz.diagnostics.log_lines import normalize_weights

__all__ = ["OFF_PLAN", "find_off_plan"]


OFF_PLAN = 0.01
"""Share of the tokens that may be drawn from other domains than planned."""


def find_off_plan(course: Course, table: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence where a run that draws by its weights drew something else."""
    tokens = course.drawn_tokens
    if course.log is None or tokens is None or course.scales_loss:
        return
    has_weights = np.isfinite(normalize_weights(course.log)).all(1)
    drawn = pd.Series(np.nansum(tokens[has_weights], axis=0), table.index)
    if drawn.sum() <= 0:
        return
    share = drawn / drawn.sum()
    off = (share - table["mean"]).abs()
    moved = float(off.sum() / 2)
    if moved <= OFF_PLAN:
        return
    worst = str(off.idxmax())
    yield (
        f"Off plan: {percent(moved, 1)} of the tokens came from other domains than "
        f"the weights plan, {list_names([worst])} most "
        f"({percent(float(share[worst]), 1)} drawn, "
        f"{percent(float(table.loc[worst, 'mean']), 1)} planned). "
        f"{_explain(share, table['mean'], moved)}"
    )


def _explain(share: pd.Series, planned: pd.Series, moved: float) -> str:
    # Sorted, the shares are as near to each other as any order of the domains brings them.
    least = np.abs(np.sort(share) - np.sort(planned)).sum() / 2
    if least < moved / 4:
        return (
            "What was drawn is what the weights give to other domains: are the weights "
            "in the order of the domains?"
        )
    return "See whether a domain ran out, or whether the weights count documents, not tokens."
