"""RunLog: one training run. Weights by step and named signals by step and domain.

On disk JSON lines: the first a header (domains, units), then one whole line a step.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import ReweightvizError, listed, unknown_name
from reweightviz.core.files import write_atomically
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
        weights = _table(self.weights, shape)
        signals = {}
        for name, values in self.signals.items():
            if name not in LOG_SIGNALS:
                raise unknown_name("signal of a run", name, LOG_SIGNALS)
            signals[name] = _table(values, shape)
        for name, values in (("weights", weights), *signals.items()):
            if values.shape != shape:
                raise ReweightvizError(f"{name} of a RunLog of {shape[0]} steps and {shape[1]} domains must be {shape}; "
                                       f"got {values.shape}.")
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
        header = {"format": FORMAT, "name": self.name, "domains": list(self.domains), "units": units, "meta": dict(self.meta)}
        lines = [json.dumps(header, ensure_ascii=False)]
        for t, step in enumerate(self.steps.tolist()):
            record = {"step": step, "weights": _numbers(self.weights[t])}
            lines.append(json.dumps(record | {name: _numbers(values[t]) for name, values in self.signals.items()}))
        return write_atomically(path, "\n".join(lines) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> RunLog:
        """Read JSON lines; a last line that is only half there is left out."""
        text = Path(path).read_text("utf-8")
        whole = text[: text.rfind("\n") + 1].splitlines()
        try:
            header, *records = [json.loads(line) for line in whole if line.strip()]
            domains = tuple(header["domains"])
        except (ValueError, KeyError, TypeError) as error:
            raise ReweightvizError(f"{path} is no run log: its first line must be a JSON header with 'domains' "
                                   f"({error}).") from error
        names = [name for name in LOG_SIGNALS if any(name in record for record in records)]
        gap = [None] * len(domains)
        return cls(
            domains,
            np.array([record["step"] for record in records], np.int64),
            np.array([record["weights"] for record in records], np.float64).reshape(len(records), len(domains)),
            {name: np.array([record.get(name, gap) for record in records], np.float64) for name in names},
            header.get("name", Path(path).stem),
            header.get("meta", {}),
        )


def _table(values: ArrayLike, shape: tuple[int, int]) -> NDArray[np.float64]:
    """An empty list of a run without steps is (0, K)."""
    array = np.asarray(values, np.float64)
    return array.reshape(shape) if shape[0] == 0 and not array.size else array


def _numbers(row: NDArray[np.float64]) -> list[float | None]:
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in row]
