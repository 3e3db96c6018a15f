"""One exported table of a tracker (Weights & Biases, Aim, MLflow) with a row a run -> Swarm.

Such a table holds everything beside each other: names, settings, final metrics. Which columns are
weights is told by what they hold: a common prefix, and rows that sum to 1; or one column with a
mapping of domain to weight in every cell.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from reweightviz.core.errors import MissingColumn, ReweightvizError, UnreadableFile, listed, warn
from reweightviz.core.swarm import SUM_SLACK, Swarm
from reweightviz.readers.swarms import two_tables as swarms

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
        metrics: the same for the targets; columns that speak of a held-out loss when not given.
        name: column that names a run.
        size: column of model parameters.
        run_tokens: column of training tokens.
        finished: leave out runs whose state says that they did not finish.
        strip: leave out what the names of all domains, or of all targets, begin or end with.
        tokens: domain to tokens available to the runs.
        higher_is_better: targets (names after stripping) that are no losses.
        on_error: "raise", or "skip" to leave out, count and warn of runs that lack a value.

    Raises:
        ReweightvizError: one sentence naming the column or run.

    Example:
        >>> table = pd.DataFrame({"Name": ["a", "b"], "mix/web": [0.7, 0.4], "mix/code": [0.3, 0.6], "eval/web/loss": [3.1, 3.3]})
        >>> swarm = read(table, metrics="eval/*")
        >>> swarm.domains, swarm.losses.tolist()
        (('web', 'code'), [[3.1], [3.3]])
    """
    table = _finished(_table(source)) if finished else _table(source)
    ratios = _weights(table, weights)
    losses = table[_metrics(table, metrics, ratios.columns)]
    named = _named(table, name)
    keyed = {"run": named}
    swarm = swarms.read(
        ratios.assign(**keyed),
        losses.assign(**keyed),
        keys=("run",),
        strip=strip,
        tokens=tokens,
        higher_is_better=higher_is_better,
        on_error=on_error,
    )
    rows = named[named.isin(swarm.runs["run"])].index
    for target, column in (("size", size), ("run_tokens", run_tokens)):
        if column is not None:
            if column not in table:
                raise MissingColumn(column=column, available=table.columns, who="the table of runs")
            swarm.runs[target] = pd.to_numeric(table[column].loc[rows], errors="coerce").to_numpy(
                np.float64
            )
    return swarm


def _table(source: Any) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return source.rename(columns=str).reset_index(drop=True)
    try:
        return pd.read_csv(source, encoding="utf-8-sig").rename(columns=str)
    except FileNotFoundError:
        raise UnreadableFile(
            path=source, wanted="a table of runs", reason="there is no such file"
        ) from None
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise UnreadableFile(path=source, wanted="a CSV table of runs", reason=error) from error


def _finished(table: pd.DataFrame) -> pd.DataFrame:
    state = next((column for column in STATES if column in table), None)
    if state is None:
        return table
    done = table[state].astype(str).isin(FINISHED)
    if not done.any():
        raise ReweightvizError(
            f"no run of the table has finished; {state!r} is {listed(table[state].unique())}: "
            "finished=False takes them all."
        )
    if not done.all():
        warn(f"{(~done).sum()} of {len(table)} runs left out, they did not finish.")
    return table[done].reset_index(drop=True)


def _named(table: pd.DataFrame, name: str | None) -> pd.Series:
    if name is not None and name not in table:
        raise MissingColumn(column=name, available=table.columns, who="the table of runs")
    chosen = name or next(
        (column for column in NAMES if column in table and table[column].is_unique), None
    )
    return (
        table[chosen].astype(str)
        if chosen
        else pd.Series([f"run {row}" for row in range(len(table))])
    )


def _chosen(table: pd.DataFrame, what: str, asked: str | Sequence[str]) -> list[str]:
    """Columns by prefix, pattern or name."""
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
            f"{listed(table.columns, 20)}."
        )
    return found


def _weights(table: pd.DataFrame, asked: str | Sequence[str] | None) -> pd.DataFrame:
    if asked is not None:
        columns = _chosen(table, "weights", asked)
        if len(columns) == 1:
            whole = _mappings(table[columns[0]])
            if whole is not None:
                return whole
        return table[columns].apply(pd.to_numeric, errors="coerce").fillna(0.0)
    words = [column for column in table if not pd.api.types.is_numeric_dtype(table[column])]
    whole = next(
        (found for column in words if (found := _mappings(table[column])) is not None), None
    )
    if whole is not None:
        return whole
    groups = _groups_of_one(table)
    if not groups:
        raise ReweightvizError(
            "no columns of the table hold weights (a common prefix, rows that sum to 1); "
            "weights= names them. There is "
            f"{listed(table.columns, 20)}."
        )
    largest = max(map(len, groups.values()))
    best = {tuple(columns): prefix for prefix, columns in groups.items() if len(columns) == largest}
    if len(best) > 1:
        raise ReweightvizError(
            f"several groups of columns sum to 1, those that begin with {listed(best.values())}: "
            "weights= names the one."
        )
    return table[list(next(iter(best)))].fillna(0.0)


def _groups_of_one(table: pd.DataFrame) -> dict[str, list[str]]:
    """Prefix, up to a separator, to its numeric columns, where every row sums to 1."""
    numbers = table.select_dtypes("number")
    shares = [
        column
        for column in numbers
        if numbers[column].dropna().between(0, 1).all() and numbers[column].notna().any()
    ]
    prefixes = {
        column[: at + 1]
        for column in shares
        for at, letter in enumerate(column)
        if letter in swarms.SEPARATORS
    }
    found = {}
    for prefix in sorted(prefixes):
        columns = [column for column in shares if column.startswith(prefix)]
        if (
            len(columns) > 1
            and (np.abs(numbers[columns].fillna(0.0).sum(axis=1) - 1) <= SUM_SLACK).all()
        ):
            found[prefix] = columns
    return found


def _mappings(column: pd.Series) -> pd.DataFrame | None:
    """Domain to weight from cells such as ``{"web": 0.7, "code": 0.3}``; None where they are something else."""
    rows = []
    for cell in column:
        try:
            found = cell if isinstance(cell, Mapping) else json.loads(cell)
        except (TypeError, ValueError):
            try:
                found = ast.literal_eval(str(cell))
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                return None
        if (
            not isinstance(found, Mapping)
            or not found
            or not all(isinstance(value, int | float) for value in found.values())
        ):
            return None
        rows.append({str(domain): float(value) for domain, value in found.items()})
    table = pd.DataFrame(rows).fillna(0.0)
    return table if rows and (np.abs(table.sum(axis=1) - 1) <= SUM_SLACK).all() else None


def _metrics(
    table: pd.DataFrame, asked: str | Sequence[str] | None, taken: Collection[str]
) -> list[str]:
    if asked is not None:
        return [column for column in _chosen(table, "metrics", asked) if column not in taken]
    numbers = [column for column in table.select_dtypes("number") if column not in taken]
    found = [
        column
        for column in numbers
        if "loss" in column.lower() and any(word in column.lower() for word in HELD_OUT)
    ]
    if not found:
        raise ReweightvizError(
            "no column of the table speaks of a held-out loss; metrics= names the "
            "targets, as in metrics='eval/*'. "
            f"There is {listed(numbers, 20)}."
        )
    return found
