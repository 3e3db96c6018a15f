"""RunLog: one training run. Weights by step and named signals by step and domain.

On disk JSON lines: the first a header (domains, units), then one whole line a step.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import ReweightvizError, listed, unknown_name
from reweightviz.core.files import write_atomically
from reweightviz.core.plain import plain
from reweightviz.core.types import LOG_SIGNALS, SIGNALS

FORMAT = "reweightviz.runlog/1"


@dataclass(frozen=True, eq=False)
class RunLog:
    """One training run.

    Args:
        domains: names (K,).
        steps: (T,) int64, increasing.
        weights: (T, K) the weights the trainer drew by at that step.
        signals: name from :data:`reweightviz.core.types.LOG_SIGNALS` to (T, K); NaN where nothing was measured.
        name: what the run is called in legends.
        meta: how it was made (seed, steps, model, corpus digest, wall time).
    """

    domains: tuple[str, ...]
    steps: NDArray[np.int64]
    weights: NDArray[np.float64]
    signals: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    name: str = "run"
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        steps = np.asarray(self.steps, np.int64)
        shape = (len(steps), len(self.domains))
        weights = _table("weights", self.weights, shape)
        signals = {}
        for name, values in self.signals.items():
            if name not in LOG_SIGNALS:
                raise unknown_name("signal of a run", name, LOG_SIGNALS)
            signals[name] = _table(name, values, shape)
        if (np.diff(steps) <= 0).any():
            raise ReweightvizError("the steps of a RunLog must increase.")
        for name, value in (("steps", steps), ("weights", weights), ("signals", signals)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"RunLog({self.name!r}, {len(self)} steps, {len(self.domains)} domains, signals: {', '.join(self.signals)})"

    def __getitem__(self, signal: str) -> NDArray[np.float64]:
        if signal not in self.signals:
            raise ReweightvizError(f"the log {self.name!r} has no signal {signal!r}; it has {listed(self.signals)}.")
        return self.signals[signal]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write JSON lines."""
        units = {name: SIGNALS[name].unit for name in self.signals}
        header = {"format": FORMAT, "name": self.name, "domains": list(self.domains), "units": units, "meta": plain(self.meta)}
        lines = [json.dumps(header, ensure_ascii=False)]
        for t, step in enumerate(self.steps.tolist()):
            record = {"step": step, "weights": _numbers(self.weights[t])}
            lines.append(json.dumps(record | {name: _numbers(values[t]) for name, values in self.signals.items()}))
        return write_atomically(path, "\n".join(lines) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RunLog:
        """Read JSON lines; a last line that is only half there is left out.

        Raises:
            ReweightvizError: the file, the number of the line and what is wrong with it.
        """
        (_, header), *records = _lines(Path(path)) or [(1, {})]
        if not isinstance(header.get("domains"), list):
            raise ReweightvizError(f"{path} is no run log: its first line must be a JSON header with 'domains'.")
        domains = tuple(map(str, header["domains"]))
        names = ["weights", *(name for name in LOG_SIGNALS if any(name in record for _, record in records))]
        rows = [_record(record, names, len(domains), f"{path}, line {number}") for number, record in records]
        tables = {name: np.array([values[n] for _, values in rows]) for n, name in enumerate(names)}
        return cls(domains, np.array([step for step, _ in rows], np.int64), tables.pop("weights"), tables,
                   header.get("name", Path(path).stem), header.get("meta", {}))


def _lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Number and content of every line with anything in it."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise ReweightvizError(f"cannot read {path}: {error.strerror or error}.") from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            content = json.loads(line) if line.strip() else None
        except ValueError as error:
            if number == len(lines):
                break  # without its newline: half a line of a run that was cut off
            raise ReweightvizError(f"{path} is no run log: line {number} is not JSON; got {line[:60]!r}.") from error
        if isinstance(content, dict):
            found.append((number, content))
        elif content is not None:
            raise ReweightvizError(f"{path} is no run log: line {number} must be a JSON object; got {content!r:.60}.")
    return found


def _record(record: Mapping[str, Any], names: Sequence[str], K: int, where: str) -> tuple[int, list[NDArray[np.float64]]]:
    """The step and a row (K,) for every name, NaN where nothing was measured."""
    try:
        given = {name: [None] * K for name in names if name != "weights"} | dict(record)
        return int(record["step"]), [np.array(given[name], np.float64).reshape(K) for name in names]
    except (KeyError, TypeError, ValueError) as error:
        raise ReweightvizError(f"{where}: a step needs 'step', 'weights', and {K} numbers a name; got {dict(record)!r:.80}.") from error


def _table(name: str, values: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    """An empty list of a run without steps is (0, K)."""
    try:
        array = np.asarray(values, np.float64)
        array = array.reshape(shape) if shape[0] == 0 and not array.size else array
        got = str(array.shape)
    except (TypeError, ValueError):
        array, got = np.empty(0), "rows of different lengths, or no numbers"
    if array.shape != shape:
        raise ReweightvizError(f"{name} of a RunLog of {shape[0]} steps and {shape[1]} domains must be {shape}; got {got}.")
    return array


def _numbers(row: NDArray[np.float64]) -> list[float | None]:
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in row]
