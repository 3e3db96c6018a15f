"""The small drawings in the tables of a decision record, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reweightviz.decision.decision import DomainRow, TargetPrediction

__all__ = ["BAR", "COLORS", "FOREST", "TONES", "draw_bar", "draw_change", "measure_reach"]


TONES = {
    "better": "good",
    "better on average": "good",
    "worse": "bad",
    "worse on average": "bad",
    "noise": "none",
    "unknown": "none",
}
COLORS = {"good": "var(--good)", "bad": "var(--bad)", "none": "var(--faint)"}
BAR = (64, 14)
FOREST = (70, 14)
"""Width and height of the drawings in the two tables."""


def draw_bar(row: DomainRow, most: float) -> str:
    """Draw a weight as a bar, and its reference as a tick; the widest is ``most``."""
    width, height = BAR
    scale = width / most if most else 0.0
    parts = [
        _rect(0, 0.5, width, height - 1, "var(--band)"),
        _rect(0, 3, row.weight * scale, height - 6, row.color),
    ]
    if row.reference is not None:
        # The tick is 2 pixels wide and stays inside the drawing at both ends.
        at = max(min(row.reference * scale, width) - 1, 0)
        parts.append(_rect(at, 0, 2, height, "var(--ink)"))
    return _svg(BAR, *parts)


def draw_change(one: TargetPrediction, reach: float) -> str:
    """Draw the interval of a difference around 0: to the left is lower.

    The dot is hollow where the difference holds on average alone, and there is no line without an
    interval. The axis reaches from ``-reach`` to ``reach``.
    """
    width, height = FOREST
    color = COLORS[TONES[one.verdict]]
    parts = [_rect(width / 2 - 0.5, 0, 1, height, "var(--faint)")]
    if one.change is not None and math.isfinite(one.change.value):
        at = [
            width / 2 * (1 + max(-1.0, min(1.0, value / reach)))
            for value in one.change
            if math.isfinite(value)
        ]
        if len(at) == len(one.change):
            start = min(at[1:])
            # An interval of no width is drawn a pixel wide.
            parts.append(_rect(start, height / 2 - 1.5, max(max(at[1:]) - start, 1), 3, color))
        fill = "var(--paper)"
        if one.verdict in ("better", "worse"):
            fill = color
        parts.append(
            f'<circle cx="{at[0]:.1f}" cy="{height / 2:g}" r="2.5" '
            f'fill="{fill}" stroke="{color}" stroke-width="1.3"/>'
        )
    return _svg(FOREST, *parts)


def measure_reach(predictions: Sequence[TargetPrediction]) -> float:
    """Return half the width of the axis that all drawings of changes share."""
    # One axis for all, so that the drawings can be held against each other down the column.
    ends = [abs(value) for one in predictions for value in one.change or ()]
    return 1.08 * max(filter(math.isfinite, ends), default=1.0) or 1.0


def _svg(size: tuple[int, int], *parts: str) -> str:
    width, height = size
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'aria-hidden="true">{"".join(parts)}</svg>'
    )


def _rect(x: float, y: float, width: float, height: float, color: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{height:g}" rx="1" '
        f'style="fill: {color}"/>'
    )
