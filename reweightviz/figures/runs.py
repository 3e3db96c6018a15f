"""What runs hold, as curves need it: their names, domains, colours, axes, and the points of their lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, listed
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import Array
from reweightviz.figures.decimation import LIMIT, Decimation
from reweightviz.figures.palette import choose_colors as palette
from reweightviz.figures.theme import MUTED

_PREFERRED = ("loss", "held_out_loss", "excess_loss", "reference_loss", "drawn_tokens")
_CLOCKS = ((2 * 60, 1.0, "seconds"), (2 * 3600, 60.0, "minutes"), (float("inf"), 3600.0, "hours"))

_RECENT = 1000  # rows from the end in which a last value is looked for first

Colors = Mapping[str, str] | Sequence[str] | None
Within = tuple[float, float] | None
"""From where to where on the x axis lines are drawn in full detail; everywhere alike when None."""


class ZoomedLines(NamedTuple):
    """The lines of a table (T, K): coarse, and finer between the rows that are zoomed to."""

    coarse: Decimation
    fine: Decimation | None = None
    low: int = 0
    high: int = 0

    def points(self, k: int, *, gaps: bool = True) -> tuple[NDArray[np.int64], Array]:
        """Rows (P,) and values (P,) of line ``k``; without gaps the measured points alone."""
        rows, y = self.coarse.points(k, gaps=gaps)
        if self.fine is None:
            return rows, y
        inside, its_y = self.fine.points(k, gaps=gaps)
        left, right = np.searchsorted(rows, [self.low, self.high])
        return np.concatenate([rows[:left], inside, rows[right:]]), np.concatenate(
            [y[:left], its_y, y[right:]]
        )

    def shared_rows(self) -> NDArray[np.int64]:
        """Rows at which every line has a point: those of all lines together, thinned again to about as many as one has."""
        lines = [self.points(k)[0] for k in range(self.coarse.width)]
        every = np.unique(np.concatenate([np.empty(0, np.int64), *lines]))
        step = -(-len(every) // LIMIT)
        return np.unique(np.append(every[::step], every[-1:])) if step > 1 else every


class DrawingCache:
    """What a widget keeps from one drawing to the next, so that one more step costs one more step; it is for logs that only grow.

    A figure that is drawn once makes its own.
    """

    def __init__(self) -> None:
        self._coarse: dict[object, Decimation] = {}
        self._fine: dict[object, tuple[int, Decimation]] = {}
        self._scanned: dict[object, tuple[int, bool]] = {}

    def decimate(
        self,
        key: tuple[object, ...],
        values: Array,
        *,
        smooth: int = 0,
        between: tuple[int, int] | None = None,
    ) -> ZoomedLines:
        """The lines of the table (T, K) under that key, with more detail between those rows."""
        key = (*key, smooth)
        coarse = self._coarse.get(key)
        if coarse is None or coarse.length > len(values):
            coarse = self._coarse[key] = Decimation(smooth)
        coarse.grow(values)
        low, high = between or (0, len(values))
        if len(values) <= LIMIT or (low, high) == (0, len(values)):
            return ZoomedLines(coarse)
        start, fine = self._fine.get(key, (-1, coarse))
        if start != low or fine.length > high:
            fine = Decimation(smooth, low)
            self._fine[key] = low, fine
        fine.grow(values[:high])
        return ZoomedLines(coarse, fine, low, high)

    def has_values(self, key: object, values: Array) -> bool:
        """Whether there is one number in the table (T, K)."""
        seen, found = self._scanned.get(key, (0, False))
        if not found:
            found = bool(np.isfinite(values[max(seen - 1, 0) :]).any())
            self._scanned[key] = len(values), found
        return found

    def clear(self) -> None:
        """Forget: rows that were seen have changed."""
        for each in (self._coarse, self._fine, self._scanned):
            each.clear()


# ---- names and colours


def check_logs(logs: RunLog | Sequence[RunLog]) -> list[RunLog]:
    """The logs as a list; one sentence where there is none or something else came."""
    given = [logs] if isinstance(logs, RunLog) else list(logs)
    if not given:
        raise ReweightvizError("curves need at least one RunLog; got none.")
    strangers = [type(log).__name__ for log in given if not isinstance(log, RunLog)]
    if strangers:
        raise InvalidValue(
            name="curves",
            value=strangers,
            expected="drawn from RunLogs, as rv.read_log gives",
            got=listed(strangers),
        )
    return given


def list_domains(logs: Sequence[RunLog]) -> list[str]:
    """Every domain of the logs, in order of first appearance."""
    return list(dict.fromkeys(name for log in logs for name in log.domains))


def name_runs(logs: Sequence[RunLog]) -> list[str]:
    """What the runs are called: a repeated name gets its number."""
    names: list[str] = []
    for log in logs:
        repeats = sum(log.name == before.name for before in logs[: len(names)])
        names.append(f"{log.name} ({repeats + 1})" if repeats else log.name)
    return names


def list_signals(logs: Sequence[RunLog], cache: DrawingCache | None = None) -> list[str]:
    """The signals with at least one measured value in one of the logs."""
    cache = cache or DrawingCache()
    named = [*_PREFERRED, *sorted({name for log in logs for name in log.signals} - set(_PREFERRED))]
    return [
        name
        for name in named
        if any(
            name in log.signals and cache.has_values((r, name), log.signals[name])
            for r, log in enumerate(logs)
        )
    ]


def color_domains(logs: Sequence[RunLog], colors: Colors = None) -> dict[str, str]:
    """Domain to colour; domains that a given mapping leaves out are grey."""
    names = list_domains(logs)
    if isinstance(colors, Mapping):
        return {name: colors.get(name, MUTED) for name in names}
    chosen = palette(len(names)) if colors is None else list(colors)
    if len(chosen) < len(names):
        raise ReweightvizError(
            f"colors must name one colour a domain: {len(names)}; got {len(chosen)}."
        )
    return dict(zip(names, chosen, strict=False))


# ---- axes


class Axis(NamedTuple):
    """What stands on x: its name in words, and by what the values of each log are divided or counted."""

    kind: str
    title: str
    unit: float


def list_axes(logs: Sequence[RunLog], cache: DrawingCache | None = None) -> list[str]:
    """The axes that all logs can be drawn against: ``"step"``, ``"tokens"``, ``"time"``."""
    cache = cache or DrawingCache()
    counted = all(
        read_tokens_per_step(log) or cache.has_values((r, "tokens"), log.tokens)
        for r, log in enumerate(logs)
    )
    timed = all(cache.has_values((r, "time"), log.times) for r, log in enumerate(logs))
    return ["step", *(["tokens"] if counted else []), *(["time"] if timed else [])]


def choose_axis(logs: Sequence[RunLog], x: str, cache: DrawingCache | None = None) -> Axis:
    """The axis of that name.

    Raises:
        ReweightvizError: no such axis, or a log that cannot be drawn against it.
    """
    if x not in ("step", "tokens", "time"):
        raise InvalidValue(name="x", value=x, expected="'step', 'tokens' or 'time'")
    if x not in list_axes(logs, cache):
        lacking = listed(
            name
            for log, name in zip(logs, name_runs(logs), strict=True)
            if x not in list_axes([log])
        )
        needs = {
            "tokens": "'batch' and 'context' in the meta of every log, or the tokens of its steps",
            "time": "the times of every log's steps",
        }
        raise ReweightvizError(f"x={x!r} needs {needs[x]}; {lacking} lacks them.")
    if x != "time":
        return Axis(x, x, 1.0)
    longest = max(np.nan_to_num(_last(log.times)) - _began(log) for log in logs)
    unit, word = next((unit, word) for limit, unit, word in _CLOCKS if longest < limit)
    return Axis(x, f"{word} since the start", unit)


def read_tokens_per_step(log: RunLog) -> float | None:
    """Batch times context, as the trainer wrote them; None where it did not."""
    try:
        each = float(log.meta.get("batch") or 0) * float(log.meta.get("context") or 0)
    except (TypeError, ValueError):  # such as "auto"
        return None
    return each if 0 < each < float("inf") else None


def place_rows(log: RunLog, axis: Axis, rows: NDArray[np.int64] | slice) -> Array:
    """Where those rows of the log stand on the axis."""
    if axis.kind == "time":
        return (log.times[rows] - _began(log)) / axis.unit
    if axis.kind == "step":
        return log.steps[rows].astype(np.float64)
    each = read_tokens_per_step(log)
    counted = each is None or np.isfinite(log.tokens[-_RECENT:]).any()
    return log.tokens[rows] if counted else log.steps[rows] * (each or 1.0)


def find_rows(log: RunLog, axis: Axis, within: Within) -> tuple[int, int] | None:
    """From which row to which the log stands there on the axis; None where all of it is asked for."""
    if within is None:
        return None
    x = log.steps if axis.kind == "step" else np.nan_to_num(place_rows(log, axis, slice(None)))
    low, high = np.searchsorted(x, [min(within), max(within)])
    return max(int(low) - 1, 0), min(int(high) + 1, len(log))


def _last(values: Array) -> float:
    """The last finite value (T,), NaN when there is none; at once where it is near the end."""
    for part in (values[-_RECENT:], values):
        finite = part[np.isfinite(part)]
        if finite.size:
            return float(finite[-1])
    return float("nan")


def _began(log: RunLog) -> float:
    if not len(log) or np.isfinite(log.times[0]):
        return float(log.times[0]) if len(log) else 0.0
    seen = np.isfinite(log.times)
    return float(log.times[seen.argmax()]) if seen.any() else 0.0
