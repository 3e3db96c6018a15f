"""The course of domain weights: those of a mixture, a schedule, a run, or rounds of them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from reweightviz.core.errors import InvalidArgument, InvalidValue, ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import needs
from reweightviz.core.runlog import RunLog
from reweightviz.core.schedule import Schedule
from reweightviz.core.types import Array
from reweightviz.diagnostics.log_lines import count_steps, normalize_weights
from reweightviz.numerics.simplex import numbers

__all__ = ["Course", "read_course", "read_meta", "suggest_reading"]


class Course(NamedTuple):
    """Hold weights over time, and what is known of the training.

    Args:
        name: of what was looked at.
        kind: of a line: "mixture", "step" or "round".
        domains: (K,).
        at: (T,) where each line stands.
        weights: (T, K).
        counts: (T,) steps that each line held for; None where not known.
        log: the run, where there is one.
    """

    name: str
    kind: str
    domains: tuple[str, ...]
    at: Sequence[int]
    weights: Array
    counts: Array | None
    log: RunLog | None = None

    @property
    def moves(self) -> bool:
        """True where the weights of a log change."""
        return self.log is not None and not bool((self.weights == self.weights[0]).all())

    @property
    def is_mixed(self) -> bool:
        """True where a mixer was at work: weights also change by hand, or by a plan."""
        if self.log is None or not self.moves:
            return False
        named = str(self.log.meta.get("mixer") or "")
        # A trainer that follows a plan logs that plan's repr where others log the mixer's.
        planned = named.startswith(("Mixture(", "Schedule("))
        return bool(named) and not planned

    @property
    def probes(self) -> bool:
        """True where a mixer trained on mixtures only to measure what they do."""
        update = getattr(_mixer_class(self.log), "update", None)
        return update is not None and "probe_loss" in needs(update)

    @property
    def scales_loss(self) -> bool:
        """True where the weights scaled the loss and drew nothing."""
        if self.log is None:
            return False
        usual = getattr(_mixer_class(self.log), "applies_to", "")
        return bool(self.log.meta.get("applies_to", usual) == "loss")

    @property
    def drawn_tokens(self) -> Array | None:
        """Tokens (T, K) that the log's lines drew, where it counts them."""
        if self.log is None:
            return None
        return self.log.signals.get("drawn_tokens")

    def answer(self) -> Course:
        """Return what a run came to: the answer of its mixer, or else the mean of its weights."""
        answer = None
        if self.log is not None:
            answer = read_meta(self.log, "result", (len(self.domains),))
        if answer is None:
            answer = np.average(self.weights, axis=0, weights=self.counts)
        return Course(self.name, "mixture", self.domains, [1], answer[None], np.ones(1))


def _mixer_class(log: RunLog | None) -> Any:
    """Return the class of the mixer that a log names, of ours; None for any other."""
    from reweightviz import mixers

    if log is None:
        return None
    # A log holds the mixer's repr, "DoReMi(eta=1.0)"; only names of ours are looked up.
    name = str(log.meta.get("mixer")).partition("(")[0]
    if name not in mixers.__all__:
        return None
    return getattr(mixers, name)


def read_meta(log: RunLog, key: str, shape: tuple[int, ...]) -> Array | None:
    """Return a number of the log's meta, or one a domain; None where there is none."""
    value = log.meta.get(key)
    if value is None:
        return None
    name = f"meta[{key!r}] of the log {log.name!r}"
    found = numbers(value, name)
    if found.shape != shape:
        expected = "one number"
        if shape:
            expected = f"{shape[0]} numbers, one a domain"
        raise InvalidValue(name=name, value=value, expected=expected)
    return found


def read_course(given: Any) -> Course:
    """Return the course of a run log, a schedule, a mixture, or a list of rounds of them.

    Raises:
        ReweightvizError: something else came, or a log without weights.
    """
    if isinstance(given, RunLog):
        return _course_of_log(given)
    if isinstance(given, Schedule):
        return _course_of_schedule(given)
    if isinstance(given, Mapping):
        mixture = Mixture.of(given)
        name = str(mixture.source.get("method", "mixture"))
        return Course(name, "mixture", mixture.domains, [1], mixture.array[None], np.ones(1))
    if isinstance(given, Sequence) and not isinstance(given, str) and given:
        return _course_of_rounds(given)
    raise InvalidArgument(
        name="rv.diagnose",
        value=given,
        expected="a mixture, a schedule, a run log or a list of them",
        got=f"{given!r:.60}{suggest_reading(given)}",
    )


def suggest_reading(given: object) -> str:
    """Return what would do where a path came instead of a log."""
    if isinstance(given, str | os.PathLike):
        return f": rv.read_log({str(given)!r}) reads one"
    return ""


def _course_of_log(log: RunLog) -> Course:
    weights = normalize_weights(log)
    known = np.isfinite(weights).all(1)
    if not known.any():
        raise ReweightvizError(
            f"the log {log.name!r} has no weights, so there is nothing to diagnose."
        )
    counts = count_steps(log).astype(np.float64)[known]
    at = log.steps[known].tolist()
    return Course(log.name, "step", log.domains, at, weights[known], counts, log)


def _course_of_schedule(schedule: Schedule) -> Course:
    counts = None
    if schedule.steps is not None:
        counts = np.diff([*schedule, schedule.steps]).astype(np.float64)
    weights = np.array([mixture.aligned(schedule.domains) for mixture in schedule.values()])
    return Course("schedule", "step", schedule.domains, list(schedule), weights, counts)


def _course_of_rounds(given: Sequence[Any]) -> Course:
    rounds = [_mixture_of_round(one) for one in given]
    domains = rounds[0].domains
    weights = np.array([mixture.aligned(domains) for mixture in rounds])
    at = range(1, len(rounds) + 1)
    return Course(f"{len(rounds)} rounds", "round", domains, at, weights, None)


def _mixture_of_round(one: Any) -> Mixture:
    if isinstance(one, RunLog):
        answer = read_course(one).answer().weights[0]
        return Mixture.normalized(zip(one.domains, answer.tolist(), strict=True))
    if isinstance(one, Schedule):
        return one.mean()
    return Mixture.of(one)
