"""The path of each domain through weight and loss."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import plotly.graph_objects as go

from reweightviz.core.runlog import RunLog
from reweightviz.core.types import SIGNALS, Array, Rows
from reweightviz.figures._one_run import explain_empty_run, iterate_domains, style_line
from reweightviz.figures.axes import Axis
from reweightviz.figures.lines import (
    LineSpec,
    describe_decimation,
    describe_smoothing,
    draw_line,
    frame_lines,
)
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.run_cache import RunCache
from reweightviz.figures.runs import Colors, Logs, check_logs, find_run

__all__ = ["phase_figure"]


_EDGE = 8  # percent: a name left of a smaller weight would stand on the axis
_STEPS = Axis("step", "step")
_WEIGHTS = Axis("weight", "weight, % of training tokens")


def phase_figure(
    logs: Logs,
    *,
    run: str | None = None,
    signal: str = "loss",
    smooth: int = 20,
    colors: Colors = None,
    hidden: Collection[str] = (),
    focus: str | None = None,
    height: int = 300,
    cache: RunCache | None = None,
) -> go.Figure:
    """Draw each domain's path through weight and loss, from the ring to its name.

    Args:
        logs: one run or several, of which one is drawn.
        run: its name; the first when not given.
        signal: name of the loss.
        smooth: span of the moving average of the loss; 0 is raw.
        colors: domain to CSS colour, or one a domain.
        hidden: domains that are not drawn.
        focus: the domain that stands out.
        height: pixels.
        cache: of a widget, from drawing to drawing.

    Example:
        >>> losses = {"loss": [[3.0, 2.5], [2.8, 2.2]]}
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [0.4, 0.6]], losses)
        >>> figure = phase_figure(log, smooth=0)
        >>> figure.data[0].x.tolist(), figure.data[0].y.tolist()
        ([50.0, 40.0], [3.0, 2.8])
    """
    logs = check_logs(logs)
    cache = cache or RunCache()
    unit = SIGNALS[signal].unit
    chosen = find_run(logs, run)
    log = logs[chosen]
    paths = []
    ends = []
    for line in iterate_domains(logs, colors):
        spec = line.specify("path", _STEPS, unit)
        points = None
        if line.r == chosen and signal in log.signals:
            lines = cache.decimate((chosen, signal, "path"), log.signals[signal], smooth=smooth)
            # A path has no time axis on which a gap could be seen.
            points = lines.points(line.k, gaps=False)
        path = _draw_path(line.log, spec, points, visible=line.domain not in hidden)
        paths.append(path)
        ends.append(_draw_ends(path, spec))
    # Names stand on all lines.
    traces = [*paths, *ends]
    loss = signal.replace("_", " ")
    why = f"there is no step at which both the weights and {loss} are known"
    figure = frame_lines(
        traces,
        _WEIGHTS,
        unit=unit,
        remarks=[
            describe_smoothing(smooth),
            "ring: start, dot: now",
            describe_decimation([log]),
        ],
        height=height,
        focus=focus,
        note=explain_empty_run(traces, log, why, hidden),
    )
    figure.update_xaxes(rangemode="tozero", ticksuffix="%", showgrid=True)
    return figure.update_layout(meta={"stacked": False, "unit": unit, "unlabelled": True})


def _draw_path(
    log: RunLog, spec: LineSpec, points: tuple[Rows, Array] | None, *, visible: bool
) -> go.Scatter:
    """Draw the loss over the weight, where both are known."""
    k = log.domains.index(spec.domain)
    rows: Rows = np.empty(0, np.int64)
    if points is not None:
        rows, y = points
        both = np.isfinite(log.weights[rows, k])
        rows = rows[both]
        points = rows, y[both]
    trace = style_line(draw_line(log, spec, points, visible=visible), width=1.6)
    hover = (
        f"<b>{escape_plotly(spec.domain)}</b> · %{{meta[3]}}<br>"
        f"%{{x:.2f}}% · %{{y:.4~f}} {spec.unit}<extra></extra>"
    )
    return trace.update(x=100 * log.weights[rows, k], hovertemplate=hover, mode="lines")


def _draw_ends(path: go.Scatter, spec: LineSpec) -> go.Scatter:
    """Draw a ring where a path begins, a dot with the domain's name where it is now."""
    ends = [0, -1] if path.visible else []
    # The name stands on the side that the path did not come from, where there is room for it.
    leftwards = path.visible and np.median(path.x) > path.x[-1] > _EDGE
    return go.Scatter(
        x=path.x[ends],
        y=path.y[ends],
        visible=path.visible,
        uid=f"{path.uid}ends",
        meta=[*path.meta[:2], "ends", path.meta[3]],
        mode="markers+text",
        text=["", escape_plotly(spec.domain, 24)],
        textposition="middle left" if leftwards else "middle right",
        hoverinfo="skip",
        opacity=1.0,
        fill="none",
        cliponaxis=False,
        showlegend=False,
        textfont={"size": 11, "color": spec.color},
        legendgroup=spec.domain,
        line={"color": spec.color, "width": 1.6, "dash": "solid"},
        marker={
            "size": [7, 8],
            "symbol": ["circle-open", "circle"],
            "color": spec.color,
            "opacity": 1,
        },
    )
