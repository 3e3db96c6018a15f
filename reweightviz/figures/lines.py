"""The parts of every figure of curves: lines, and the frame around them.

A figure is :func:`draw_line` of a :class:`LineSpec` for every line and :func:`frame_lines` around
them. The traces' ``meta`` is [domain, run, role, run as plotly text], by which the widgets join
them with each other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from reweightviz.core.errors import list_names
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import Array, Rows
from reweightviz.figures.axes import Axis, place_rows
from reweightviz.figures.decimation import LIMIT
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.runs import name_runs
from reweightviz.figures.theme import SMALL, style_axis, style_layout, style_title, style_words

__all__ = [
    "DASHES",
    "FAINT",
    "STROKES",
    "LineSpec",
    "describe_decimation",
    "describe_smoothing",
    "draw_line",
    "explain_empty",
    "frame_lines",
    "is_empty",
]


DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
"""One a run; they repeat after six."""
STROKES = dict(zip(DASHES, ("none", "7 4", "2 3", "7 3 2 3", "11 4", "11 3 2 3"), strict=True))
"""The same as SVG's stroke-dasharray."""
FAINT = 0.14
"""Opacity of the lines out of focus."""
_DOT = 5  # pixels


class LineSpec(NamedTuple):
    """The identity of a line: number and name of its run, domain, role, axis, unit of y, colour.

    Roles are ``"raw"``, ``"smooth"``, ``"realised"`` and the like.
    """

    r: int
    run: str
    domain: str
    role: str
    axis: Axis
    unit: str
    color: str


def draw_line(
    log: RunLog,
    spec: LineSpec,
    points: tuple[Rows, Array] | None,
    *,
    markers: bool = False,
    visible: bool = True,
    opacity: float = 1.0,
) -> go.Scatter:
    """Draw one line.

    Without a number it is there but not visible, so that the traces of a figure keep their places.

    Args:
        log: the run.
        spec: the line.
        points: rows (P,) of the log and the values (P,) there, as
            :meth:`reweightviz.figures.drawing_cache.ZoomedLines.points` returns them.
        markers: draw a dot at every point.
        visible: where there is a number.
        opacity: of the line.
    """
    rows, y = points or (np.empty(0, np.int64), np.empty(0))
    measured = np.isfinite(y)
    lone = _find_lone(measured)
    sizes: int | NDArray[np.int64] = 0
    if markers:
        sizes = _DOT
    elif lone.any():
        sizes = np.where(lone, _DOT, 0)
    return go.Scatter(
        x=place_rows(log, spec.axis, rows),
        y=np.where(measured, y, np.nan),
        name=escape_plotly(spec.domain),
        mode="lines+markers" if markers or lone.any() else "lines",
        fill="none",
        # By it the widgets find the trace again when they send what changed.
        uid=f"r{spec.r}{spec.role}{log.domains.index(spec.domain)}",
        connectgaps=False,
        meta=[spec.domain, spec.run, spec.role, escape_plotly(spec.run)],
        visible=visible and bool(measured.any()),
        opacity=opacity,
        line={"color": spec.color, "width": 1.6, "dash": DASHES[spec.r % len(DASHES)]},
        marker={"color": spec.color, "size": sizes},
        legendgroup=spec.domain,
        showlegend=spec.r == 0 and spec.role == "raw",
        hovertemplate=_write_hover(spec),
    )


def frame_lines(
    traces: Sequence[go.Scatter],
    axis: Axis,
    *,
    unit: str,
    remarks: Sequence[str] = (),
    height: int = 300,
    focus: str | None = None,
    note: str = "",
) -> go.Figure:
    """Put lines on their axes.

    Args:
        traces: as :func:`draw_line` returns them.
        axis: of x.
        unit: of y; stands at the upper left.
        remarks: on smoothing, decimation and the like, behind the unit; empty ones are left out.
        height: pixels.
        focus: the domain that stands out.
        note: stands in the middle where there is nothing to see.
    """
    for trace in traces:
        if focus is not None and trace.meta[0] != focus:
            trace.update(opacity=FAINT * trace.opacity)
    style = style_axis(nticks=6, exponentformat="B", automargin=True, autorange=True)
    heading = " · ".join(filter(None, [unit, *remarks]))
    figure = go.Figure(list(traces))
    figure.update_layout(
        style_layout(
            height,
            left=44,
            right=4,
            top=22,
            bottom=40,
            margin={"pad": 4},
            autosize=True,
            meta={"stacked": False, "unit": unit},
            hovermode="closest",
            hoverdistance=20,
            dragmode="zoom",
            legend={"groupclick": "togglegroup", "itemdoubleclick": "toggleothers", "font": SMALL},
            xaxis=style | {"showgrid": False, "title": style_title(axis.title, standoff=6)},
            yaxis=style,
            # The heading and the note, in this order: widgets and SVG read them by their places.
            annotations=[
                style_words(heading, x=0, y=1, xanchor="left", yanchor="bottom", yshift=3),
                style_words(
                    escape_plotly(note, 120) if note else "", x=0.5, y=0.5, xanchor="center"
                ),
            ],
        )
    )
    return figure


def describe_decimation(logs: Sequence[RunLog], *, extremes: bool = True) -> str:
    """Return in words that not every point is drawn; nothing where every one is."""
    longest = max(map(len, logs), default=0)
    if longest <= LIMIT:
        return ""
    if extremes:
        return f"every extreme of {longest:,} points, drawn as {LIMIT:,}"
    return f"{LIMIT:,} of {longest:,} points"


def describe_smoothing(span: int, *, over_raw: bool = False) -> str:
    """Return the moving average in words; nothing where lines are raw."""
    if not span:
        return ""
    return f"EMA of {span} points over raw" if over_raw else f"EMA of {span} points"


def is_empty(traces: Sequence[go.Scatter], hidden: Collection[str] = ()) -> bool:
    """Return whether a figure has nothing to see, though no domain is hidden."""
    return not hidden and not any(trace.visible for trace in traces)


def explain_empty(
    traces: Sequence[go.Scatter],
    logs: Sequence[RunLog],
    what: str,
    hidden: Collection[str] = (),
) -> str:
    """Return why a figure of several runs has nothing to see: no step, or nothing measured.

    Args:
        traces: of the figure; the answer is empty where one of them can be seen.
        logs: the runs.
        what: was to be drawn.
        hidden: domains that are not drawn.
    """
    if not is_empty(traces, hidden):
        return ""
    names = list_names(name_runs(logs), 3)
    if not any(map(len, logs)):
        return f"No step is recorded yet in {names}."
    return f"{what} was never measured in {names}."


def _find_lone(measured: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the measured points between two gaps: without a line to stand on they get a dot."""
    if not len(measured):
        return measured
    next_is_gap = ~np.append(measured[1:], False)
    last_was_gap = ~np.insert(measured[:-1], 0, False)
    return np.asarray(measured & next_is_gap & last_was_gap)


def _write_hover(spec: LineSpec) -> str:
    place = "%{x:.3~f}" if spec.axis.kind == "time" else "%{x:,}"
    return (
        "<b>%{fullData.name}</b> · %{meta[3]}<br>"
        f"{spec.axis.title} {place} · %{{y:.4~f}} {spec.unit}<extra></extra>"
    )
