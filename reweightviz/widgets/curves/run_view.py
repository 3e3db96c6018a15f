"""A view of runs: followed, linked and controlled as the curves are, with marks of changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
import traitlets as t

from reweightviz.core.runlog import RunLog
from reweightviz.figures import runs
from reweightviz.figures.axes import Axis, choose_axis, place_rows
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.run_cache import RunCache
from reweightviz.figures.run_svg import draw_run_svg
from reweightviz.figures.theme import MUTED
from reweightviz.widgets.curves.curve_widget import Curves, display
from reweightviz.widgets.curves.sent_figure import SentFigure

__all__ = ["Mark", "Marks", "RunView", "offer_signals", "offer_spans"]


_SPANS = (5, 10, 20, 50, 100)
_PATIENCE = 10
"""Seconds after which a page is taken to show the figure, though a busy kernel reads no answer."""
_LABEL = 0.035  # of the width, that the label of a mark takes


class Mark(NamedTuple):
    """A change of the mixture: the first step that was drawn by it, and the words beside it."""

    step: int
    text: str


Marks = Callable[[], Sequence[Mark]]


class RunView(Curves):
    """A figure of runs with its controls.

    Args:
        logs: one RunLog or FollowedRun, or several.
        marks: returns the changes to mark on x.
        options: of the curves: link, colors, height.
    """

    _cache: RunCache

    def __init__(self, logs: Any, *, marks: Marks = list, **options: Any) -> None:
        self._marks = marks
        self._sent_shapes = ""
        self._sent_panels: dict[str, tuple[Any, ...]] | None = None
        self._plotted = False
        self._made_at = time.monotonic()
        super().__init__(logs, **{"link": None, "colors": None, "height": 300} | options)
        self._chart.observe(self._on_plotted, "_js2py_traceDeltas")
        self._sent_panels = _locate_panels(self.figure)

    @property
    def figure(self) -> go.Figure:
        """A plotly figure of its own, as it is drawn."""
        figure = self._draw_unmarked()
        log = self._logs[0]
        if "x" in self._bar and len(log):
            axis = choose_axis(self._logs, self._axis, self._cache)
            _draw_marks(figure, self._marks(), log, axis)
        return figure

    @property
    def shown(self) -> bool:
        """True while it stands on the page."""
        return bool(self.layout.display != "none")

    def show(self, shown: bool) -> None:
        """Let it stand on the page, or hide it; hidden, it is not drawn."""
        if shown != self.shown:
            display(self, visible=shown)
            if shown:
                self._status.show(self._followed)
                self._refresh()

    def remark(self) -> None:
        """Draw the marks anew."""
        if self._ready:
            self._redraw()

    # ---- when to draw

    @property
    def _ready(self) -> bool:
        # A figure that a page is still making takes no news: plotly throws them away.
        waited = time.monotonic() - self._made_at > _PATIENCE
        return self.shown and (self._plotted or waited)

    def _on_news(self) -> None:
        if self._ready:
            super()._on_news()

    def _on_status(self, change: t.Bunch) -> None:
        if change.name == "paused":
            super()._on_status(change)
        elif change.new == 0:
            self._plotted = False
            self._made_at = time.monotonic()

    def _on_plotted(self, change: t.Bunch) -> None:
        """Draw the news since the figure was made: plotly is done with it in the page."""
        if change.new and not self._plotted:
            self._plotted = True
            self._on_news()

    # ---- drawing

    def _draw_unmarked(self) -> go.Figure:
        return super().figure

    def _draw_static(self) -> str:
        return draw_run_svg(self.figure)

    def _make_cache(self) -> RunCache:
        return RunCache()

    def _send_figure(self, figure: go.Figure, change: Any) -> None:
        super()._send_figure(figure, change)
        self._send_frame(figure)

    def _send_frame(self, figure: go.Figure) -> None:
        """Send the changes that are of views alone: marks, limits, panels that come or go."""
        before = self._sent_panels
        panels = _locate_panels(figure)
        shapes = str(figure.layout.shapes)
        if before is not None and _has_moved(before, panels):
            with self._chart.batch_update():
                self._chart.data = []
                self._chart.add_traces(list(figure.data))
                self._chart.layout = figure.layout
                self._chart.layout.showlegend = False
            self._sent = SentFigure(figure)
        elif shapes != self._sent_shapes:
            self._chart.layout.shapes = figure.layout.shapes
        self._sent_panels = panels
        self._sent_shapes = shapes

    def _list_runs(self) -> list[tuple[str, Any]]:
        return [(name, name) for name in runs.name_runs(self._logs)]


def offer_signals(names: Sequence[str]) -> list[tuple[str, Any]]:
    """Return signals as options of a control; the loss where there is none."""
    return [(name.replace("_", " "), name) for name in names] or [("loss", "loss")]


def offer_spans() -> list[tuple[str, Any]]:
    """Return spans of the moving average as options of a control."""
    return [("raw", 0), *((f"EMA of {span} points", span) for span in _SPANS)]


def _locate_panels(figure: go.Figure) -> dict[str, tuple[Any, ...]]:
    """Return for each trace its panel, and where that stands in the figure."""
    panels = {}
    for trace in figure.data:
        x = trace.xaxis or "x"
        y = trace.yaxis or "y"
        across = figure.layout[x.replace("x", "xaxis")].domain
        down = figure.layout[y.replace("y", "yaxis")].domain
        panels[trace.uid] = (x, across, down)
    return panels


def _has_moved(before: dict[str, tuple[Any, ...]], after: dict[str, tuple[Any, ...]]) -> bool:
    """Return whether a trace stands in another panel, or panels came or went."""
    moved = any(after.get(uid) != panel for uid, panel in before.items())
    return moved or set(before.values()) != set(after.values())


def _draw_marks(figure: go.Figure, marks: Sequence[Mark], log: RunLog, axis: Axis) -> None:
    """Draw a dotted line at every change, with its words where there is room."""
    steps = np.array([mark.step for mark in marks], np.float64)
    places = steps
    if axis.kind != "step":
        places = np.interp(steps, log.steps, place_rows(log, axis, slice(None)))
    width = float(place_rows(log, axis, slice(-1, None))[0]) or 1.0
    panels = sorted({trace.xaxis or "x" for trace in figure.data if trace.visible})
    for panel in panels:
        free = -np.inf
        for place, mark in zip(places.tolist(), marks, strict=True):
            label: dict[str, Any] = {}
            if place >= free and len(panels) == 1:
                free = place + _LABEL * width
                label = _label_mark(mark)
            figure.add_shape(
                type="line",
                x0=place,
                x1=place,
                y0=0,
                y1=1,
                xref=panel,
                yref=f"{panel.replace('x', 'y')} domain",
                line={"color": MUTED, "width": 1, "dash": "dot"},
                label=label,
            )


def _label_mark(mark: Mark) -> dict[str, Any]:
    return {
        "text": escape_plotly(mark.text, 12),
        "textposition": "end",
        "textangle": 0,
        "xanchor": "left",
        "yanchor": "top",
        "padding": 2,
        "font": {"size": 10, "color": MUTED},
    }
