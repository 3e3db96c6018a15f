"""Weights in a table of runs, found by what its columns hold.

They are a group of columns with a common prefix whose rows sum to 1, or one column with a mapping
of domain to weight in every cell.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from reweightviz.core.errors import MissingColumn, ReweightvizError, list_names, warn
from reweightviz.core.swarm import SUM_SLACK
from reweightviz.readers.swarms._names import SEPARATORS
from reweightviz.readers.swarms._numbers import Cells, read_cells

__all__ = ["choose_columns", "choose_weights", "find_weights", "parse_mappings"]


_COUNT = re.compile(
    r"(^|[_/:. -])(epochs?|passes|repetitions|tokens?|counts?|steps?)$", re.IGNORECASE
)
"""Ends of columns that count something of a domain, beside its weight."""


def choose_columns(table: pd.DataFrame, what: str, asked: str | Sequence[str]) -> list[str]:
    """Return columns by prefix, pattern or name.

    Args:
        table: of the runs.
        what: the columns hold, in a sentence: "weights", "metrics".
        asked: a prefix, a pattern such as ``eval/*``, or names.
    """
    if not isinstance(asked, str):
        absent = [column for column in asked if column not in table]
        if absent:
            raise MissingColumn(
                column=absent[0], available=table.columns, who=f"the {what} of the runs"
            )
        return list(asked)
    found = [column for column in table if fnmatchcase(column, asked) or column.startswith(asked)]
    if not found:
        raise ReweightvizError(
            f"no column begins with, or is like, {asked!r} for the {what}; there is "
            f"{list_names(table.columns, 20)}."
        )
    return found


def choose_weights(table: pd.DataFrame, asked: str | Sequence[str]) -> Cells:
    """Return the weights of the columns asked for, a column a domain; an empty cell is 0."""
    named = [asked] if isinstance(asked, str) else list(asked)
    if len(named) == 1 and named[0] in table:
        mapped = parse_mappings(table[named[0]])
        if mapped is not None:
            return read_cells(mapped)
    columns = choose_columns(table, "weights", asked)
    counts = [column for column in columns if _COUNT.search(column)]
    if isinstance(asked, str) and 0 < len(counts) < len(columns):
        columns = [column for column in columns if column not in counts]
        warn(f"{list_names(counts)} left out of the weights, as they count something else.")
    cells = read_cells(table[columns])
    return cells._replace(numbers=cells.numbers.fillna(0.0))


def find_weights(table: pd.DataFrame) -> pd.DataFrame | None:
    """Return the weights of a table (R, K), None where no columns hold some.

    Raises:
        ReweightvizError: several groups of columns may be the weights.
    """
    found: dict[str, pd.DataFrame] = {}
    for name, weights in (*_mapped_columns(table), *_widest_groups(table)):
        values = weights.to_numpy()
        # The same mixture may be written in two ways, in the config of a run and in its name.
        if not any(np.array_equal(values, other.to_numpy()) for other in found.values()):
            found[name] = weights
    if len(found) > 1:
        names = list(found)
        raise ReweightvizError(
            f"several groups of columns sum to 1, those that begin with {list_names(names)}, "
            f"phases of one run perhaps: weights={names[-1]!r} takes those alone."
        )
    return next(iter(found.values()), None)


def _mapped_columns(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for column in table:
        if not pd.api.types.is_numeric_dtype(table[column]):
            mapped = parse_mappings(table[column])
            if mapped is not None:
                yield column, mapped


def _widest_groups(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    cells = read_cells(table)
    numbers = cells.numbers.loc[:, ~cells.is_other.any(axis=0)]
    groups = dict(_groups_of_one(numbers))
    # A longer prefix often begins the same columns, or all of them that are not 0.
    widest = {
        tuple(columns): prefix
        for prefix, columns in groups.items()
        if not any(set(columns) < set(others) for others in groups.values())
    }
    for columns, prefix in widest.items():
        yield prefix, numbers[list(columns)].fillna(0.0)


def _groups_of_one(numbers: pd.DataFrame) -> Iterator[tuple[str, list[str]]]:
    """Yield a prefix, up to a separator, and its columns, where every row sums to 1."""
    shares = [column for column in numbers if _is_share(column, numbers[column])]
    prefixes = set()
    for column in shares:
        prefixes |= {column[: at + 1] for at, letter in enumerate(column) if letter in SEPARATORS}
    for prefix in sorted(prefixes):
        columns = [column for column in shares if column.startswith(prefix)]
        columns = _drop_settings(numbers[columns])
        # A single column of ones is no mixture.
        if len(columns) > 1 and _sums_to_one(numbers[columns]):
            yield prefix, columns


def _is_share(name: str, column: pd.Series) -> bool:
    values = column.dropna()
    return bool(len(values) and values.between(0, 1).all() and not _COUNT.search(name))


def _drop_settings(group: pd.DataFrame) -> list[str]:
    """Return the columns without those that never change, where the others sum to 1 exactly.

    A learning rate of 3e-4 beside weights would pass for a domain, within the slack of the sums.
    """
    filled = group.fillna(0.0)
    moving = [column for column in group if filled[column].nunique() > 1]
    rest = filled.drop(columns=moving)
    is_exact = np.abs(filled[moving].sum(axis=1) - 1) < 1e-6
    if moving and is_exact.all() and (rest.to_numpy() > 0).any():
        return moving
    return list(group)


def _sums_to_one(table: pd.DataFrame) -> bool:
    return bool((np.abs(table.fillna(0.0).sum(axis=1) - 1) <= SUM_SLACK).all())


# ---- mappings in cells


def parse_mappings(column: pd.Series) -> pd.DataFrame | None:
    """Return domain to weight from cells such as ``{"web": 0.7}``; None where they are others."""
    rows = []
    for cell in column:
        row = _parse_mapping(cell)
        if row is None:
            return None
        rows.append(row)
    table = pd.DataFrame(rows, index=column.index).fillna(0.0)
    return table if rows and _sums_to_one(table) else None


def _parse_mapping(cell: Any) -> dict[str, float] | None:
    found = cell
    if not isinstance(cell, Mapping):
        found = _parse_literal(cell)
    if not isinstance(found, Mapping) or not found:
        return None
    if not all(isinstance(value, int | float) for value in found.values()):
        return None
    return {str(domain): float(value) for domain, value in found.items()}


def _parse_literal(cell: Any) -> Any:
    """Return the content of a cell written as JSON or as Python; None where it is neither."""
    if not isinstance(cell, str) or not cell.lstrip().startswith("{"):
        return None
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
