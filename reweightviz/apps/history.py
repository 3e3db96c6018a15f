"""The history of a live mixture as an HTML table."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import pandas as pd

__all__ = ["draw_history"]


_MOST = 200  # versions in the table
_WRITTEN_OUT = 3  # moves of a change
_SAME = 1e-9
_SHORT = "text-align:left;padding:0 12px 0 0;vertical-align:top;white-space:nowrap"
_LONG = "text-align:left;padding:0 12px 0 0;vertical-align:top;min-width:160px"
_COLUMNS = {
    "version": _SHORT,
    "time (UTC)": _SHORT,
    "author": _SHORT,
    "from step": _SHORT,
    "change": _LONG,
    "note": _LONG,
}


def draw_history(table: pd.DataFrame) -> str:
    """Return the versions of a mixture, the latest first, folded while there is one.

    Args:
        table: of ``LiveMixture.changes()``.
    """
    rows = []
    before = None
    is_weight = table.columns.get_level_values(0) == "weight"
    facts = table.loc[:, ~is_weight].droplevel(1, axis=1)
    every = table.loc[:, is_weight].droplevel(0, axis=1)
    for (version, row), (_, weights) in zip(facts.iterrows(), every.iterrows(), strict=True):
        cells = (
            f"v{version}",
            f"{row['time']:%d %b %H:%M:%S}",
            row["author"],
            _describe_steps(row, is_newest=version == table.index[-1]),
            _describe_moves(before, weights),
            _read_note(row["note"]),
        )
        rows.append(_draw_row(cells))
        before = weights
    head = "".join(f'<th style="{_SHORT};font-weight:600">{title}</th>' for title in _COLUMNS)
    body = "".join(rows[: -_MOST - 1 : -1])
    opened = " open" if len(rows) > 1 else ""
    plural = "" if len(rows) == 1 else "s"
    return (
        f'<details style="font-size:12px;line-height:1.6"{opened}>'
        f"<summary>{len(rows)} version{plural} of the mixture</summary>"
        '<div style="overflow-x:auto"><table style="border-collapse:collapse">'
        f"<tr>{head}</tr>{body}</table></div></details>"
    )


def _draw_row(cells: Sequence[object]) -> str:
    columns = zip(_COLUMNS.values(), cells, strict=True)
    drawn = (f'<td style="{style}">{html.escape(str(cell))}</td>' for style, cell in columns)
    return f"<tr>{''.join(drawn)}</tr>"


def _describe_steps(row: pd.Series[Any], *, is_newest: bool) -> str:
    """Return the step from which a version held, and the one at which it was reached."""
    if pd.isna(row["step"]):
        # A run takes up the newest version alone.
        return "not yet" if is_newest else "never"
    first = f"{row['step']:,}"
    if pd.notna(row["reached"]) and row["reached"] > row["step"]:
        return f"{first} to {row['reached']:,}"
    return first


def _read_note(note: Any) -> str:
    return "" if pd.isna(note) else str(note)


def _describe_moves(before: pd.Series[float] | None, after: pd.Series[float]) -> str:
    """Return the largest moves, in percent; guards where no weight moved."""
    if before is None:
        return "start"
    sizes = (after - before).abs().sort_values(ascending=False)
    sizes = sizes[sizes > _SAME]
    moves = [
        f"{name} {100 * before[name]:.1f} to {100 * after[name]:.1f} %"
        for name in sizes.index[:_WRITTEN_OUT]
    ]
    if not moves:
        return "guards"
    sentence = ", ".join(moves)
    more = len(sizes) - len(moves)
    return f"{sentence} and {more} more" if more else sentence
