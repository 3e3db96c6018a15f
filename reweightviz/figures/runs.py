"""Names, domains, signals and colours of several runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnknownName, list_names
from reweightviz.core.runlog import RunLog
from reweightviz.figures.domain_colors import color_names
from reweightviz.figures.drawing_cache import DrawingCache
from reweightviz.figures.theme import MUTED

__all__ = [
    "Colors",
    "Logs",
    "check_logs",
    "color_domains",
    "find_run",
    "list_domains",
    "list_given",
    "list_signals",
    "name_runs",
]


_PREFERRED = ("loss", "held_out_loss", "excess_loss", "reference_loss", "drawn_tokens")

Logs = RunLog | Sequence[RunLog]
Colors = Mapping[str, str] | Sequence[str] | None
"""Domain to CSS colour, or one a domain in order of first appearance; None as everywhere."""


def check_logs(logs: Logs) -> list[RunLog]:
    """Return the logs as a list.

    Raises:
        ReweightvizError: there is none, or something that is no log.
    """
    given = list_given(logs)
    if not given:
        raise ReweightvizError("curves need at least one RunLog; got none.")
    strangers = [type(log).__name__ for log in given if not isinstance(log, RunLog)]
    if strangers:
        raise InvalidValue(
            name="curves",
            value=strangers,
            expected="drawn from RunLogs, as rv.read_log gives",
            got=list_names(strangers),
        )
    return given


def list_given(runs: Any) -> list[Any]:
    """Return what was given as a list: a path or a table is one thing, not its letters or columns.

    >>> list_given("run.csv"), list_given(("a", "b"))
    (['run.csv'], ['a', 'b'])
    """
    is_one = isinstance(runs, str | Mapping | pd.DataFrame) or not isinstance(runs, Iterable)
    return [runs] if is_one else list(runs)


def list_domains(logs: Sequence[RunLog]) -> list[str]:
    """Return every domain of the logs, in order of first appearance."""
    return list(dict.fromkeys(name for log in logs for name in log.domains))


def name_runs(logs: Sequence[RunLog]) -> list[str]:
    """Return a name a run: a repeated one gets its number, the next that no run is called by."""
    own = {log.name for log in logs}
    names: list[str] = []
    for log in logs:
        name = log.name
        number = 2
        while name in names or (name in own and name != log.name):
            name = f"{log.name} ({number})"
            number += 1
        names.append(name)
    return names


def find_run(logs: Sequence[RunLog], run: str | None) -> int:
    """Return the number of the run of that name; 0 when none is named."""
    names = name_runs(logs)
    if run is None:
        return 0
    if run not in names:
        raise UnknownName(kind="run", name=run, known=names)
    return names.index(run)


def list_signals(logs: Sequence[RunLog], cache: DrawingCache | None = None) -> list[str]:
    """Return the signals with at least one measured value in one of the logs, the loss first."""
    cache = cache or DrawingCache()

    def is_measured(name: str) -> bool:
        return any(
            name in log.signals and cache.has_values((r, name), log.signals[name])
            for r, log in enumerate(logs)
        )

    others = {name for log in logs for name in log.signals} - set(_PREFERRED)
    return [name for name in (*_PREFERRED, *sorted(others)) if is_measured(name)]


def color_domains(logs: Sequence[RunLog], colors: Colors = None) -> dict[str, str]:
    """Return domain to colour; domains that a given mapping leaves out are grey."""
    names = list_domains(logs)
    if isinstance(colors, Mapping):
        return {name: colors.get(name, MUTED) for name in names}
    if colors is None:
        return color_names(names)
    chosen = list(colors)
    if len(chosen) < len(names):
        raise ReweightvizError(
            f"colors must name one colour a domain: {len(names)}; got {len(chosen)}."
        )
    return dict(zip(names, chosen, strict=False))
