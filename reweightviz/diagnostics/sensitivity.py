"""Sensitivity: how much a mixer's answer hangs on one of its numbers, by replays of one log."""

from __future__ import annotations

import html
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from reweightviz.core.errors import InvalidValue, ReweightvizError, ReweightvizWarning, UnknownName
from reweightviz.core.mixture import effective_domains
from reweightviz.core.protocols import Mixer, check_options
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import SIGNALS
from reweightviz.core.validation import is_number
from reweightviz.diagnostics.findings.one_hot import ONE_HOT
from reweightviz.diagnostics.replay import check_replayed, replay
from reweightviz.figures.figure import Figure
from reweightviz.figures.sensitivity import sensitivity_figure
from reweightviz.numerics.simplex import numbers

__all__ = ["FACTORS", "Sensitivity", "sensitivity"]


FACTORS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Times the mixer's own value, where no values are given."""


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Hold what :func:`sensitivity` found.

    Args:
        parameter: that was changed.
        own: its value in the mixer.
        table: a row a value: ``effective`` number of domains of the answer, the least of them on
            the way (``least``), the ``top`` domain of the answer and its ``top_weight``, and the
            answer's distance to that with the mixer's own value, ``l1``.
        weights: a row a value, a column a domain: the answers.
        replays: value to what was replayed.
        skipped: value to why the mixer does not take it.
    """

    parameter: str
    own: float
    table: pd.DataFrame
    weights: pd.DataFrame
    replays: Mapping[float, RunLog]
    skipped: Mapping[float, str]

    @property
    def summary(self) -> str:
        """The distance that the answer moves, in one sentence."""
        table = self.table
        sentence = (
            f"{self.parameter} from {table.index.min():g} to {table.index.max():g} (own "
            f"value {self.own:g}): the answer moves by up to "
            f"{table['l1'].max():.2g} in L1, and is as even as "
            f"{table['effective'].min():.1f} to {table['effective'].max():.1f} of "
            f"{self.weights.shape[1]} domains."
        )
        hot = table.index[table["top_weight"] >= ONE_HOT]
        if len(hot):
            sentence += f" One-hot at {', '.join(f'{value:g}' for value in hot)}."
        return sentence

    def figure(self, *, height: int = 420) -> Figure:
        """Draw the answer's weights by value, and how even they are."""
        return sensitivity_figure(
            self.weights,
            self.table["effective"],
            parameter=self.parameter,
            own=self.own,
            height=height,
        )

    def __repr__(self) -> str:
        return "\n".join([self.summary, *(f"- {line}" for line in self._lines_of_skipped())])

    def _repr_html_(self) -> str:
        skipped = "".join(f"<li>{html.escape(line)}</li>" for line in self._lines_of_skipped())
        table = self.table.to_html(float_format=lambda value: f"{value:.3g}", border=0)
        return f"<p>{html.escape(self.summary)}</p>{table}<ul>{skipped}</ul>"

    def _lines_of_skipped(self) -> list[str]:
        return [
            f"not tried: {self.parameter}={value:g}: {why}" for value, why in self.skipped.items()
        ]


def sensitivity(
    log: RunLog,
    mixer: Mixer,
    parameter: str = "eta",
    values: Sequence[float] | None = None,
    **given: Any,
) -> Sensitivity:
    """Replay a log with several values of one of a mixer's numbers.

    Args:
        log: the run.
        mixer: one of ``rv.mixers``; its other numbers stay.
        parameter: name of the number, such as a step size.
        values: to try; a hundredth to ten times the mixer's own when not given. Its own is always
            among them.
        **given: as in :func:`reweightviz.replay`.

    Raises:
        ReweightvizError: the mixer has no such number; no value is one that it takes; the log
            lacks a signal.

    Example:
        >>> from reweightviz.mixers import DoReMi
        >>> signals = {"excess_loss": [[0.5, 0.1]] * 3}
        >>> log = RunLog(("web", "code"), [1, 2, 3], [[0.5, 0.5]] * 3, signals)
        >>> sensitivity(log, DoReMi(), values=[0.1, 10]).table["effective"].round(3).to_dict()
        {0.1: 1.998, 1.0: 1.864, 10.0: 1.041}
    """
    check_replayed("rv.sensitivity", log, mixer)
    check_options(sensitivity, given, {*SIGNALS, "sources"}, "signal")
    settings: Any = mixer
    known = [
        each.name for each in fields(settings) if each.init and is_number(getattr(mixer, each.name))
    ]
    if parameter not in known:
        raise UnknownName(
            kind=f"number of {type(mixer).__name__} called", name=parameter, known=known
        )
    own = getattr(mixer, parameter)
    replays: dict[float, RunLog] = {}
    skipped: dict[float, str] = {}
    for value in _choose_values(parameter, own, values):
        try:
            # A whole number stays one, such as a count of steps.
            changed = replace(settings, **{parameter: type(own)(value)})
        except ReweightvizError as reason:
            skipped[value] = str(reason)
            continue
        with warnings.catch_warnings():
            # What is odd of the log is odd for every value: once is enough.
            action: Literal["default", "ignore"] = "default" if value == own else "ignore"
            warnings.simplefilter(action, ReweightvizWarning)
            replays[value] = replay(log, changed, name=f"{parameter} {value:g}", **given)
    answers = {value: one.meta["result"] for value, one in replays.items()}
    weights = pd.DataFrame(answers, index=list(log.domains)).T
    weights.index.name = parameter
    table = _tabulate_answers(weights, float(own), replays)
    return Sensitivity(parameter, float(own), table, weights, replays, skipped)


def _tabulate_answers(
    weights: pd.DataFrame, own: float, replays: Mapping[float, RunLog]
) -> pd.DataFrame:
    """Return the table of a Sensitivity, from its answers and replays."""
    return pd.DataFrame(
        {
            "effective": effective_domains(weights.to_numpy()),
            "least": [effective_domains(one.weights).min() for one in replays.values()],
            "top": weights.idxmax(axis=1),
            "top_weight": weights.max(axis=1),
            "l1": (weights - weights.loc[own]).abs().sum(axis=1),
        },
        index=weights.index,
    )


def _choose_values(parameter: str, own: float, values: Sequence[float] | None) -> list[float]:
    """Return the values to try in order, the mixer's own among them; whole where that is whole."""
    if values is None and own == 0:
        raise ReweightvizError(
            f"{parameter} is 0 in this mixer, so there is nothing to multiply: name values=[...]."
        )
    if values is None:
        others = [factor * float(own) for factor in FACTORS]
    else:
        found = numbers(values, "the values to try")
        if found.ndim != 1 or not np.isfinite(found).all():
            raise InvalidValue(
                name="values=", value=values, expected="a list of finite numbers to try"
            )
        others = found.tolist()
    # The own value is the answer that all others are measured against.
    tried = sorted({float(own), *others})
    if isinstance(own, int):
        return list(dict.fromkeys(float(round(value)) for value in tried))
    return tried
