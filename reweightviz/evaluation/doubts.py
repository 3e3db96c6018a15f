"""The doubts about a fitted law: targets that never change, or that it learnt nothing of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from reweightviz.core.errors import list_names
from reweightviz.core.protocols import Law

__all__ = ["SCORES", "find_doubts"]


SCORES = {"r2": "R²", "held_out_r2": "of runs left out"}
"""Diagnostics that are 0 or less where a law does no better than the mean, in words."""


def find_doubts(law: Law, who: str) -> Iterator[str]:
    """Yield a sentence for each kind of target that ``who``, the law, is no help with."""
    constant = []
    blind = {}
    weak = {}
    for target, row in _rows(law).items():
        # An R² of 0 is no fault of the law there, so such a target is named for this alone.
        if row.get("constant"):
            constant.append(target)
        elif any(row[name] <= 0 for name in SCORES if row.get(name) is not None):
            blind[target] = row
        elif row.get("degenerate"):
            weak[target] = row
    if constant:
        names = list_names(constant, 3)
        yield f"{names}: every run has the same loss, so there is nothing to learn."
    if blind:
        yield (
            f"{who} learnt nothing of {list_names(blind, 3)}, "
            f"{_describe_fits(blind.values())}: no "
            "better than the mean of the runs. "
            "rv.compare shows whether another law does."
        )
    if weak:
        yield (
            f"the fit of {who} is degenerate for {list_names(weak, 3)}, "
            f"{_describe_fits(weak.values())}: a part of its form has no effect there. "
            "rv.compare shows whether another law does better."
        )


def _rows(law: Law) -> dict[str, dict[str, Any]]:
    """Return target to the diagnostics of its fit; empty where the law has none."""
    found = getattr(law, "diagnostics", None) or {}
    if not found:
        return {}
    rows: dict[str, dict[str, Any]] = {target: {} for target in law.targets}
    for name in ("constant", "degenerate", *SCORES):
        for target, value in zip(rows, found.get(name) or (), strict=False):
            rows[target][name] = value
    return rows


def _describe_fits(rows: Iterable[dict[str, Any]]) -> str:
    table = list(rows)
    parts = []
    for name, words in SCORES.items():
        values = [row[name] for row in table if row.get(name) is not None]
        if values:
            parts.append(f"{words} {_range(values)}")
    return ", ".join(parts)


def _range(values: list[float]) -> str:
    # Compared as they are written: "0.10 to 0.10" would puzzle.
    low = f"{min(values):.2f}"
    high = f"{max(values):.2f}"
    if low == high:
        return low
    return f"{low} to {high}"
