"""Replay: what another mixer would have weighed on the log of a run that is over."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import (
    InvalidArgument,
    MissingSignal,
    ReweightvizError,
    UnknownName,
    listed,
    warn,
)
from reweightviz.core.protocols import Mixer, needs, supply
from reweightviz.core.runlog import RunLog
from reweightviz.core.sources import Source, Sources
from reweightviz.core.types import COSTLY_SIGNALS, LOG_SIGNALS, SIGNALS, Array
from reweightviz.numerics.simplex import numbers

NOTE = "weights only: under these weights the run would have reached other losses, and the mixer would have been told those"
SAME = 1e-6
"""How far the weights of a log, which holds seven digits, may be from those of a probe."""
_KEPT = ("seed", "steps", "batch", "context", "tokens", "corpus_digest", "sources", "graph")


def replay(
    log: RunLog,
    mixer: Mixer,
    *,
    sources: Sources | Mapping[str, Any] | None = None,
    name: str | None = None,
    **given: Any,
) -> RunLog:
    """What a mixer would have weighed, had it been told what the log of a finished run holds.

    Weights only. A replay never invents losses: under other weights the run would have reached
    others, so read it as what the method makes of these signals, not as what a training with it
    would have done.

    A line of the log stands for the steps since the line before, so the mixer is told it that many
    times, ``drawn_tokens`` shared out among them; before the first line there were no more steps
    than between the first two. Weights at a line are those of its step, as the reference trainer
    logs them: with a line a step, what the mixer would train with before it is told that line, and
    replaying the log's own mixer gives its own weights exactly. A line that lacks what the mixer
    is told at every step passes by; the next one stands for its steps too. A costly signal is told
    at the steps that the mixer names, and a mixer that remembers what was trained (it has
    ``trained_on``) remembers the log's weights.

    Args:
        log: the run; it stays as it is.
        mixer: one of ``rv.mixers``, with its hyperparameters.
        sources: tokens and documents available in each domain, for mixers that ask;
            ``log.meta["sources"]`` when not given.
        name: of the replay; "odm on doremi" when not given.
        **given: what else the mixer's start asks for, such as ``tokens=``, ``prior=`` (uniform
            when not given) or ``graph=`` (``log.meta["graph"]`` when not given): by domain, or in
            the order of the log's domains.

    Returns:
        A RunLog without signals: steps and domains of ``log``, the weights (T, K), and in ``meta``
        the mixer's ``result`` and what was replayed on what.

    Raises:
        ReweightvizError: names the signal that the log lacks, or that is NaN throughout or at
            every step where the mixer asks for it; or the step at which the mixer would try a
            mixture (a probe) that the run did not train on.

    Example:
        >>> from reweightviz.mixers import DoReMi
        >>> told = {"excess_loss": [[0.5, 0.0, 0.1], [0.4, 0.0, 0.1]]}
        >>> log = RunLog(("web", "code", "math"), [1, 2], [[0.6, 0.2, 0.2]] * 2, told, "mine")
        >>> replayed = replay(log, DoReMi())
        >>> replayed.name, replayed.weights.round(3).tolist()
        ('doremi on mine', [[0.333, 0.333, 0.333], [0.439, 0.266, 0.294]])
    """
    check_replayed("rv.replay", log, mixer)
    who = type(mixer).__name__
    lines = _lines(who, mixer, log)
    state = start(log, mixer, sources=sources, **given)
    weights, teacher = np.empty((len(log), len(log.domains))), _Teacher(mixer, log, lines)
    for t, line in enumerate(lines):
        for _ in range(line.steps - 1):
            state = teacher.tell(state, t)
        weights[t] = mixer.weights(state)
        if line.steps:
            state = teacher.tell(state, t)
    teacher.check()
    meta = {key: log.meta[key] for key in _KEPT if key in log.meta} | {
        "mixer": repr(mixer),
        "result": np.asarray(mixer.result(state), np.float64).tolist(),
        "applies_to": mixer.applies_to,
        "replayed": {
            "log": log.name,
            "trained_with": log.meta.get("mixer"),
            "read": teacher.read,
            "note": NOTE,
        },
    }
    return RunLog(
        log.domains,
        log.steps,
        weights,
        {},
        name or f"{who.lower()} on {log.name}",
        meta,
        times=log.times,
        tokens=log.tokens,
    )


def reading(given: object) -> str:
    """What would do where a path came instead of a log."""
    return (
        f": rv.read_log({str(given)!r}) reads one" if isinstance(given, str | os.PathLike) else ""
    )


def check_replayed(verb: str, log: Any, mixer: Any) -> None:
    """Refuse what is no run log, or no mixer with its parameters."""
    if not isinstance(log, RunLog):
        raise InvalidArgument(
            name=verb,
            value=log,
            expected="a run log, as rv.read_log returns one",
            got=f"{log!r:.60}{reading(log)}",
        )
    if isinstance(mixer, type) or not isinstance(mixer, Mixer):
        raise InvalidArgument(
            name=verb, value=mixer, expected="a mixer with its parameters, such as rv.mixers.ODM()"
        )


def start(
    log: RunLog, mixer: Mixer, *, sources: Sources | Mapping[str, Any] | None = None, **given: Any
) -> Any:
    """The mixer's state before the first line of a log; arguments as :func:`replay`."""
    who, facts = type(mixer).__name__, _facts(log, sources, given)
    lacking = [
        wanted for wanted, required in needs(mixer.init).items() if required and wanted not in facts
    ]
    if lacking:
        raise ReweightvizError(
            f"{who} starts from {listed(lacking)}, which the log {log.name!r} does not say: "
            f"rv.replay(log, mixer, {'=..., '.join(lacking)}=...)."
        )
    state = mixer.init(**supply(who, mixer.init, facts))
    if mixer.weights(state).shape != (len(log.domains),):
        raise ReweightvizError(
            f"{who} weighs {mixer.weights(state).size} domains, and the log {log.name!r} "
            f"has {len(log.domains)}: "
            "what is handed over must hold one number for each."
        )
    return state


