"""What a fitted law says against itself: targets that never change, and targets of which it learnt nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from reweightviz.core.errors import listed
from reweightviz.core.protocols import Law


def doubts(law: Law, who: str) -> Iterator[str]:
    """A sentence for each kind of target that ``who``, the law's name, cannot be asked about."""
    found = getattr(law, "diagnostics", None) or {}
    said: dict[str, Any] = {target: {} for target in law.targets} if found else {}
    for name in ("constant", "degenerate", "r2", "held_out_r2"):
        for target, value in zip(said, found.get(name) or (), strict=False):
            said[target][name] = value
    constant = [target for target, row in said.items() if row.get("constant")]
    varied = {target: row for target, row in said.items() if target not in constant}
    blind = {
        target: row
        for target, row in varied.items()
        if any(row.get(name) is not None and row[name] <= 0 for name in ("r2", "held_out_r2"))
    }
    weak = {
        target: row
        for target, row in varied.items()
        if row.get("degenerate") and target not in blind
    }
    if constant:
        yield f"{listed(constant, 3)}: every run has the same loss, so there is nothing to learn."
    if blind:
        yield (
            f"{who} learnt nothing of {listed(blind, 3)}, {_fits(blind.values())}: no "
            "better than the mean of the runs. "
            "rv.compare tells whether another law does."
        )
    if weak:
        yield (
            f"the fit of {who} is degenerate for {listed(weak, 3)}, "
            f"{_fits(weak.values())}: a part of its form has no effect there. "
            "rv.compare tells whether another law does better."
        )


def _fits(rows: Iterable[dict[str, Any]]) -> str:
    rows = list(rows)
    parts = [
        f"{words} {_range([row[name] for row in rows if row.get(name) is not None])}"
        for name, words in (("r2", "R²"), ("held_out_r2", "of runs left out"))
        if any(row.get(name) is not None for row in rows)
    ]
    return ", ".join(parts)


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"
