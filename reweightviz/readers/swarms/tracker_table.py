"""One table of runs (an export of Weights & Biases, Aim or MLflow, say) -> Swarm.

Such a table holds everything beside each other: names, settings, final metrics. Weights are found
by what their columns hold: a common prefix or end, and rows that sum to 1; or one column with a
mapping of domain to weight in every cell; or they stand at the end of the runs' names. It has a row
a run, or a row a run and target, as public results on mixing laws have it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from reweightviz.core.errors import (
    DuplicateName,
    MissingColumn,
    ReweightvizError,
    UnmetNeed,
    list_names,
    warn,
)
from reweightviz.core.swarm import Swarm
from reweightviz.core.token_counts import parse_count
from reweightviz.readers._on_error import is_skipping
from reweightviz.readers.swarms._build import build_swarm
from reweightviz.readers.swarms._mappings import unfold
from reweightviz.readers.swarms._numbers import Cells, check_cells, read_cells
from reweightviz.readers.swarms._run_names import read_mixtures
from reweightviz.readers.swarms._spread import (
    RUNS,
    STEPS,
    Long,
    choose_steps,
    find_long,
    spread,
)
from reweightviz.readers.swarms._table import Table, read_table
from reweightviz.readers.swarms._weights import choose_columns, choose_weights, find_weights

__all__ = ["BOUNDS", "FINISHED", "HELD_OUT", "STATES", "read"]


STATES = ("State", "Status", "state", "status")
FINISHED = ("finished", "completed", "success", "FINISHED")
BOUNDS = ("__MIN", "__MAX")
HELD_OUT = ("val", "eval", "test", "held", "dev")


def read(
    source: Table,
    *,
    weights: str | Sequence[str] | None = None,
    metrics: str | Sequence[str] | None = None,
    domains: Sequence[str] | None = None,
    name: str | None = None,
    target: str | None = None,
    value: str | None = None,
    step: float | str | None = None,
    size: str | None = None,
    run_tokens: str | float | None = None,
    finished: bool = True,
    strip: bool = True,
    tokens: Mapping[str, float] | None = None,
    higher_is_better: Collection[str] = (),
    on_error: str = "raise",
) -> Swarm:
    """Read proxy runs from one table.

    Args:
        source: a file (CSV, TSV, text, JSON, JSON lines or Parquet) or a table in memory.
        weights: prefix of the weights' columns, or a pattern such as ``config.mix.*``, or their
            names; or the one column that holds a mapping. Found by what they hold when not given.
            An empty cell is a weight of 0.
        metrics: the same for the targets; columns that name a held-out loss when not given.
        domains: their names, where the mixture stands in the run's name, as in ``a-0.25-0.75``.
        name: column that names a run.
        target: with a row a run and target, the column that names the target.
        value: with a row a run and target, the column of the loss.
        step: with several steps a run, the one to take; the last when not given, "all" for every
            one.
        size: column of model parameters.
        run_tokens: column of training tokens; or the tokens of one step, where runs have steps.
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
        >>> swarm = read(table)
        >>> swarm.domains, swarm.targets, swarm.mixtures[0].tolist()
        (('web', 'code'), ('eval/web/loss',), [0.7, 0.3])
    """
    skip = is_skipping(on_error)
    table = _drop_bounds(unfold(read_table("runs", source)))
    if finished:
        table = _drop_unfinished(table)
    if not len(table):
        raise ReweightvizError("the table of runs has no rows.")
    asked = _Asked(name, weights, metrics, domains, step, skip)
    long = find_long(table, name, target, value)
    runs = _read_wide(table, asked) if long is None else _read_long(table, long, asked)
    return build_swarm(
        _numbers(runs.mixtures, skip=skip),
        _numbers(read_cells(runs.losses), skip=skip),
        _read_facts(runs.facts, size, run_tokens),
        ["run"],
        strip=strip,
        strip_domains=domains is None,
        tokens=tokens,
        higher_is_better=higher_is_better,
        skip=skip,
    )


class _Asked(NamedTuple):
    """What was asked for, of a table in either layout."""

    name: str | None
    weights: str | Sequence[str] | None
    metrics: str | Sequence[str] | None
    domains: Sequence[str] | None
    step: float | str | None
    skip: bool


class _Runs(NamedTuple):
    """Mixtures and losses of the same runs, and a table of everything else, with their names."""

    facts: pd.DataFrame
    mixtures: Cells
    losses: pd.DataFrame


def _read_wide(table: pd.DataFrame, asked: _Asked) -> _Runs:
    """Read a table with a row a run, or a row a run and step."""
    column = next((column for column in STEPS if column in table), None)
    if asked.step is not None and column is None:
        raise MissingColumn(column="step", available=table.columns, who="the table of runs")
    names = _name_runs(table, asked.name, column)
    mixtures = _find_mixtures(table, names, asked)
    losses = table[_choose_metrics(table, asked.metrics, mixtures.numbers)]
    facts = table.assign(run=names)
    if column is None or (asked.step is None and names.is_unique):
        return _Runs(facts, mixtures, losses)
    steps = read_cells(table[[column]]).numbers[column]
    is_whole = read_cells(losses).numbers.notna().all(axis=1)
    taken = choose_steps(names, steps, is_whole, asked.step)
    return _Runs(facts.assign(step=steps)[taken], mixtures.take(taken), losses[taken])


def _read_long(table: pd.DataFrame, long: Long, asked: _Asked) -> _Runs:
    """Read a table with a row a run and target."""
    facts, losses = spread(table, long, asked.step)
    mixtures = _find_mixtures(facts.drop(columns="run"), facts["run"], asked)
    if asked.metrics is not None:
        losses = losses[choose_columns(losses, "metrics", asked.metrics)]
    return _Runs(facts, mixtures, losses)


# ---- runs


def _drop_bounds(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out the columns that bound another one, as exports of W&B's charts have them."""
    bounds = [f"{column}{end}" for column in table for end in BOUNDS]
    return table.drop(columns=[bound for bound in bounds if bound in table])


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
    return table[is_done]


