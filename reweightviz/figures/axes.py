"""The axes that runs are drawn against: steps, tokens, time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from reweightviz.core.errors import InvalidValue, ReweightvizError, list_names
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import Array, Rows
from reweightviz.figures.drawing_cache import DrawingCache
from reweightviz.figures.runs import name_runs

__all__ = [
    "Axis",
    "Within",
    "choose_axis",
    "find_rows",
    "list_axes",
    "place_rows",
    "read_tokens_per_step",
]


_CLOCKS = ((2 * 60, 1.0, "seconds"), (2 * 3600, 60.0, "minutes"), (float("inf"), 3600.0, "hours"))
_RECENT = 1000  # rows from the end in which a last value is looked for first
_NEEDS = {
    "tokens": "'batch' and 'context' in the meta of every log, or the tokens of its steps",
    "time": "the times of every log's steps",
}

Within = tuple[float, float] | None
"""From where to where on the x axis lines are drawn in full detail; everywhere alike when None."""


class Axis(NamedTuple):
    """An x axis: its kind, its title, and the seconds of its unit where it is the time."""

    kind: str
    title: str
    unit: float = 1.0


def list_axes(logs: Sequence[RunLog], cache: DrawingCache | None = None) -> list[str]:
    """Return the axes that all logs can be drawn against: ``"step"``, ``"tokens"``, ``"time"``."""
    cache = cache or DrawingCache()
    runs = list(enumerate(logs))
    axes = ["step"]
    if all(
        read_tokens_per_step(log) or cache.has_values((r, "tokens"), log.tokens) for r, log in runs
    ):
        axes.append("tokens")
    if all(cache.has_values((r, "time"), log.times) for r, log in runs):
        axes.append("time")
    return axes


def choose_axis(logs: Sequence[RunLog], x: str, cache: DrawingCache | None = None) -> Axis:
    """Return the axis of that name.

    Raises:
        ReweightvizError: no such axis, or a log that cannot be drawn against it.
    """
    if x not in ("step", "tokens", "time"):
        raise InvalidValue(name="x", value=x, expected="'step', 'tokens' or 'time'")
    if x not in list_axes(logs, cache):
        named = zip(logs, name_runs(logs), strict=True)
        lacking = list_names(name for log, name in named if x not in list_axes([log]))
        raise ReweightvizError(f"x={x!r} needs {_NEEDS[x]}; {lacking} lacks them.")
    if x != "time":
        return Axis(x, x)
    longest = max(np.nan_to_num(_find_last(log.times)) - _find_start(log) for log in logs)
    unit, word = next((unit, word) for limit, unit, word in _CLOCKS if longest < limit)
    return Axis(x, f"{word} since the start", unit)


def place_rows(log: RunLog, axis: Axis, rows: Rows | slice) -> Array:
    """Return the places of those rows of the log on the axis."""
    if axis.kind == "time":
        return (log.times[rows] - _find_start(log)) / axis.unit
    if axis.kind == "step":
        return log.steps[rows].astype(np.float64)
    per_step = read_tokens_per_step(log)
    if per_step is None or np.isfinite(log.tokens[-_RECENT:]).any():
        return log.tokens[rows]
    return np.asarray(log.steps[rows] * per_step, np.float64)


def find_rows(log: RunLog, axis: Axis, within: Within) -> tuple[int, int] | None:
    """Return the first row and the one after the last within a part of the axis, None for all."""
    if within is None:
        return None
    x = log.steps if axis.kind == "step" else np.nan_to_num(place_rows(log, axis, slice(None)))
    low, high = np.searchsorted(x, [min(within), max(within)])
    # One more to each side, so that lines go on to the edge of the picture.
    return max(int(low) - 1, 0), min(int(high) + 1, len(log))


def read_tokens_per_step(log: RunLog) -> float | None:
    """Return batch times context, as the trainer wrote them; None where it did not."""
    try:
        tokens = float(log.meta.get("batch") or 0) * float(log.meta.get("context") or 0)
    except (TypeError, ValueError):  # such as "auto"
        return None
    return tokens if 0 < tokens < float("inf") else None


def _find_last(values: Array) -> float:
    """Return the last finite value (T,), NaN without one; at once where it is near the end."""
    for part in (values[-_RECENT:], values):
        finite = part[np.isfinite(part)]
        if finite.size:
            return float(finite[-1])
    return float("nan")


def _find_start(log: RunLog) -> float:
    """Return the first known time, 0 when there is none; at once where it is the first."""
    if not len(log):
        return 0.0
    if np.isfinite(log.times[0]):
        return float(log.times[0])
    known = np.isfinite(log.times)
    return float(log.times[known.argmax()]) if known.any() else 0.0
