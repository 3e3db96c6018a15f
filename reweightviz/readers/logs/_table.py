"""Tables of a run in memory: a row a step and a column a tag, or a row a step and domain."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reweightviz.core.records import Records
from reweightviz.core.types import Array
from reweightviz.readers.logs._series import Series
from reweightviz.readers.logs._times import seconds_of

__all__ = ["BOUNDS", "DOMAINS", "STEPS", "TIMES", "feed_table", "step_of"]


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
_NONFINITE = ["nan", "inf", "-inf", "infinity", "-infinity"]


def step_of(columns: list[str]) -> str | None:
    """Return the column of steps."""
    return _first_of(STEPS, columns)


def feed_table(series: Series, records: Records, table: pd.DataFrame, before: int = 0) -> None:
    """Feed the rows of a table, in the order in which they were logged.

    Args:
        series: of the run.
        records: of the run.
        table: a column a tag, of text or numbers.
        before: number of rows that were fed already.
    """
    columns = [str(name) for name in table.columns]
    extras = series.naming.extras
    step = str(extras.get("step") or step_of(columns) or "")
    time = str(extras.get("time") or _first_of(TIMES, columns) or "")
    domain = _first_of(DOMAINS, columns)
    if step in columns:
        steps = pd.to_numeric(table[step], errors="coerce")
    else:
        steps = pd.Series(np.arange(before + 1, before + 1 + len(table), dtype=np.float64))
        if not before:
            records.extend_meta(
                notes=[
                    "There is no column of steps; the rows are counted. pattern={'step': "
                    "...} names one."
                ]
            )
    table = table[steps.notna().to_numpy()].reset_index(drop=True)
    whole = steps.dropna().to_numpy(np.float64).astype(np.int64)
    clock = None
    if time in columns:
        clock = _clock(table[time])
    # _runtime is W&B's own, the seconds since the start.
    others = {step, time, domain, "_runtime"}
    tags = [name for name in columns if name not in others and not name.endswith(BOUNDS)]
    parsed = {tag: _numbers(table[tag]) for tag in tags}
    # A tag that was met before stays one, though this part of the table holds nothing of it.
    known = series.naming.tags
    numbers = {
        tag: values for tag, values in parsed.items() if tag in known or not np.isnan(values).all()
    }
    if domain is not None:
        _add_points(series, whole, table[domain], numbers, clock)
        series.flush(records)
    elif len(whole):
        series.feed_table(records, whole, numbers, clock)


def _add_points(
    series: Series,
    steps: Array,
    domains: pd.Series,
    numbers: dict[str, Array],
    clock: Array | None,
) -> None:
    """Add the points of a table with a row a step and domain, each under ``tag/domain``."""
    for row, (step, domain) in enumerate(zip(steps.tolist(), domains, strict=True)):
        time = np.nan if clock is None else float(clock[row])
        for tag, values in numbers.items():
            if not np.isnan(values[row]):
                series.add_point(f"{tag}/{domain}", step, float(values[row]), time)


def _first_of(names: tuple[str, ...], columns: list[str]) -> str | None:
    """Return the column of the first name that is there, whatever its case."""
    # Reversed, so that the first of two such columns wins.
    by_lower_case = {column.lower(): column for column in reversed(columns)}
    return next((by_lower_case[name] for name in names if name in by_lower_case), None)


def _clock(column: pd.Series) -> Array:
    """Return Unix seconds (n,), NaN where there is no time."""
    return np.array([seconds_of(_parse(value)) for value in column], np.float64)


def _parse(value: object) -> float | str:
    try:
        return float(str(value))
    except ValueError:
        return str(value)


def _numbers(column: pd.Series) -> Array:
    """Return numbers (n,); NaN where there is nothing or text, infinite where a NaN was logged."""
    numbers = np.asarray(pd.to_numeric(column, errors="coerce"), np.float64)
    bad = ~np.isfinite(numbers)
    if not bad.any():
        return numbers
    words = column.astype(str).str.strip().str.lower()
    is_logged = (words.isin(_NONFINITE) & column.notna()).to_numpy()
    return np.where(bad, np.where(is_logged, np.inf, np.nan), numbers)
