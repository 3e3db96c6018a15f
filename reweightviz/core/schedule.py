"""Schedule: a mixture that changes as training goes on."""

from __future__ import annotations

import json
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    ReweightvizError,
    UnknownName,
    UnreadableFile,
    WrongContent,
)
from reweightviz.core.files import write_atomically
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.mixture import Mixture, temperature_weights
from reweightviz.core.validation import whole_number

FORMAT = "reweightviz.schedule/1"
PATHS: dict[str, Callable[[float], float]] = {
    "step": lambda _: 0.0,
    "linear": lambda part: part,
    "cosine": lambda part: (1 - float(np.cos(np.pi * part))) / 2,
}
"""How far the exponent has come from one temperature to the next, by how much of the way there is done."""


def cooldown_stages(
    tokens: ArrayLike,
    temperatures: Sequence[tuple[int, float]],
    *,
    path: str = "step",
    every: int = 100,
) -> dict[int, NDArray[np.float64]]:
    """First step to weights (K,), proportional to ``tokens ** (1 / temperature)``, as the temperature changes by the step.

    Args:
        tokens: (K,) available in each domain; one without any gets 0.
        temperatures: (step, temperature) pairs, the first at step 0; the last temperature holds to
            the end.
        path: "step" holds each temperature until the next; "linear" and "cosine" go there in the
            exponent, 1 / temperature.
        every: steps that a stage lasts on the way; each has the temperature of its first step.

    Example:
        >>> stages = cooldown_stages([9, 1], [(0, 2.0), (200, 1.0)], path="linear")
        >>> {step: weights.round(3).tolist() for step, weights in stages.items()}
        {0: [0.75, 0.25], 100: [0.839, 0.161], 200: [0.9, 0.1]}
    """
    pairs = parse_temperatures(temperatures)
    if path not in PATHS:
        raise UnknownName(kind="path of a cooldown", name=path, known=PATHS)
    every = whole_number("every", every, 1)
    exponents = {pairs[-1][0]: 1 / pairs[-1][1]}
    for (begin, hot), (end, cold) in pairwise(pairs):
        for step in range(begin, end, every) if path != "step" else (begin,):
            exponents[step] = 1 / hot + (1 / cold - 1 / hot) * PATHS[path](
                (step - begin) / (end - begin)
            )
    return {step: temperature_weights(tokens, exponents[step]) for step in sorted(exponents)}


def parse_temperatures(temperatures: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The (step, temperature) pairs of a cooldown, in order; refuses what is none."""
    try:
        pairs = [
            (whole_number("a step", step), float(temperature)) for step, temperature in temperatures
        ]
    except (TypeError, ValueError) as error:
        raise InvalidValue(
            name="temperatures",
            value=temperatures,
            expected="(step, temperature) pairs, such as ((0, 5), (8000, 1))",
        ) from error
    steps = [step for step, _ in pairs]
    if not pairs or steps[0] != 0 or any(later <= earlier for earlier, later in pairwise(steps)):
        raise ReweightvizError(
            "the temperatures of a cooldown begin at step 0, each later than the one "
            f"before; got steps {steps[:12]}."
        )
    if not all(temperature > 0 for _, temperature in pairs):
        raise InvalidValue(
            name="every temperature",
            value=[t for _, t in pairs][:12],
            expected="above 0 (1 natural, larger is flatter)",
        )
    return pairs


def mean_over_steps(starts: Sequence[int], weights: ArrayLike, steps: int) -> NDArray[np.float64]:
    """The mean (K,) of weights (S, K) over a run of ``steps``, each stage from its start to the next."""
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
        self._stages = {
            start: mixture if isinstance(mixture, Mixture) else Mixture(mixture)
            for start, mixture in sorted(
                zip(starts, stages.values(), strict=True), key=lambda stage: stage[0]
            )
        }
        for mixture in self._stages.values():
            mixture.aligned(self.domains)
        self.steps = None if steps is None else whole_number("steps", steps)
        if self.steps is not None and self.steps <= max(starts):
            raise InvalidValue(
                name="steps=",
                value=steps,
                expected="the length of the run, more than the last stage's first step "
                f"{max(starts)}",
            )
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
        """Flat at first, for the small domains to be learnt fast, natural at the end, for them not to be overfitted.

        What ``rv.mixers.Cooldown`` answers, where its paper is named; :func:`cooldown_stages` says
        what the arguments mean.

        Example:
            >>> schedule = Schedule.cooldown({"en": 1e9, "is": 1e6}, ((0, 5), (8000, 1)), steps=10_000)
            >>> schedule.at(0)["is"] > 10 * schedule.at(8000)["is"], round(schedule.epochs({"en": 1e9, "is": 1e6}, budget=1e9)["is"])
            (True, 161)
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
        """One mixture until the step ``switch``, another from there on; what ``rv.mixers.TwoPhase`` answers."""
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
        """The mixture that is trained at a step."""
        starts = list(self._stages)
        return self._stages[starts[bisect_right(starts, whole_number("a step", step)) - 1]]

    def mean(self) -> Mixture:
        """The mixture of the whole run: each stage counts by its steps."""
        if self.steps is None:
            raise ReweightvizError(
                "the mean of a Schedule needs the length of the run: Schedule(stages, steps=...)."
            )
        weights = mean_over_steps(
            list(self), [mixture.aligned(self.domains) for mixture in self.values()], self.steps
        )
        return Mixture.normalized(
            zip(self.domains, weights.tolist(), strict=True),
            source={"method": "mean of a schedule", **self.source},
        )

    def epochs(self, tokens: Mapping[str, float | str], budget: float | str) -> dict[str, float]:
        """Passes over each domain by the end of the run, ``budget`` tokens in all."""
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
        return write_atomically(
            path, json.dumps(record, indent=2, ensure_ascii=False) + "\n", overwrite=overwrite
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Schedule:
        """Read what :meth:`save` wrote."""
        try:
            record = json.loads(Path(path).read_text("utf-8"))
            stages = {stage["step"]: Mixture(stage["weights"]) for stage in record["stages"]}
            return cls(stages, steps=record.get("steps"), source=record.get("source"))
        except OSError as error:
            raise UnreadableFile(path=path, reason=error.strerror or error) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise WrongContent(
                path=path,
                reason=f"is no schedule file (JSON with 'stages'): {str(error).rstrip('.')}",
            ) from error