class _Line(NamedTuple):
    """What a line tells: how often, what at every step, and what was measured for it, each (K,)."""

    steps: int
    told: Mapping[str, Array]
    costly: Mapping[str, Array]


def steps_of(log: RunLog) -> NDArray[np.int64]:
    """How many steps (T,) each line of a log stands for; a line alone for one, because nothing says how many there were.

    >>> steps_of(RunLog(("web",), [10, 20, 40], [[1.0]] * 3)).tolist()
    [10, 10, 20]
    """
    if not len(log):
        return np.zeros(0, np.int64)
    between = np.diff(log.steps)
    first = np.clip(log.steps[0], 1, between[0] if len(between) else 1)
    return np.append(first, between).astype(np.int64)


def shares_of(log: RunLog) -> Array:
    """The weights (T, K) of a log, those of a line divided by their sum if it is not 1; NaN where there are none.

    >>> shares_of(RunLog(("web", "code"), [1, 2], [[2.0, 6.0], [0.0, 0.0]])).tolist()
    [[0.25, 0.75], [nan, nan]]
    """
    totals = log.weights.sum(1, keepdims=True)
    good = (log.weights >= 0).all(1, keepdims=True) & (totals > 0) & np.isfinite(totals)
    shares = np.divide(log.weights, totals, out=np.full(log.weights.shape, np.nan), where=good)
    return np.where(good & (np.abs(totals - 1) < SAME), log.weights, shares)


def _lines(who: str, mixer: Any, log: RunLog) -> list[_Line]:
    """The log as the mixer is told it; one sentence names a signal that the log lacks."""
    wanted = needs(mixer.update) if hasattr(mixer, "update") else {}
    measured = {name: values for name, values in log.signals.items() if np.isfinite(values).any()}
    if (
        "probe_loss" in measured
    ):  # of the documents that a mixer may look at; held_out_loss is then the final comparison's
        measured["held_out_loss"] = measured["probe_loss"]
    for name in (name for name, required in wanted.items() if required and name not in measured):
        held = "holds it as NaN throughout; it has" if name in log.signals else "has"
        raise MissingSignal(
            signals=name,
            available=measured,
            who=who,
            where=f"the log {log.name!r} {held}",
            hint=f"replay a mixer that reads what there is, or train a run that records {name!r}",
        )
    told = {
        name: measured[name] for name in wanted if name in measured and name not in COSTLY_SIGNALS
    }
    costly = {
        name: measured[name] for name in wanted if name in measured and name in COSTLY_SIGNALS
    }
    counts, since, lines = steps_of(log), 0, []
    if hasattr(mixer, "stages") and len(
        log
    ):  # its weights are those of the run's own steps, also where a log starts late
        counts[0] = max(log.steps[0], 0)
    for t, count in enumerate(counts.tolist()):
        since += count
        here = since if all(np.isfinite(values[t]).any() for values in told.values()) else 0
        row = {
            name: values[t] / max(here, 1) if name == "drawn_tokens" else values[t]
            for name, values in told.items()
        }
        lines.append(_Line(here, row, {name: values[t] for name, values in costly.items()}))
        since -= here
    return lines


