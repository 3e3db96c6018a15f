"""The feed of a log to a mixer: its signals line by line, and whether they are all it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from reweightviz.core.errors import MissingSignal, ReweightvizError, warn
from reweightviz.core.protocols import needs
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import COSTLY_SIGNALS, Array
from reweightviz.diagnostics.log_lines import SAME, count_steps, normalize_weights

__all__ = ["Line", "LogFeed", "read_lines"]


class Line(NamedTuple):
    """A line of a log for a mixer: the steps it stands for, and signals (K,) by name.

    ``costly`` signals were measured for the line alone, the others at every step.
    """

    steps: int
    cheap: Mapping[str, Array]
    costly: Mapping[str, Array]


def read_lines(mixer: Any, log: RunLog) -> list[Line]:
    """Return the lines of a log as the mixer reads them.

    Raises:
        ReweightvizError: names a signal that the log lacks.
    """
    wanted: Mapping[str, bool] = {}
    if hasattr(mixer, "update"):
        wanted = needs(mixer.update)
    measured = {name: values for name, values in log.signals.items() if np.isfinite(values).any()}
    if "probe_loss" in measured:
        # Of the documents that a mixer may look at; the held-out loss is kept for the comparison.
        measured["held_out_loss"] = measured["probe_loss"]
    for name, required in wanted.items():
        if required and name not in measured:
            raise _missing_signal(name, type(mixer).__name__, log, measured)
    named = {name: measured[name] for name in wanted if name in measured}
    cheap = {name: values for name, values in named.items() if name not in COSTLY_SIGNALS}
    costly = {name: values for name, values in named.items() if name in COSTLY_SIGNALS}
    counts = count_steps(log)
    if hasattr(mixer, "stages") and len(log):
        # Its weights are those of the run's own steps, also where a log starts late.
        counts[0] = max(log.steps[0], 0)
    waiting = 0
    lines = []
    for t, count in enumerate(counts.tolist()):
        waiting += count
        # A mixer learns from all its signals of one step: an incomplete line waits for the next.
        complete = all(np.isfinite(values[t]).any() for values in cheap.values())
        steps = 0
        if complete:
            steps = waiting
            waiting = 0
        row = {name: values[t] for name, values in cheap.items()}
        if "drawn_tokens" in row:
            # The line is fed once for each of its steps, so that they share its tokens.
            row["drawn_tokens"] = row["drawn_tokens"] / max(steps, 1)
        lines.append(Line(steps, row, {name: values[t] for name, values in costly.items()}))
    return lines


def _missing_signal(
    name: str, who: str, log: RunLog, measured: Mapping[str, Array]
) -> MissingSignal:
    verb = "has"
    if name in log.signals:
        verb = "holds it as NaN throughout; it has"
    return MissingSignal(
        signals=name,
        available=measured,
        who=who,
        where=f"the log {log.name!r} {verb}",
        hint=f"replay a mixer that reads what there is, or train a run that records {name!r}",
    )


class LogFeed:
    """Feed a log to a mixer line by line, and count where the log has what the mixer needs.

    Args:
        mixer: is updated.
        log: the run.
        lines: of that log, for that mixer.
    """

    def __init__(self, mixer: Any, log: RunLog, lines: list[Line]) -> None:
        self.lines = lines
        self.signals: list[str] = []
        if lines:
            # Every line has the same signals.
            self.signals = [*lines[0].cheap, *lines[0].costly]
        self._mixer = mixer
        self._log = log
        self._who = type(mixer).__name__
        self._unmeasured = np.full(len(log.domains), np.nan)
        self._trained = normalize_weights(log)
        self._named: dict[str, list[int]] = {}

    def update(self, state: Any, t: int) -> Any:
        """Return the state after one of the steps of line t."""
        if not hasattr(self._mixer, "update"):
            return state
        line = self.lines[t]
        if "probe_loss" in line.costly:
            self._check_probe(state, t)
        # In training a costly signal is NaN at every step for which the mixer did not name it;
        # a log may hold it more often, and what the mixer would not have seen is withheld.
        costly = dict.fromkeys(line.costly, self._unmeasured)
        if line.costly:
            for signal in self._mixer.measures(state):
                self._named.setdefault(signal, []).append(t)
                if signal in line.costly:
                    costly[signal] = line.costly[signal]
        learns = any(np.isfinite(row).any() for row in costly.values())
        known = np.isfinite(self._trained[t]).all()
        if learns and known and hasattr(self._mixer, "trained_on"):
            state = self._mixer.trained_on(state, self._trained[t])
        return self._mixer.update(state, **line.cheap, **costly)

    def _check_probe(self, state: Any, t: int) -> None:
        """Refuse a probe that the run did not make.

        A mixer that probes trains on something else than its answer; what came of it is known only
        where the run did the same.
        """
        tried = self._mixer.weights(state)
        if np.allclose(tried, self._mixer.result(state), rtol=0, atol=SAME):
            return
        same = np.allclose(tried, self._log.weights[t], rtol=0, atol=SAME)
        if self.lines[t].steps > 1 or not same:
            raise ReweightvizError(
                f"{self._who} tries a mixture of its own by step {self._log.steps[t]}, "
                f"and the log {self._log.name!r} "
                f"has nothing on what came of it: {self._who} can only be replayed on a run "
                "with the same probes, "
                "logged at every step."
            )

    def check(self) -> None:
        """Refuse where the log never held what was needed, warn where it did so now and then."""
        for signal, lines in self._named.items():
            held = np.array([np.isfinite(line.costly[signal]).any() for line in self.lines])
            cadence = (
                f"{self._who} needs {signal!r} at "
                f"{_name_steps(self._log.steps[lines].tolist())}; the log {self._log.name!r} "
                f"holds it at {_name_steps(self._log.steps[held].tolist())}"
            )
            met = int(held[lines].sum())
            if not met:
                raise ReweightvizError(f"{cadence}: give the mixer an interval that meets them.")
            if met < len(lines):
                warn(
                    f"{cadence}, so it learns at {met} of the {len(lines)} steps "
                    "where it needs that."
                )


def _name_steps(steps: list[int]) -> str:
    """Return the first steps of a list, in words.

    >>> _name_steps([5, 5, 10, 15, 20])
    'steps 5, 10, 15, ...'
    """
    unique = list(dict.fromkeys(steps))
    named = ", ".join(map(str, unique[:3]))
    if len(unique) < 2:
        return f"step {named}"
    if len(unique) > 3:
        named += ", ..."
    return f"steps {named}"
