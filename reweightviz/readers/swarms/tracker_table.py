"""One exported table of a tracker (Weights & Biases, Aim, MLflow) with a row a run -> Swarm.

Such a table holds everything beside each other: names, settings, final metrics. Weights are found
by what their columns hold: a common prefix, and rows that sum to 1; or one column with a mapping
of domain to weight in every cell.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from reweightviz.core.errors import MissingColumn, ReweightvizError, list_names, warn
from reweightviz.core.swarm import SUM_SLACK, Swarm
from reweightviz.readers.swarms import two_tables
from reweightviz.readers.swarms._names import SEPARATORS
from reweightviz.readers.swarms._table import read_table

__all__ = ["FINISHED", "HELD_OUT", "NAMES", "STATES", "read"]


NAMES = (
    "Name",
    "Run Name",
    "run.name",
    "run_name",
    "run",
    "ID",
    "Run ID",
    "run_id",
    "Hash",
    "run.hash",
)
"""Columns that name a run, the first that is there and differs from run to run."""
STATES = ("State", "Status", "state", "status")
FINISHED = ("finished", "completed", "success", "FINISHED")
HELD_OUT = ("val", "eval", "test", "held", "dev")


def read(
    source: Any,
    *,
    weights: str | Sequence[str] | None = None,
    metrics: str | Sequence[str] | None = None,
    name: str | None = None,
    size: str | None = None,
    run_tokens: str | None = None,
    finished: bool = True,
    strip: bool = True,
    tokens: Mapping[str, float] | None = None,
    higher_is_better: Collection[str] = (),
    on_error: str = "raise",
) -> Swarm:
    """Read proxy runs from one table.

    Args:
        source: CSV file or table.
        weights: prefix of the weights' columns, or a pattern such as ``config.mix.*``, or their
            names; or the one column that holds a mapping. Found by what they hold when not given.
            An empty cell is a weight of 0.
        metrics: the same for the targets; columns that name a held-out loss when not given.
        name: column that names a run.
        size: column of model parameters.
        run_tokens: column of training tokens.
        finished: leave out runs that did not finish, by the column of their state.
        strip: leave out what the names of all domains, or of all targets, begin or end with.
        tokens: domain to tokens available to the runs.
        higher_is_better: targets (names after stripping) that are no losses.
        on_error: "raise", or "skip" to leave out, count and warn of runs that lack a value.

    Raises:
        ReweightvizError: one sentence naming the column or run.

    Example:
        >>> mix = {"mix/web": [0.7, 0.4], "mix/code": [0.3, 0.6]}
        >>> table = pd.DataFrame({"Name": ["a", "b"], **mix, "eval/web/loss": [3.1, 3.3]})
        >>> swarm = read(table, metrics="eval/*")
        >>> swarm.domains, swarm.losses.tolist()
        (('web', 'code'), [[3.1], [3.3]])
    """
    table = read_table("runs", source).reset_index(drop=True)
    if finished:
        table = _drop_unfinished(table)
    ratios = _weights(table, weights)
    losses = table[_metrics(table, metrics, ratios.columns)]
    names = _names_of_runs(table, name)
    swarm = two_tables.read(
        ratios.assign(run=names),
        losses.assign(run=names),
        keys=("run",),
        strip=strip,
        tokens=tokens,
        higher_is_better=higher_is_better,
        on_error=on_error,
    )
    rows = names[names.isin(swarm.runs["run"])].index
    for target, column in (("size", size), ("run_tokens", run_tokens)):
        if column is None:
            continue
        if column not in table:
            raise MissingColumn(column=column, available=table.columns, who="the table of runs")
        numbers = pd.to_numeric(table[column].loc[rows], errors="coerce")
        swarm.runs[target] = numbers.to_numpy(np.float64)
    return swarm


# ---- runs


def _drop_unfinished(table: pd.DataFrame) -> pd.DataFrame:
    state = next((column for column in STATES if column in table), None)
    if state is None:
        return table
    is_done = table[state].astype(str).isin(FINISHED)
    if not is_done.any():
        raise ReweightvizError(
            f"no run of the table has finished; {state!r} is {list_names(table[state].unique())}: "
            "finished=False takes them all."
        )
    if not is_done.all():
        warn(f"{(~is_done).sum()} of {len(table)} runs left out, they did not finish.")
    return table[is_done].reset_index(drop=True)


def _names_of_runs(table: pd.DataFrame, name: str | None) -> pd.Series:
    """Return a name a run; their numbers where no column names them."""
    if name is not None:
        if name not in table:
            raise MissingColumn(column=name, available=table.columns, who="the table of runs")
        return table[name].astype(str)
    for column in NAMES:
        if column in table and table[column].is_unique:
            return table[column].astype(str)
    return pd.Series([f"run {row}" for row in range(len(table))])


# ---- weights and metrics


def _choose(table: pd.DataFrame, what: str, asked: str | Sequence[str]) -> list[str]:
    """Return columns by prefix, pattern or name."""
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


def _weights(table: pd.DataFrame, asked: str | Sequence[str] | None) -> pd.DataFrame:
    """Return the weights of all runs, a column a domain."""
    if asked is None:
        return _find_weights(table)
    columns = _choose(table, "weights", asked)
    if len(columns) == 1:
        mapped = _parse_mappings(table[columns[0]])
        if mapped is not None:
            return mapped
    return table[columns].apply(pd.to_numeric, errors="coerce").fillna(0.0)


def _find_weights(table: pd.DataFrame) -> pd.DataFrame:
    for column in table:
        if not pd.api.types.is_numeric_dtype(table[column]):
            mapped = _parse_mappings(table[column])
            if mapped is not None:
                return mapped
    groups = dict(_groups_of_one(table))
    if not groups:
        raise ReweightvizError(
            "no columns of the table hold weights (a common prefix, rows that sum to 1); "
            f"weights= names them. There is {list_names(table.columns, 20)}."
        )
    # A longer prefix often begins the same columns: such groups count as one.
    largest = max(map(len, groups.values()))
    best = {tuple(columns): prefix for prefix, columns in groups.items() if len(columns) == largest}
    if len(best) > 1:
        raise ReweightvizError(
            "several groups of columns sum to 1, those that begin with "
            f"{list_names(best.values())}: "
            "weights= names the one."
        )
    return table[list(next(iter(best)))].fillna(0.0)


def _groups_of_one(table: pd.DataFrame) -> Iterator[tuple[str, list[str]]]:
    """Yield a prefix, up to a separator, and its columns, where every row sums to 1."""
    numbers = table.select_dtypes("number")
    shares = [column for column in numbers if _is_share(numbers[column])]
    prefixes = set()
    for column in shares:
        prefixes |= {column[: at + 1] for at, letter in enumerate(column) if letter in SEPARATORS}
    for prefix in sorted(prefixes):
        columns = [column for column in shares if column.startswith(prefix)]
        # A single column of ones is no mixture.
        if len(columns) > 1 and _sums_to_one(numbers[columns]):
            yield prefix, columns


def _is_share(column: pd.Series) -> bool:
    values = column.dropna()
    return bool(len(values) and values.between(0, 1).all())


def _sums_to_one(table: pd.DataFrame) -> bool:
    return bool((np.abs(table.fillna(0.0).sum(axis=1) - 1) <= SUM_SLACK).all())


def _parse_mappings(column: pd.Series) -> pd.DataFrame | None:
    """Return domain to weight from cells such as ``{"web": 0.7}``; None where they are others."""
    rows = []
    for cell in column:
        row = _parse_mapping(cell)
        if row is None:
            return None
        rows.append(row)
    table = pd.DataFrame(rows).fillna(0.0)
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
    try:
        return json.loads(cell)
    except (TypeError, ValueError):
        pass
    try:
        return ast.literal_eval(str(cell))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _metrics(
    table: pd.DataFrame, asked: str | Sequence[str] | None, taken: Collection[str]
) -> list[str]:
    if asked is not None:
        return [column for column in _choose(table, "metrics", asked) if column not in taken]
    numbers = [column for column in table.select_dtypes("number") if column not in taken]
    found = [column for column in numbers if _is_held_out_loss(column.lower())]
    if not found:
        raise ReweightvizError(
            "no column of the table names a held-out loss; metrics= names the targets, "
            f"as in metrics='eval/*'. There is {list_names(numbers, 20)}."
        )
    return found


def _is_held_out_loss(name: str) -> bool:
    return "loss" in name and any(word in name for word in HELD_OUT)
