"""Several runs side by side: a panel a domain."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import plotly.graph_objects as go

from reweightviz.core.runlog import RunLog
from reweightviz.core.types import SIGNALS, Array
from reweightviz.figures._panels import arrange_panels
from reweightviz.figures.axes import Within, choose_axis, find_rows
from reweightviz.figures.drawing_cache import DrawingCache
from reweightviz.figures.lines import (
    LineSpec,
    describe_decimation,
    describe_smoothing,
    draw_line,
    explain_empty,
)
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.runs import (
    Colors,
    Logs,
    check_logs,
    color_domains,
    list_signals,
    name_runs,
)

__all__ = ["WEIGHTS", "compare_figure", "list_comparable"]


WEIGHTS = "weights"
_LAST = 20  # records of which the end of a run is the mean


def compare_figure(
    logs: Logs,
    *,
    signal: str = "loss",
    x: str = "step",
    smooth: int = 0,
    most: int = 12,
    across: int = 4,
    colors: Colors = None,
    hidden: Collection[str] = (),
    focus: str | None = None,
    height: int | None = None,
    within: Within = None,
    cache: DrawingCache | None = None,
) -> go.Figure:
    """Draw several runs: a panel a domain, the runs by dash, every panel with a scale of its own.

    Args:
        logs: the runs.
        signal: name of a signal, or ``"weights"``.
        x: ``"step"``, ``"tokens"``, ``"time"``.
        smooth: span of the moving average; 0 is raw.
        most: panels, of the domains in which the runs end furthest apart.
        across: panels in a row.
        colors: domain to CSS colour, or one a domain.
        hidden: domains without a panel.
        focus: the domain that stands out.
        height: pixels; by the number of rows when not given.
        within: from where to where on x lines are drawn in more detail.
        cache: of a widget, from drawing to drawing.

    Example:
        >>> logs = []
        >>> for end in (1, 1.5):
        ...     losses = {"loss": [[3, 2], [2, end]]}
        ...     logs.append(RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, losses, str(end)))
        >>> [(trace.meta[0], trace.meta[1]) for trace in compare_figure(logs, most=1).data]
        [('code', '1'), ('code', '1.5')]
    """
    logs = check_logs(logs)
    cache = cache or DrawingCache()
    axis = choose_axis(logs, x, cache)
    paint = color_domains(logs, colors)
    runs = name_runs(logs)
    if signal == WEIGHTS:
        unit = "%"
        scale = 100.0
        tables: list[Array | None] = [log.weights for log in logs]
    else:
        unit = SIGNALS[signal].unit
        scale = 1.0
        tables = [log.signals.get(signal) for log in logs]
    visible = [name for name in paint if name not in hidden]
    shown = _choose_furthest(logs, tables, visible, most)
    traces = []
    panels = []
    for panel, name in enumerate(shown):
        for r, (log, table) in enumerate(zip(logs, tables, strict=True)):
            if name not in log.domains:
                continue
            points = None
            if table is not None:
                between = find_rows(log, axis, within)
                lines = cache.decimate((r, signal, "panel"), table, smooth=smooth, between=between)
                # A held-out loss is measured now and then: its points are joined.
                sparse = signal == "held_out_loss"
                rows, y = lines.points(log.domains.index(name), gaps=not sparse)
                points = rows, scale * y
            spec = LineSpec(r, runs[r], name, "raw", axis, unit, paint[name])
            traces.append(draw_line(log, spec, points))
            panels.append(panel)
    squares = [f'<span style="color:{paint[name]}">■</span>' for name in shown]
    names = [escape_plotly(name, 28) for name in shown]
    return arrange_panels(
        traces,
        panels,
        [f"{square} {name}" for square, name in zip(squares, names, strict=True)],
        axis,
        across=across,
        height=height,
        focus=focus,
        note=explain_empty(traces, logs, signal, hidden),
        remarks=[
            _describe_quantity(signal, unit),
            describe_smoothing(smooth),
            _describe_choice(len(shown), len(paint) - len(hidden)),
            describe_decimation(logs),
        ],
    )


def list_comparable(logs: Sequence[RunLog], cache: DrawingCache | None = None) -> list[str]:
    """Return the signals of runs that can be compared, and the weights."""
    return [*list_signals(logs, cache), WEIGHTS]


def _choose_furthest(
    logs: Sequence[RunLog], tables: Sequence[Array | None], names: Sequence[str], most: int
) -> list[str]:
    """Return the domains, in order, in which the runs end furthest apart."""

    def measure_gap(name: str) -> float:
        ends = []
        for log, table in zip(logs, tables, strict=True):
            if table is None or name not in log.domains:
                continue
            last = table[-_LAST:, log.domains.index(name)]
            known = last[np.isfinite(last)]
            if len(known):
                ends.append(known.mean())
        return float(max(ends) - min(ends)) if ends else -1.0

    # Runs without an end in common come last.
    chosen = sorted(names, key=measure_gap, reverse=True)[:most]
    return [name for name in names if name in chosen]


def _describe_quantity(signal: str, unit: str) -> str:
    if signal == WEIGHTS:
        return "weight, % of training tokens"
    return f"{signal.replace('_', ' ')}, {unit}"


def _describe_choice(shown: int, there: int) -> str:
    if shown >= there:
        return ""
    return f"the {shown} of {there} domains in which the runs end furthest apart"
