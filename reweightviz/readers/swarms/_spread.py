"""Long tables, a row a run and target (and step), spread to a row a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import DuplicateName, MissingColumn, ReweightvizError, list_names, warn
from reweightviz.readers.swarms._numbers import check_cells, read_cells
from reweightviz.readers.swarms._run_names import split_steps

__all__ = [
    "RUNS",
    "STEPS",
    "TARGETS",
    "VALUES",
    "Long",
    "Spread",
    "choose_steps",
    "find_long",
    "spread",
]


RUNS = (
    "Name",
    "Run Name",
    "run.name",
    "run_name",
    "run",
    "name",
    "ID",
    "Run ID",
    "run_id",
    "wandb_run_id",
    "Hash",
    "run.hash",
    "model",
    "checkpoint",
)
"""Columns that name a run."""
TARGETS = (
    "target",
    "metric",
    "metric_key",
    "metric_name",
    "metric.name",
    "task",
    "dataset",
    "domain",
)
VALUES = ("loss", "value", "metric_value", "metric.value", "score", "weight", "ratio", "proportion")
STEPS = ("step", "global_step", "_step", "iteration")


class Long(NamedTuple):
    """The columns of a long table."""

    run: str
    target: str
    value: str
    step: str | None


class Spread(NamedTuple):
    """What was the same in all rows of a run (R, ...), and the value of each target (R, M).

    ``facts`` has the columns ``run`` and, where steps are told, ``step``.
    """

    facts: pd.DataFrame
    values: pd.DataFrame


def find_long(
    table: pd.DataFrame,
    run: str | None = None,
    target: str | None = None,
    value: str | None = None,
) -> Long | None:
    """Return the columns of a long table, None where each run has one row.

    Args:
        table: of the runs.
        run: column that names a run; one of ``RUNS`` when not given.
        target: column that names what was measured; one of ``TARGETS`` when not given.
        value: column of what came out; one of ``VALUES`` when not given.
    """
    chosen = [
        _find_column(table, asked, known)
        for asked, known in ((run, RUNS), (target, TARGETS), (value, VALUES))
    ]
    step = next((column for column in STEPS if column in table), None)
    names = [name for name in chosen if name is not None]
    if len(names) < len(chosen):
        if target is None and value is None:
            return None
        raise ReweightvizError(
            "a table with a row a run and target needs three columns: name= names the run, target= "
            f"what was measured, value= what came out; there is {', '.join(map(repr, table))}."
        )
    long = Long(names[0], names[1], names[2], step)
    keys = table[[long.run, long.target]].astype(str)
    # A table with a row a run may have such columns too: its data set, and its training loss.
    several = keys.groupby(long.run)[long.target].nunique().max() > 1
    return long if several or target is not None else None


def _find_column(table: pd.DataFrame, asked: str | None, known: Sequence[str]) -> str | None:
    if asked is None:
        return next((column for column in known if column in table), None)
    if asked not in table:
        raise MissingColumn(column=asked, available=table.columns, who="the table of runs")
    return asked


def spread(table: pd.DataFrame, long: Long, step: float | str | None = None) -> Spread:
    """Return a long table with a row a run, or a row a run and step.

    Args:
        table: of the runs, as it was read.
        long: its columns.
        step: which step of each run: the last that has every target when not given, "all", or one.

    Raises:
        ReweightvizError: a value is no number, or a target stands twice.
    """
    rows = table.loc[~table.astype(str).duplicated()]
    _check_named(rows, long)
    checkpoints = split_steps(rows[long.run].map(str))
    steps = checkpoints.steps
    if long.step is not None:
        steps = read_cells(rows[[long.step]]).numbers[long.step]
    keys = pd.DataFrame(
        {
            "run": checkpoints.runs,
            "step": steps.fillna(_NO_STEP),
            "target": rows[long.target].map(str),
        }
    )
    _check_once(keys, rows.drop(columns=[name for name in long if name]))
    cells = read_cells(rows[[long.value]])
    check_cells("the table", cells, "drop those rows")
    places = pd.MultiIndex.from_frame(keys[["run", "step"]].drop_duplicates())
    values = (
        keys.assign(value=cells.numbers[long.value])
        .pivot(index=["run", "step"], columns="target", values="value")
        .reindex(index=places, columns=keys["target"].unique())
    )
    facts = _constant_columns(rows.drop(columns=[name for name in long if name]), keys, places)
    told = places.to_frame(index=False)
    taken = choose_steps(told["run"], told["step"], values.notna().all(axis=1), step)
    facts = facts.loc[taken].reset_index(drop=True)
    return Spread(facts, values.loc[taken].reset_index(drop=True))


_NO_STEP = -1.0


def _check_named(rows: pd.DataFrame, long: Long) -> None:
    for column in (long.run, long.target):
        empty = rows.index[rows[column].isna()]
        if len(empty):
            raise ReweightvizError(
                f"row {empty[0] + 1} of the table has nothing in {column!r} ({len(empty)} such "
                "rows): fill or drop them."
            )


def _check_once(keys: pd.DataFrame, others: pd.DataFrame) -> None:
    """Refuse a second value of a target, and name the columns that tell the values apart."""
    twice = keys[keys.duplicated()]
    if not len(twice):
        return
    run, step, target = twice.iloc[0]
    where = f"run {run!r}" if step == _NO_STEP else f"run {run!r}, step {step:g}"
    telling = [
        name
        for name in others
        if not keys.assign(other=others[name].astype(str)).duplicated().any()
    ]
    if telling:
        where += f" (keep the rows of one {list_names(telling, 3)})"
    raise DuplicateName(kind="target", names=[target], where=where)


def _constant_columns(rows: pd.DataFrame, keys: pd.DataFrame, places: pd.Index) -> pd.DataFrame:
    """Return the columns (R, ...) that are the same in all rows of a run and step."""
    groups = [keys["run"], keys["step"]]
    is_constant = (rows.astype(str).groupby(groups).nunique() <= 1).all()
    facts = rows.loc[:, is_constant].groupby(groups).first().reindex(places)
    facts["run"] = places.get_level_values("run")
    steps = places.get_level_values("step").to_numpy()
    if (steps != _NO_STEP).any():
        facts["step"] = np.where(steps == _NO_STEP, np.nan, steps)
    return facts


def choose_steps(
    runs: pd.Series, steps: pd.Series, is_whole: pd.Series, asked: float | str | None
) -> NDArray[np.bool_]:
    """Return the rows (T,) to take of runs with several steps.

    Args:
        runs: the run of each row (T,).
        steps: its step (T,).
        is_whole: whether it has every target (T,).
        asked: a step, "all", or None for the last of each run that is whole.
    """
    if asked == "all":
        return np.ones(len(runs), bool)
    if asked is not None:
        taken = np.asarray(steps == asked)
        if not taken.any():
            known = ", ".join(f"{one:g}" for one in np.unique(steps)[:20])
            raise ReweightvizError(f"no run has step {asked!r}; there is {known}, or 'all'.")
        return taken
    order = pd.DataFrame(
        {"run": runs.to_numpy(), "step": steps.to_numpy(), "whole": is_whole.to_numpy()}
    )
    taken = np.zeros(len(runs), bool)
    taken[order.sort_values(["whole", "step"]).groupby("run").tail(1).index] = True
    if not taken.all():
        last = np.unique(steps[taken & (steps >= 0)])
        warn(
            "each run is taken at its last step with every target, "
            f"{' to '.join(f'{one:g}' for one in sorted({last[0], last[-1]}))}: step= takes "
            "another, step='all' every one."
        )
    return taken
