"""Mappings in the cells of a table: a mixture, or the config and summary of a run.

The recipe of W&B's own documentation exports runs with the columns ``summary``, ``config`` and
``name``, and a CSV file holds their mappings as Python writes them.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.swarm import SUM_SLACK

__all__ = ["parse_mixtures", "unfold"]


# Python writes them without quotes, where its own literals have no such word.
_NO_NUMBER = re.compile(r"(?<=[:\[,] )-?(nan|inf)(?=[,}\]])")
DEEPEST = 5
MOST_COLUMNS = 20_000


def unfold(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with a column for each entry of its mappings, but for those of mixtures.

    >>> unfold(pd.DataFrame({"config": [{"lr": 0.1, "mix": {"web": 0.7, "code": 0.3}}]})).columns
    Index(['config.lr', 'config.mix'], dtype='str')
    """
    for _ in range(DEEPEST):
        folded = {name: _parse_column(table[name]) for name in table}
        parts = {
            name: pd.DataFrame(entries, index=table.index).add_prefix(f"{name}.")
            for name, entries in folded.items()
            if entries is not None and not _are_mixtures(entries)
        }
        if not parts:
            break
        rest = table.drop(columns=list(parts))
        columns = [name for part in (rest, *parts.values()) for name in part]
        if len(columns) > MOST_COLUMNS or len(set(columns)) < len(columns):
            raise ReweightvizError(
                f"the mappings of the table unfold to {len(columns)} columns, {len(set(columns))} "
                f"of them different: at most {MOST_COLUMNS} different ones are read."
            )
        table = pd.concat([rest, *parts.values()], axis=1)
    return table


def parse_mixtures(column: pd.Series) -> pd.DataFrame | None:
    """Return domain to weight from cells such as ``{"web": 0.7}``; None where they are others."""
    entries = _parse_column(column)
    if entries is None or not _are_mixtures(entries):
        return None
    return pd.DataFrame(entries, index=column.index).fillna(0.0)


def _parse_column(column: pd.Series) -> list[dict[str, Any]] | None:
    """Return the mappings of a column, None where a cell is none."""
    if pd.api.types.is_numeric_dtype(column) or not len(column):
        return None
    entries = []
    for cell in column:
        entry = cell if isinstance(cell, Mapping) else _parse_text(cell)
        if not isinstance(entry, Mapping) or not entry:
            return None
        entries.append({str(name): value for name, value in entry.items()})
    return entries


def _are_mixtures(entries: list[dict[str, Any]]) -> bool:
    """Return whether every mapping is of weights that sum to 1."""
    for entry in entries:
        if not all(isinstance(value, int | float) for value in entry.values()):
            return False
        if not abs(sum(entry.values()) - 1) <= SUM_SLACK:
            return False
    return True


def _parse_text(cell: Any) -> Any:
    """Return the content of a cell written as JSON or as Python; None where it is neither."""
    if not isinstance(cell, str) or not cell.lstrip().startswith("{"):
        return None
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(_NO_NUMBER.sub("None", cell))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
