"""Numbers of whole runs, a panel each: the effective number of domains, and every scalar."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from reweightviz.core.errors import UnknownName
from reweightviz.core.mixture import effective_domains
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import Array
from reweightviz.figures._panels import arrange_panels
from reweightviz.figures.axes import Within, choose_axis, find_rows
from reweightviz.figures.lines import (
    LineSpec,
    describe_decimation,
    draw_line,
    explain_empty,
)
from reweightviz.figures.palette import choose_colors
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.run_cache import RunCache
from reweightviz.figures.runs import Logs, check_logs, name_runs

__all__ = ["EFFECTIVE", "count_effective_domains", "list_scalars", "scalars_figure"]


EFFECTIVE = "effective domains"
_MOST = 11  # scalars that are drawn when none is named
_RECENT = 2000  # values by which it is seen whether a scalar is noisy
_FEW = 20  # changes, fewer than which show no noise


def scalars_figure(
    logs: Logs,
    *,
    names: Sequence[str] | None = None,
    x: str = "step",
    smooth: int = 0,
    across: int = 3,
    height: int | None = None,
    within: Within = None,
    cache: RunCache | None = None,
) -> go.Figure:
    """Draw the effective number of domains, the length of the gradient, the learning rate, ...

    The effective number of domains is exp of the entropy of the weights: all of them where the
    mixture is even, 1 where one has everything.

    Args:
        logs: one run or several; they differ by colour.
        names: of the scalars; all when not given, at most eleven.
        x: ``"step"``, ``"tokens"``, ``"time"``.
        smooth: span of the moving average of the scalars that are noisy; their raw line stays,
            faint. 0 is raw.
        across: panels in a row.
        height: pixels; by the number of rows when not given.
        within: from where to where on x lines are drawn in more detail.
        cache: of a widget, from drawing to drawing.

    Example:
        >>> rates = {"lr": [0.1, 0.2]}
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, scalars=rates)
        >>> [trace.y.tolist() for trace in scalars_figure(log).data if trace.visible]
        [[2.0, 2.0], [0.1, 0.2]]
    """
    logs = check_logs(logs)
    cache = cache or RunCache()
    known = list_scalars(logs)
    strangers = [name for name in names or () if name not in known]
    if strangers:
        raise UnknownName(kind="scalar", name=strangers[0], known=known)
    shown = [EFFECTIVE, *(known[:_MOST] if names is None else names)]
    axis = choose_axis(logs, x, cache)
    colors = choose_colors(len(logs))
    runs = name_runs(logs)
    traces = []
    panels = []
    smoothed = False
    for panel, name in enumerate(shown):
        for r, log in enumerate(logs):
            column = _read_column(log, name, cache, r)
            if len(column) != len(log):
                continue
            # What is measured now and then is joined over its gaps.
            sparse = bool(len(log)) and np.isfinite(column[-200:]).mean() < 0.9
            noisy = smooth > 0 and _is_noisy(column[:, 0])
            smoothed |= noisy
            between = find_rows(log, axis, within)
            for role in ("raw", "smooth"):
                points = None
                if role == "raw" or noisy:
                    span = smooth if role == "smooth" else 0
                    lines = cache.decimate(
                        (r, "scalar", name), column, smooth=span, between=between
                    )
                    points = lines.points(0, gaps=not sparse)
                trace = draw_line(
                    _with_domain(log, name),
                    LineSpec(r, runs[r], name, role, axis, "", colors[r]),
                    points,
                    opacity=0.2 if noisy and role == "raw" else 1,
                )
                traces.append(trace.update(uid=f"r{r}{role}{name}", line={"dash": "solid"}))
                panels.append(panel)
    return arrange_panels(
        traces,
        panels,
        [escape_plotly(name, 32) for name in shown],
        axis,
        across=across,
        height=height,
        note=explain_empty(traces, logs, "weights"),
        remarks=[
            "numbers of the whole run",
            f"where noisy, EMA of {smooth} points over raw" if smoothed else "",
            describe_decimation(logs),
        ],
    )


def list_scalars(logs: Sequence[RunLog]) -> list[str]:
    """Return every scalar of the logs with a number in it.

    The gradient comes first, then the learning rate, then the others by name.
    """
    names = {
        name
        for log in logs
        for name, values in log.scalars.items()
        if np.isfinite(values[-5000:]).any()
    }

    def rank(name: str) -> tuple[bool, bool, str]:
        lower = name.lower()
        return ("grad" not in lower, lower not in ("lr", "learning_rate"), name)

    return sorted(names, key=rank)


def count_effective_domains(log: RunLog, *, cache: RunCache | None = None, r: int = 0) -> Array:
    """Return the effective number of domains (T, 1) of a run's weights.

    >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [1.0, 0.0]])
    >>> count_effective_domains(log).ravel().tolist()
    [2.0, 1.0]
    """

    def compute(start: int, _: Array) -> Array:
        return effective_domains(log.weights[start:])[:, None]

    return (cache or RunCache()).extend((r, "effective domains"), len(log), 1, compute)


def _read_column(log: RunLog, name: str, cache: RunCache, r: int) -> Array:
    """Return a scalar (T, 1); nothing where the run has it not."""
    if name == EFFECTIVE:
        return count_effective_domains(log, cache=cache, r=r)
    return log.scalars.get(name, np.empty(0))[:, None]


def _is_noisy(values: Array) -> bool:
    """Return whether the last of the values (T,) go up and down rather than somewhere."""
    last = values[-_RECENT:]
    changes = np.diff(last[np.isfinite(last)])
    turns = changes[1:] * changes[:-1] < 0
    return len(changes) >= _FEW and bool(turns.mean() > 1 / 3)


def _with_domain(log: RunLog, name: str) -> RunLog:
    """Return the same steps with that name as the only domain."""
    return RunLog.of_views(
        domains=(name,),
        steps=log.steps,
        weights=np.empty((len(log), 1)),
        signals={},
        name=log.name,
        meta=log.meta,
        scalars={},
        times=log.times,
        tokens=log.tokens,
    )
