"""RunLog: one training run. Weights by step, named signals by step and domain, scalars by step.

On disk JSON lines: the first a header (domains, units), then one whole line a step. null is "not
measured"; "nan", "inf" and "-inf" (text, as JSON has no such numbers) were measured, and are gaps
that are counted. :mod:`reweightviz.core.run_lines` reads them::

    {"format": "reweightviz.runlog/1", "name": "doremi", "domains": ["web", "code"], "meta": {}}
    {"step": 10, "weights": [0.5, 0.5], "loss": [3.1, null], "scalars": {"lr": 0.001}}
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import (
    InvalidValue,
    MissingSignal,
    ReweightvizError,
    UnknownName,
    list_names,
)
from reweightviz.core.files import write_atomically
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.records import Records
from reweightviz.core.run_lines import RunLineReader
from reweightviz.core.types import LOG_SIGNALS, SIGNALS
from reweightviz.core.validation import check_unique
from reweightviz.core.written_numbers import round_table

__all__ = ["BEGINNING", "FORMAT", "RunLog"]


FORMAT = "reweightviz.runlog/1"
BEGINNING = b'{"format": "reweightviz.'
"""The first bytes of each log that we write."""
_CELLS = 1 << 16  # of the tables, written at once


@dataclass(frozen=True, eq=False)
class RunLog:
    """One training run.

    Args:
        domains: names (K,).
        steps: (T,) int64, increasing.
        weights: (T, K) the weights the trainer drew by at that step.
        signals: name from :data:`reweightviz.core.types.LOG_SIGNALS` to (T, K); NaN where nothing
            was measured.
        name: what the run is called in legends.
        meta: how it was made (seed, steps, model, corpus digest, wall time); ``notes`` are
            findings about the log.
        scalars: any name to (T,): learning rate, length of the gradient; NaN where nothing was
            measured.
        times: (T,) Unix seconds, NaN where unknown.
        tokens: (T,) tokens trained so far, NaN where unknown.
    """

    domains: tuple[str, ...]
    steps: NDArray[np.int64]
    weights: NDArray[np.float64]
    signals: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    name: str = "run"
    meta: Mapping[str, Any] = field(default_factory=dict)
    scalars: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    times: NDArray[np.float64] = None  # type: ignore[assignment]
    tokens: NDArray[np.float64] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        steps = _whole_steps(self.steps)
        check_unique("domain", self.domains, "a RunLog")
        shape = (len(steps), len(self.domains))
        weights = _table("weights", self.weights, shape)
        signals = {}
        for name, values in self.signals.items():
            if name not in LOG_SIGNALS:
                raise UnknownName(kind="signal of a run", name=name, known=LOG_SIGNALS)
            signals[name] = _table(name, values, shape)
        if (np.diff(steps) <= 0).any():
            raise ReweightvizError("the steps of a RunLog must increase.")
        scalars = {name: _column(name, values, len(steps)) for name, values in self.scalars.items()}
        self._set(
            steps=steps,
            weights=weights,
            signals=signals,
            scalars=scalars,
            times=_column("times", self.times, len(steps)),
            tokens=_column("tokens", self.tokens, len(steps)),
        )

    @classmethod
    def of_views(cls, **columns: Any) -> RunLog:
        """Return a log of arrays that need no check, in the same time however long they are."""
        log = object.__new__(cls)
        log._set(**columns)
        return log

    @classmethod
    def of_records(cls, records: Records) -> RunLog:
        """Return the run so far: read-only views of the growing table, nothing is copied.

        Rows keep their numbers, but for the last one: until the next step it may still be filled
        in.
        """
        return cls.of_views(**records.columns())

    def _set(self, **columns: Any) -> None:
        for name, value in columns.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        shape = f"{len(self)} steps, {len(self.domains)} domains"
        signals = ", ".join(self.signals) or "none"
        return f"RunLog({self.name!r}, {shape}, signals: {signals}{self._count_notes()})"

    def _count_notes(self) -> str:
        notes = self.meta.get("notes")
        if not notes or not isinstance(notes, list):
            return ""
        plural = "s" if len(notes) > 1 else ""
        return f", {len(notes)} note{plural}: {list_names(notes, 3)}"

    def __getitem__(self, signal: str) -> NDArray[np.float64]:
        if signal not in self.signals:
            raise MissingSignal(
                signals=signal,
                available=self.signals,
                who="this call",
                where=f"the log {self.name!r} has",
            )
        return self.signals[signal]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write JSON lines, a part at a time; numbers have seven digits, whole ones all."""
        return write_atomically(path, self._write_parts())

    def _write_parts(self) -> Iterator[str]:
        header = {
            "format": FORMAT,
            "name": self.name,
            "domains": list(self.domains),
            "units": {name: SIGNALS[name].unit for name in self.signals},
            "meta": to_jsonable(self.meta),
        }
        yield json.dumps(header, ensure_ascii=False) + "\n"
        rows = max(1, _CELLS // max(1, len(self.domains)))
        for start in range(0, len(self), rows):
            part = self._make_records(slice(start, start + rows))
            yield "".join(json.dumps(record) + "\n" for record in part)

    def _make_records(self, rows: slice) -> Iterator[dict[str, Any]]:
        """Yield rows as JSON holds them; a clock that is not known is left out."""
        tables = {"weights": self.weights, **self.signals}
        columns = [round_table(table[rows]) for table in tables.values()]
        scalars = [round_table(scalar[rows]) for scalar in self.scalars.values()]
        clocks = {"time": self.times[rows].tolist(), "tokens": self.tokens[rows].tolist()}
        for row, step in enumerate(self.steps[rows].tolist()):
            record: dict[str, Any] = {"step": step}
            for name, clock in clocks.items():
                if math.isfinite(clock[row]):
                    record[name] = round(clock[row], 3)
            record |= {name: column[row] for name, column in zip(tables, columns, strict=True)}
            if self.scalars:
                values = [scalar[row] for scalar in scalars]
                record["scalars"] = dict(zip(self.scalars, values, strict=True))
            yield record

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RunLog:
        """Read JSON lines; a last line that is only half there is left out.

        Raises:
            ReweightvizError: the file, the number of the line and what is wrong with it.
        """
        with guard_reading(path):
            return cls.of_records(RunLineReader(path).read())


def _whole_steps(steps: ArrayLike) -> NDArray[np.int64]:
    """Return steps (T,) as integers; a part of a step is refused, not cut off."""
    given = np.asarray(steps)
    with np.errstate(invalid="ignore"):
        whole = given.astype(np.int64)
    if given.dtype.kind == "f" and not np.array_equal(whole, given):
        raise InvalidValue(name="steps of a RunLog", value=given, expected="whole numbers")
    return whole


def _table(name: str, values: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    try:
        table = np.asarray(values, np.float64)
        got = str(table.shape)
    except (TypeError, ValueError):
        table = np.full(1, np.nan)
        got = "rows of different lengths, or no numbers"
    if shape[0] == 0 and not table.size:
        return table.reshape(shape)  # an empty list of a run without steps
    if table.shape != shape:
        raise InvalidValue(
            name=f"{name} of a RunLog of {shape[0]} steps and {shape[1]} domains",
            value=values,
            expected=str(shape),
            got=got,
        )
    return table


def _column(name: str, values: ArrayLike | None, T: int) -> NDArray[np.float64]:
    if values is None:
        return np.full(T, np.nan)
    try:
        column = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        column = np.empty((0, 0))
    if column.shape != (T,):
        raise InvalidValue(
            name=f"{name} of a RunLog of {T} steps", value=column.shape, expected=f"{T} numbers"
        )
    return column
