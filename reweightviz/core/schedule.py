"""Schedule: a mixture that changes as training goes on."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.files import write_atomically
from reweightviz.core.mixture import Mixture
from reweightviz.core.plain import plain

FORMAT = "reweightviz.schedule/1"


class Schedule(Mapping[int, Mixture]):
    """Mixture by the step at which it begins; it holds until the next begins.

    Args:
        stages: first step to the mixture from there on, in optimiser steps; the first stage begins at step 0.
        steps: steps of the whole run, where known. Some frameworks and the epochs need it.
        source: where it came from.

    Raises:
        ReweightvizError: no stage at 0, a step that is no whole number, or stages that name different domains.

    Example:
        >>> late = Mixture({"web": 0.5, "math": 0.5})
        >>> schedule = Schedule({0: {"web": 0.9, "math": 0.1}, 8000: late}, steps=10_000)
        >>> schedule.at(9000) == late, round(schedule.mean()["math"], 3)
        (True, 0.18)
    """

    def __init__(self, stages: Mapping[int, Mapping[str, float]], *, steps: int | None = None,
                 source: Mapping[str, Any] | None = None) -> None:
        if not isinstance(stages, Mapping) or not stages:
            raise ReweightvizError("a Schedule takes a mapping of first step to mixture, such as {0: start, 8000: end}; "
                                   f"got {stages!r:.60}.")
        starts = [_step(start) for start in stages]
        if min(starts) != 0 or len(set(starts)) < len(starts):
            raise ReweightvizError(f"the first stage of a Schedule begins at step 0, each at a step of its own; got {starts[:12]}.")
        self._stages = {start: mixture if isinstance(mixture, Mixture) else Mixture(mixture)
                        for start, mixture in sorted(zip(starts, stages.values(), strict=True), key=lambda stage: stage[0])}
        for mixture in self._stages.values():
            mixture.aligned(self.domains)
        self.steps = None if steps is None else _step(steps)
        if self.steps is not None and self.steps <= max(starts):
            raise ReweightvizError(f"steps= is the length of the run, more than the last stage's first step {max(starts)}; got {steps}.")
        self.source = dict(source or {})

    def __getitem__(self, start: int) -> Mixture:
        return self._stages[start]

    def __iter__(self) -> Iterator[int]:
        return iter(self._stages)

    def __len__(self) -> int:
        return len(self._stages)

    def __repr__(self) -> str:
        length = f", steps={self.steps}" if self.steps is not None else ""
        return f"Schedule({self._stages}{length})"

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains, in the order of the first stage."""
        return self._stages[0].domains

    def at(self, step: int) -> Mixture:
        """The mixture that is trained at a step."""
        starts = list(self._stages)
        return self._stages[starts[bisect_right(starts, _step(step)) - 1]]

    def mean(self) -> Mixture:
        """The mixture of the whole run: each stage counts by its steps."""
        if self.steps is None:
            raise ReweightvizError("the mean of a Schedule needs the length of the run: Schedule(stages, steps=...).")
        lengths = np.diff([*self._stages, self.steps])
        weights = lengths @ np.array([mixture.aligned(self.domains) for mixture in self._stages.values()])
        return Mixture.normalized(zip(self.domains, weights.tolist(), strict=True), source={"method": "mean of a schedule", **self.source})

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
        """Write JSON: weights in token shares by first step, full precision."""
        record = {"format": FORMAT, "unit": "share of training tokens", "steps": self.steps,
                  "stages": [{"step": start, "weights": dict(mixture)} for start, mixture in self.items()], "source": plain(self.source)}
        return write_atomically(path, json.dumps(record, indent=2, ensure_ascii=False) + "\n", overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Schedule:
        """Read what :meth:`save` wrote."""
        try:
            record = json.loads(Path(path).read_text("utf-8"))
            stages = {stage["step"]: Mixture(stage["weights"]) for stage in record["stages"]}
            return cls(stages, steps=record.get("steps"), source=record.get("source"))
        except OSError as error:
            raise ReweightvizError(f"cannot read {path}: {error.strerror or error}.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ReweightvizError(f"{path} is no schedule file (JSON with 'stages'): {str(error).rstrip('.')}.") from error


def _step(step: object) -> int:
    if isinstance(step, bool) or not isinstance(step, int | np.integer) or step < 0:
        raise ReweightvizError(f"a step must be a whole number >= 0; got {step!r}.")
    return int(step)
