"""Rows of a run in memory, from every format: a row a step, or a row a step and domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.records import Records
from reweightviz.core.types import Array
from reweightviz.readers.logs._numbers import LARGEST_STEP, flatten, read_numbers, step_of_cell
from reweightviz.readers.logs._series import Series
from reweightviz.readers.logs._times import seconds_of

__all__ = ["BOUNDS", "DOMAINS", "STEPS", "TIMES", "feed_rows", "feed_table", "step_of"]


STEPS = (
    "step",
    "_step",
    "global_step",
    "iteration",
    "iter",
    "steps",
    "train/global_step",
    "trainer/global_step",
)
TIMES = ("_timestamp", "timestamp", "wall time", "wall_time", "time")
DOMAINS = ("domain", "dataset", "data_source", "source", "task", "subset")
BOUNDS = ("__MIN", "__MAX")
"""Endings that W&B gives to the columns that bound a line of a chart."""


# Of what comes beside the rows; no logger has such tags.
_STEP = "\0step"
_TIME = "\0time"


class _Rows(NamedTuple):
    """Rows with a step: (n,) int64, and what was logged with it, in columns (n,)."""

    steps: NDArray[np.int64]
    times: Array | None
    numbers: dict[str, Array]


def step_of(columns: Iterable[str], steps: Sequence[str] = STEPS) -> str | None:
    """Return the column of steps."""
    return _first_of(steps, columns)


def feed_rows(
    series: Series,
    records: Records,
    rows: Sequence[Mapping[str, Any]],
    *,
    steps: Sequence[Any] | None = None,
    times: Sequence[Any] | None = None,
    names: Sequence[str] = STEPS,
    before: int = 0,
) -> None:
    """Feed rows of tag to cell, nested or not, in the order in which they were logged.

    Args:
        series: of the run.
        records: of the run.
        rows: as JSON gives them.
        steps: (n,), where they do not stand in the rows.
        times: (n,), likewise.
        names: of the cell that is the step.
        before: number of rows that were fed already.
    """
    table = pd.DataFrame([dict(flatten(row)) for row in rows], dtype=object)
    if steps is not None:
        table = table.assign(**{_STEP: pd.Series(list(steps), dtype=object)})
    if times is not None:
        table = table.assign(**{_TIME: pd.Series(list(times), dtype=object)})
    feed_table(series, records, table, before, names)


def feed_table(
    series: Series,
    records: Records,
    table: pd.DataFrame,
    before: int = 0,
    names: Sequence[str] = STEPS,
) -> None:
    """Feed the rows of a table, in the order in which they were logged.

    Args:
        series: of the run.
        records: of the run.
        table: a column a tag, of text or numbers.
        before: number of rows that were fed already.
        names: of the column of steps, in lower case.
    """
    if not len(table):
        return
    table.columns = [str(name) for name in table.columns]
    extras = series.naming.extras
    columns = list(table.columns)
    step = str(extras.get("step") or _first_of((_STEP, *names), columns) or "")
    time = str(extras.get("time") or _first_of((_TIME, *TIMES), columns) or "")
    domain = _first_of(DOMAINS, columns)
    steps = _read_steps(series, records, table, step, before)
    table = table[~np.isnan(steps)].reset_index(drop=True)
    # _runtime is W&B's own, the seconds since the start.
    others = {step, time, domain, "_runtime"}
    tags = [name for name in columns if name not in others and not name.endswith(BOUNDS)]
    rows = _Rows(
        steps[~np.isnan(steps)].astype(np.int64),
        _clock(table[time]) if time in columns else None,
        _read_cells(series, records, table[tags]),
    )
    if domain is not None:
        series.note(records, f"Each row is of the domain in its {domain!r}.")
        _add_points(series, table[domain], rows)
        series.flush(records)
    elif len(table):
        series.feed_table(records, rows.steps, rows.numbers, rows.times)


def _read_steps(
    series: Series, records: Records, table: pd.DataFrame, step: str, before: int
) -> Array:
    """Return the step of each row (n,), NaN where it has none; such rows are counted."""
    if step not in table.columns:
        series.note(
            records,
            "There is no column of steps; the rows are counted. pattern={'step': ...} names one.",
        )
        return np.arange(before + 1, before + 1 + len(table), dtype=np.float64)
    cells = table[step]
    steps = np.array(pd.to_numeric(cells, errors="coerce"), np.float64)
    with np.errstate(invalid="ignore"):
        is_plain = (np.abs(steps) <= LARGEST_STEP) & (steps == np.floor(steps))
    missing = []
    for row in np.flatnonzero(~is_plain).tolist():
        cell = cells.iloc[row]
        whole = step_of_cell(cell)
        steps[row] = np.nan
        if whole is not None:
            steps[row] = whole
        else:
            missing.append(str(cell) if cells.notna().iloc[row] else "")
    records.count_bad_steps(missing)
    return steps


def _read_cells(series: Series, records: Records, table: pd.DataFrame) -> dict[str, Array]:
    """Return the columns that hold numbers; what is no number in them is counted."""
    # A tag that was met before stays one, though this part of the table holds nothing of it.
    known = set(series.naming.tags)
    columns = {}
    for tag in table.columns:
        cells = read_numbers(table[tag])
        if tag in known or not np.isnan(cells.numbers).all():
            columns[tag] = cells.numbers
            records.count_unread(tag, cells.unread)
    return columns


def _add_points(series: Series, domains: pd.Series, rows: _Rows) -> None:
    """Add the points of rows by domain, each under ``tag/domain``; one without domain as it is."""
    is_named = domains.notna().to_numpy()
    for row, (step, domain) in enumerate(zip(rows.steps.tolist(), domains, strict=True)):
        time = np.nan if rows.times is None else float(rows.times[row])
        for tag, values in rows.numbers.items():
            if np.isnan(values[row]):
                continue
            name = tag
            if is_named[row]:
                name = f"{tag}/{domain}"
                series.naming.tell(name, f"{tag}/{{domain}}", str(domain))
            series.add_point(name, step, float(values[row]), time)


def _first_of(names: Sequence[str], columns: Iterable[str]) -> str | None:
    """Return the column of the first name that is there, whatever its case."""
    # Reversed, so that the first of two such columns wins.
    by_lower_case = {column.lower(): column for column in reversed(list(columns))}
    return next((by_lower_case[name] for name in names if name in by_lower_case), None)


def _clock(column: pd.Series) -> Array:
    """Return Unix seconds (n,), NaN where there is no time."""
    return np.array([seconds_of(value) for value in column], np.float64)