def _name_runs(table: pd.DataFrame, name: str | None, step: str | None) -> pd.Series:
    """Return a name a row (R,); their numbers where no column names them."""
    if name is not None and name not in table:
        raise MissingColumn(column=name, available=table.columns, who="the table of runs")
    columns = [column for column in RUNS if column in table] if name is None else [name]
    for column in columns:
        if table[column].is_unique:
            return table[column].map(str)
    for column in columns:
        if step is not None and not table.duplicated([column, step]).any():
            return table[column].map(str)
    if name is not None:
        twice = table.loc[table[name].duplicated(), name]
        raise DuplicateName(kind="run", names=twice[:1], where=f"column {name!r}")
    return pd.Series([f"run {row}" for row in range(len(table))], table.index)


def _read_facts(
    facts: pd.DataFrame, size: str | None, run_tokens: str | float | None
) -> pd.DataFrame:
    """Return what a law may need of each run (R, ...), beside its name."""
    found = facts[[column for column in ("run", "step") if column in facts]].copy()
    if size is not None:
        found["size"] = _read_counts(facts, size)
    if isinstance(run_tokens, str):
        found["run_tokens"] = _read_counts(facts, run_tokens)
    elif run_tokens is not None:
        if "step" not in found:
            raise UnmetNeed(
                name="run_tokens, the tokens of a step,",
                value=run_tokens,
                expected="runs with steps, or the name of a column",
            )
        found["run_tokens"] = found["step"] * float(run_tokens)
    return found


def _read_counts(table: pd.DataFrame, column: str) -> pd.Series:
    """Return a column of counts; text may be written 1.2B."""
    if column not in table:
        raise MissingColumn(column=column, available=table.columns, who="the table of runs")
    cells = read_cells(table[[column]])
    counts = cells.numbers[column]
    for row in np.flatnonzero(cells.is_other[:, 0]):
        counts.iloc[row] = parse_count(table[column].iloc[row], f"column {column!r} of the runs")
    return counts


# ---- weights and metrics


def _find_mixtures(table: pd.DataFrame, names: pd.Series, asked: _Asked) -> Cells:
    """Return the weights of all runs, a column a domain."""
    if asked.weights is not None and asked.domains is not None:
        raise ReweightvizError(
            "weights= names the columns of the weights, domains= those in the names of the runs: "
            "pass one of them."
        )
    if asked.weights is not None:
        return choose_weights(table, asked.weights)
    found = None
    if asked.domains is None:
        found = find_weights(table)
    if found is None:
        found = read_mixtures(names, asked.domains, skip=asked.skip)
    if found is None:
        raise ReweightvizError(
            "no columns of the table hold weights (a common prefix or end, rows that sum to 1), "
            "and no name of a run ends in them; weights= names the columns. There is "
            f"{list_names(table.columns, 20)}."
        )
    return read_cells(found)


def _choose_metrics(
    table: pd.DataFrame, asked: str | Sequence[str] | None, taken: Collection[str]
) -> list[str]:
    others = [column for column in table if column not in taken]
    if asked is not None:
        found = [name for name in choose_columns(table, "metrics", asked) if name in others]
    else:
        losses = [column for column in others if _is_held_out_loss(column.lower())]
        has_some = read_cells(table[losses]).numbers.notna().any()
        found = [column for column in losses if has_some[column]]
    if not found:
        raise ReweightvizError(
            "no column of the table names a held-out loss; metrics= names the targets, "
            f"as in metrics='eval/*'. There is {list_names(others, 20)}."
        )
    return found


def _is_held_out_loss(name: str) -> bool:
    return "loss" in name and any(word in name for word in HELD_OUT)


def _numbers(cells: Cells, *, skip: bool) -> pd.DataFrame:
    """Return numbers (R, C), NaN where a cell holds something else that may be skipped."""
    if not skip:
        check_cells("the runs", cells, "on_error='skip' leaves such runs out")
    return cells.numbers.mask(cells.is_other)