class _Teacher:
    """Tells a mixer the log, line by line, and watches whether the log can answer what it asks for."""

    def __init__(self, mixer: Any, log: RunLog, lines: list[_Line]) -> None:
        self._mixer, self._log, self._lines = mixer, log, lines
        self._who, self._nothing = type(mixer).__name__, np.full(len(log.domains), np.nan)
        self._asked: dict[str, list[int]] = {}
        self._trained = shares_of(log)
        self.read = [*lines[0].told, *lines[0].costly] if lines else []

    def tell(self, state: Any, t: int) -> Any:
        """The state after one of the steps of line t."""
        if not hasattr(self._mixer, "update"):
            return state
        line = self._lines[t]
        if "probe_loss" in line.costly:
            self._fits(state, t)
        named = self._mixer.measures(state) if line.costly else ()
        for signal in named:
            self._asked.setdefault(signal, []).append(t)
        costly = {
            signal: row if signal in named else self._nothing for signal, row in line.costly.items()
        }
        heard = any(np.isfinite(row).any() for row in costly.values())
        if heard and hasattr(self._mixer, "trained_on") and np.isfinite(self._trained[t]).all():
            state = self._mixer.trained_on(state, self._trained[t])
        return self._mixer.update(state, **line.told, **costly)

    def _fits(self, state: Any, t: int) -> None:
        """A mixer that probes trains on something else than its answer; only where the run did the same is it known what came of it."""
        tried = self._mixer.weights(state)
        if np.allclose(tried, self._mixer.result(state), rtol=0, atol=SAME):
            return
        if self._lines[t].steps > 1 or not np.allclose(
            tried, self._log.weights[t], rtol=0, atol=SAME
        ):
            raise ReweightvizError(
                f"{self._who} tries a mixture of its own by step {self._log.steps[t]}, "
                f"and the log {self._log.name!r} "
                f"does not say what came of it: {self._who} can only be replayed on a run "
                "with the same probes, "
                "logged at every step."
            )

    def check(self) -> None:
        """Refuse where the log never held what was asked for, warn where it did so only now and then."""
        for signal, asked in self._asked.items():
            held = [np.isfinite(line.costly[signal]).any() for line in self._lines]
            answered = sum(map(held.__getitem__, asked))
            there = self._log.steps[held].tolist()
            cadence = (
                f"{self._who} asks for {signal!r} at "
                f"{_few(self._log.steps[asked].tolist())}; the log {self._log.name!r} "
                "holds it "
                f"at {_few(there)}"
            )
            if not answered:
                raise ReweightvizError(f"{cadence}: give the mixer an interval that meets them.")
            if answered < len(asked):
                warn(
                    f"{cadence}, so it learns at {answered} of the {len(asked)} steps "
                    "where it asks."
                )


def _few(steps: list[int]) -> str:
    """The first steps of a list, in words."""
    unique = list(dict.fromkeys(steps))
    return f"step{'s' * (len(unique) > 1)} {', '.join(map(str, unique[:3]))}{', ...' * (len(unique) > 3)}"


# ---- what a mixer starts from


def _facts(
    log: RunLog, sources: Sources | Mapping[str, Any] | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything a mixer's ``init`` may name, arrays in the order of the log's domains."""
    for name in given:
        if name in LOG_SIGNALS:
            raise ReweightvizError(
                f"rv.replay reads {name!r} from the log; only what a mixer starts from "
                "can be handed over."
            )
        if name not in SIGNALS:
            raise UnknownName(kind="signal", name=name, known=set(SIGNALS) - set(LOG_SIGNALS))
    facts: dict[str, Any] = {"prior": np.full(len(log.domains), 1 / len(log.domains))}
    there = Sources.of(sources if sources is not None else log.meta.get("sources"))
    if there is not None:
        facts["tokens"] = _aligned("tokens", there.token_table, log)
        if all(source.documents for source in there.values()):
            facts["documents"] = _aligned(
                "documents", {domain: source.documents for domain, source in there.items()}, log
            )
    if "graph" in log.meta:
        facts["graph"] = _aligned("graph", log.meta["graph"], log)
    return facts | {name: _aligned(name, value, log) for name, value in given.items()}


def _aligned(name: str, value: Any, log: RunLog) -> Any:
    """A table by domain in the order of the log's domains; anything else as it is."""
    if isinstance(value, pd.DataFrame):
        value = {
            row: dict(zip(value.columns, edges, strict=True))
            for row, edges in zip(value.index, value.to_numpy(), strict=True)
        }
    if not isinstance(value, Mapping):
        return (
            numbers(value, repr(name))
            if isinstance(value, list | tuple | str | int | float)
            else value
        )
    absent = [domain for domain in log.domains if domain not in value]
    if absent:
        raise ReweightvizError(
            f"{name!r} has nothing for {listed(absent)} of the log {log.name!r}; it names "
            f"{listed(value)}."
        )
    rows = [value[domain] for domain in log.domains]
    if all(isinstance(row, Mapping) for row in rows):
        return np.stack([_aligned(name, row, log) for row in rows])
    table = numbers([row.tokens if isinstance(row, Source) else row for row in rows], repr(name))
    return (
        table if name == "graph" else table.T
    )  # a graph has a row a domain, as the domain gave it; all else a column a domain
