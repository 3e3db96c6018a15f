"""Schedule: a mixture that changes as training goes on."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    ReweightvizError,
    WrongContent,
)
from reweightviz.core.files import write_json
from reweightviz.core.foreign_file import NO_RECORD, guard_reading
from reweightviz.core.json_text import parse_json
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.mixture import Mixture
from reweightviz.core.temperature import cooldown_stages
from reweightviz.core.validation import whole_number

__all__ = ["FORMAT", "Schedule", "mean_over_steps"]


FORMAT = "reweightviz.schedule/1"


def mean_over_steps(starts: Sequence[int], weights: ArrayLike, steps: int) -> NDArray[np.float64]:
    """Return the mean (K,) of weights (S, K) over a run, each stage from its start to the next."""
    mean = np.diff([*starts, steps]) @ np.asarray(weights, np.float64)
    return np.asarray(mean / mean.sum(), np.float64)


class Schedule(Mapping[int, Mixture]):
    """Mixture by the step at which it begins; it holds until the next begins.

    Args:
        stages: first step to the mixture from there on, in optimiser steps; the first stage begins
            at step 0.
        steps: steps of the whole run, where known. Some frameworks and the epochs need it.
        source: where it came from.

    Raises:
        ReweightvizError: no stage at 0, a step that is no whole number, or stages that name
            different domains.

    Example:
        >>> late = Mixture({"web": 0.5, "math": 0.5})
        >>> schedule = Schedule({0: {"web": 0.9, "math": 0.1}, 8000: late}, steps=10_000)
        >>> schedule.at(9000) == late, round(schedule.mean()["math"], 3)
        (True, 0.18)
    """

    def __init__(
        self,
        stages: Mapping[int, Mapping[str, float]],
        *,
        steps: int | None = None,
        source: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(stages, Mapping) or not stages:
            raise InvalidArgument(
                name="a Schedule",
                value=stages,
                expected="a mapping of first step to mixture, such as {0: start, 8000: end}",
            )
        starts = [whole_number("a step", start) for start in stages]
        if min(starts) != 0 or len(set(starts)) < len(starts):
            raise ReweightvizError(
                "the first stage of a Schedule begins at step 0, each at a step of its "
                f"own; got {starts[:12]}."
            )
        by_step = dict(zip(starts, stages.values(), strict=True))
        self._stages = {start: Mixture.of(by_step[start]) for start in sorted(starts)}
        self._starts = tuple(self._stages)  # as at() is asked at every step
        for mixture in self._stages.values():
            mixture.aligned(self.domains)  # refuses other domains
        self.steps = None if steps is None else whole_number("steps", steps)
        if self.steps is not None and self.steps <= max(starts):
            raise InvalidValue(
                name="steps=",
                value=steps,
                expected="the length of the run, more than the last stage's first step "
                f"{max(starts)}",
            )
        _check_size(self.steps or max(starts))
        self.source = dict(source or {})

    @classmethod
    def cooldown(
        cls,
        tokens: Mapping[str, float],
        temperatures: Sequence[tuple[int, float]],
        *,
        steps: int,
        path: str = "step",
        every: int = 100,
    ) -> Schedule:
        """Return a schedule that is flat at first and natural at the end.

        Small domains are learnt fast and not overfitted. It is the answer of
        ``rv.mixers.Cooldown``, where its paper is named; the arguments are those of
        :func:`reweightviz.core.temperature.cooldown_stages`.

        Example:
            >>> tokens = {"en": 1e9, "is": 1e6}
            >>> schedule = Schedule.cooldown(tokens, ((0, 5), (8000, 1)), steps=10_000)
            >>> schedule.at(0)["is"] > 10 * schedule.at(8000)["is"]
            True
            >>> round(schedule.epochs(tokens, budget=1e9)["is"])
            161
        """
        stages = cooldown_stages(list(tokens.values()), temperatures, path=path, every=every)
        source = {
            "method": "cooldown",
            "temperatures": [list(pair) for pair in temperatures],
            "path": path,
        }
        mixtures = {
            step: Mixture(zip(tokens, weights.tolist(), strict=True))
            for step, weights in stages.items()
        }
        return cls(mixtures, steps=steps, source=source)

    @classmethod
    def two_phase(
        cls, first: Mapping[str, float], second: Mapping[str, float], *, switch: int, steps: int
    ) -> Schedule:
        """Return one mixture until the step ``switch``, another from there on.

        It is the answer of ``rv.mixers.TwoPhase``.
        """
        return cls({0: first, switch: second}, steps=steps, source={"method": "two phases"})

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
        """Return the mixture that is trained at a step."""
        place = bisect_right(self._starts, whole_number("a step", step)) - 1
        return self._stages[self._starts[place]]

    def mean(self) -> Mixture:
        """Return the mixture of the whole run: each stage counts by its steps.

        A single stage is the whole run, however long that is.
        """
        if len(self) == 1:
            return self[0]
        if self.steps is None:
            raise ReweightvizError(
                "the mean of a Schedule needs the length of the run: Schedule(stages, steps=...)."
            )
        stages = [mixture.aligned(self.domains) for mixture in self.values()]
        weights = mean_over_steps(list(self), stages, self.steps).tolist()
        source = {"method": "mean of a schedule", **self.source}
        return Mixture.normalized(zip(self.domains, weights, strict=True), source=source)

    def epochs(self, tokens: Mapping[str, float | str], budget: float | str) -> dict[str, float]:
        """Return the passes over each domain in the whole run, ``budget`` tokens in all."""
        return self.mean().epochs(tokens, budget)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
        """Write JSON: weights in token shares by first step, full precision."""
        record = {
            "format": FORMAT,
            "unit": "share of training tokens",
            "steps": self.steps,
            "stages": [
                {"step": start, "weights": dict(mixture)} for start, mixture in self.items()
            ],
            "source": to_jsonable(self.source),
        }
        return write_json(path, record, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Schedule:
        """Read what :meth:`save` wrote."""
        with guard_reading(path):
            try:
                record = parse_json(Path(path).read_bytes())
                stages = {stage["step"]: Mixture(stage["weights"]) for stage in record["stages"]}
                return cls(stages, steps=record.get("steps"), source=record.get("source"))
            except NO_RECORD as error:
                raise WrongContent(
                    path=path,
                    reason=f"is no schedule file (JSON with 'stages'): {str(error).rstrip('.')}",
                ) from error


def _check_size(step: int) -> None:
    """Refuse a step that no record of a run can hold, and no float."""
    if step >= 2**63:
        raise InvalidValue(name="a step", value=step, expected="a whole number of at most 63 bits")
