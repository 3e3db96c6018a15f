"""The views of runs as widgets: followed, linked and controlled as the curves are, with a mark where the mixture was changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import plotly.graph_objects as go
import traitlets as t

from reweightviz.core.runlog import RunLog
from reweightviz.figures import run_panels, run_views, runs
from reweightviz.figures.curves import escape_plotly
from reweightviz.figures.palette import choose_colors as palette
from reweightviz.figures.run_amounts import RunCache
from reweightviz.figures.run_svg import draw_run_svg
from reweightviz.figures.theme import MUTED
from reweightviz.widgets.curves.curve_widget import Curves, run_sample
from reweightviz.widgets.curves.curves import LossCurves, WeightTrajectories
from reweightviz.widgets.curves.sent import Sent

_SPANS = (0, 5, 10, 20, 50, 100)
_PATIENCE = (
    10  # seconds after which a page that a busy kernel does not hear is taken to show the figure
)
_PANEL = 180  # pixels of width that a panel needs
_ROOM = 0.035  # of the width, that the label of a mark takes


class Mark(NamedTuple):
    """A change of the mixture: the first step that was drawn by it, and what is written there."""

    step: int
    text: str


Marks = Callable[[], Sequence[Mark]]


class RunView(Curves):
    """A figure of runs with its controls.

    Args:
        logs: one RunLog or FollowedRun, or several.
        marks: gives the changes to mark on x.
        options: of the curves: link, colors, height.
    """

    def __init__(self, logs: Any, *, marks: Marks = list, **options: Any) -> None:
        self._marks, self._derived, self._frame = marks, RunCache(), ""
        self._axes: dict[str, tuple[Any, ...]] | None = None
        self._plotted, self._made = False, time.monotonic()
        super().__init__(logs, **{"link": None, "colors": None, "height": 300} | options)
        self._chart.observe(self._answered, "_js2py_traceDeltas")
        self._axes = _axes(self.figure)

    @property
    def figure(self) -> go.Figure:
        """What is drawn, as a plotly figure of its own."""
        figure, log = self._plain(), next(iter(self._logs))
        if "x" in self._bar and self._marks and len(log):
            _mark(
                figure,
                self._marks(),
                log,
                runs.choose_axis(self._logs, self._bar["x"].value or "step", self._derived),
            )
        return figure

    def show(self, shown: bool) -> None:
        """Let it stand on the page, or hide it; what is hidden is not drawn."""
        if shown != self.shown:
            self.layout.display = None if shown else "none"
            if shown:
                self._status.show(self._tails)
                self._refresh()

    @property
    def shown(self) -> bool:
        """Whether it stands on the page."""
        return self.layout.display != "none"

    def remark(self) -> None:
        """The marks have changed."""
        if self._ready:
            self._redraw()

    @property
    def _ready(self) -> bool:
        """Whether there is something to draw on: a figure that a page is still making takes no news, plotly throws them away."""
        return self.shown and (self._plotted or time.monotonic() - self._made > _PATIENCE)

    def _news(self) -> None:
        if self._ready:
            super()._news()

    def _go_on(self, change: t.Bunch) -> None:
        if change.name == "paused":
            super()._go_on(change)
        elif change.new == 0:
            self._plotted, self._made = False, time.monotonic()

    def _answered(self, change: t.Bunch) -> None:
        """The page says what plotly made of the figure, for the first time when it is made."""
        if change.new and not self._plotted:
            self._plotted = True
            self._news()

    def _plain(self) -> go.Figure:
        """Without marks."""
        return super().figure

    def _shared(self) -> dict[str, Any]:
        return super()._shared() | {"cache": self._derived}

    def _forget(self) -> None:
        if self._ages != [tail.generation for tail in self._tails]:
            self._derived.clear()
        super()._forget()

    def _redraw(self, change: Any = None) -> None:
        with self._lock:
            super()._redraw(change)
            self._reframe()

    def _drawn(self) -> go.Figure:
        self._latest = super()._drawn()
        return self._latest

    def _reframe(self) -> None:
        """What the curves never change by themselves: marks, limits, and panels that come or go."""
        new, frame = self._latest, str(self._latest.layout.shapes)
        before, axes = self._axes, _axes(new)
        moved = before is not None and any(axes.get(uid) != axis for uid, axis in before.items())
        if moved or (before is not None and set(before.values()) != set(axes.values())):
            with self._chart.batch_update():
                self._chart.data = []
                self._chart.add_traces(list(new.data))
                self._chart.layout = new.layout
                self._chart.layout.showlegend = False
            self._sent = Sent(new)
        elif frame != self._frame:
            self._chart.layout.shapes = new.layout.shapes
        self._axes = axes
        self._frame = frame

    def _run_options(self) -> list[tuple[str, Any]]:
        return [(name, name) for name in runs.name_runs(self._logs)]

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super(Curves, self)._repr_mimebundle_(**options)
        return bundle | {"text/plain": repr(self), "image/svg+xml": draw_run_svg(self.figure)}


class Losses(RunView, LossCurves):
    """Loss curves with marks."""


class Weights(RunView, WeightTrajectories):
    """Weights with marks."""


class Excess(RunView):
    """What the loss is above that of a reference run."""

    _controls: ClassVar = ("signal", "smooth", "x")

    def __init__(self, logs: Any, reference: RunLog, **options: Any) -> None:
        self._reference = reference
        super().__init__(logs, **options)
        self._bar["smooth"].value = 10

    def _plain(self) -> go.Figure:
        signal = self._bar["signal"].value
        return run_views.excess_figure(
            self._logs,
            self._reference,
            signal=signal,
            smooth=self._bar["smooth"].value or 0,
            **self._shared(),
        )

    def _options(self) -> dict[str, list[tuple[str, Any]]]:
        signals = [
            name for name in runs.list_signals([self._reference]) if name.endswith("loss")
        ] or list(self._reference.signals)
        return {"signal": _signals(signals), "smooth": _spans(), "x": self._x_options()}


class _OneRun(RunView):
    """Of several runs the one that the control names."""

    def _name_lines(self) -> None:
        super()._name_lines()
        self._key.value = ""


class Shares(_OneRun):
    """Realised against planned shares."""

    _controls: ClassVar = ("window", "run", "x")

    def _plain(self) -> go.Figure:
        return run_views.shares_figure(
            self._logs,
            run=self._bar["run"].value,
            window=self._bar["window"].value or 0,
            **self._shared(),
        )

    def _options(self) -> dict[str, list[tuple[str, Any]]]:
        spans = [(f"last {each} records", each) for each in (5, 20, 100, 500)]
        return {
            "window": [("whole run", 0), *spans],
            "run": self._run_options(),
            "x": self._x_options(),
        }


class Epochs(_OneRun):
    """Epochs consumed, and when a domain is used up."""

    _controls: ClassVar = ("run", "window", "x")

    def __init__(
        self,
        logs: Any,
        tokens: dict[str, float],
        *,
        max_epochs: float | None = None,
        **options: Any,
    ) -> None:
        self._tokens, self._max_epochs = tokens, max_epochs
        super().__init__(logs, **options)

    def _plain(self) -> go.Figure:
        return run_views.epochs_figure(
            self._logs,
            self._tokens,
            run=self._bar["run"].value,
            max_epochs=self._max_epochs,
            window=self._bar["window"].value or 50,
            **self._shared(),
        )

    def _options(self) -> dict[str, list[tuple[str, Any]]]:
        rates = [(f"rate of the last {each} records", each) for each in (50, 10, 500)]
        return {"run": self._run_options(), "window": rates, "x": self._x_options()}


class _Unlabelled(RunView):
    """Without names at the right: they stand in the picture."""

    def __init__(self, logs: Any, **options: Any) -> None:
        super().__init__(logs, **options)
        self._labels.layout.display = "none"


class _Panels(_Unlabelled):
    """Panels, as many in a row as there is room for; they keep the height that they begin with."""

    _most: ClassVar = 4
    _fixed: int | None = None

    def __init__(self, logs: Any, **options: Any) -> None:
        super().__init__(logs, **options)
        began = any(map(len, self._logs))
        self._fixed = self._labels.height = (
            int(self._chart.layout.height) if began else self._height
        )
        self._chart.layout.height = self._fixed
        self._across = self._fitting
        self._labels.observe(self._fit, "room")

    @property
    def _fitting(self) -> int:
        """Panels in a row."""
        room = self._labels.room
        return max(min(self._most, room // _PANEL), 1) if room else self._most

    def _fit(self, _: t.Bunch) -> None:
        """The page has another width."""
        with self._lock:
            if self._across != self._fitting and any(map(len, self._logs)):
                self._across, self._fixed = self._fitting, None
                self._fixed = self._labels.height = int(self.figure.layout.height)
                self._redraw()


class Phase(_Unlabelled, _OneRun):
    """Loss against weight."""

    _controls: ClassVar = ("signal", "smooth", "run")

    def __init__(self, logs: Any, **options: Any) -> None:
        super().__init__(logs, **options)
        self._bar["smooth"].value = 20

    def _plain(self) -> go.Figure:
        return run_views.phase_figure(
            self._logs,
            signal=self._bar["signal"].value or "loss",
            smooth=self._bar["smooth"].value or 0,
            run=self._bar["run"].value,
            colors=self._colors,
            hidden=self.hidden,
            focus=self.focus,
            height=self._height,
            cache=self._derived,
        )

    def _options(self) -> dict[str, list[tuple[str, Any]]]:
        return {
            "signal": _signals(runs.list_signals(self._logs, self._derived)),
            "smooth": _spans(),
            "run": self._run_options(),
        }


class Comparison(_Panels):
    """Several runs, a panel a domain."""

    _controls: ClassVar = ("signal", "smooth", "x")

    def __init__(self, logs: Any, **options: Any) -> None:
        super().__init__(logs, **options)
        self._bar["smooth"].value = 10

    def _plain(self) -> go.Figure:
        return run_panels.compare_figure(
            self._logs,
            signal=self._bar["signal"].value or "loss",
            smooth=self._bar["smooth"].value or 0,
            across=self._fitting,
            **self._shared() | {"height": self._fixed},
        )

    def _options(self) -> dict[str, list[tuple[str, Any]]]:
        return {
            "signal": _signals(run_panels.list_comparable(self._logs, self._derived)),
            "smooth": _spans(),
            "x": self._x_options(),
        }


class Scalars(_Panels):
    """The effective number of domains, and every scalar."""

    _controls: ClassVar = ("smooth", "x")
    _most: ClassVar = 3

    def __init__(self, logs: Any, **options: Any) -> None:
        super().__init__(logs, **options)
        self._bar["smooth"].value = 20

    def _plain(self) -> go.Figure:
        shared = {
            name: value
            for name, value in self._shared().items()
            if name in ("x", "within", "cache")
        }
        return run_panels.scalars_figure(
            self._logs,
            smooth=self._bar["smooth"].value or 0,
            across=self._fitting,
            height=self._fixed,
            **shared,
        )

    def _options(self) -> dict[str, list[tuple[str, Any]]]:
        return {"smooth": _spans(), "x": self._x_options()}

    def _name_lines(self) -> None:
        super()._name_lines()
        self._labels.domains, self._labels.colors = [], []  # no domain is in focus here
        names = runs.name_runs(self._logs)
        self._key.value = (
            "".join(map(run_sample, names, ["solid"] * len(names), palette(len(names))))
            if len(names) > 1
            else ""
        )

    @t.validate("hidden")
    def _checked_hidden(self, proposal: t.Bunch) -> list[str]:
        return proposal["value"]

    @t.validate("focus")
    def _checked_focus(self, proposal: t.Bunch) -> str | None:
        return proposal["value"]


def _axes(figure: go.Figure) -> dict[str, tuple[Any, ...]]:
    """In which panel each trace is, and where that is."""
    axes = [(trace.uid, trace.xaxis or "x", trace.yaxis or "y") for trace in figure.data]
    return {
        uid: (
            x,
            figure.layout[x.replace("x", "xaxis")].domain,
            figure.layout[y.replace("y", "yaxis")].domain,
        )
        for uid, x, y in axes
    }


def _signals(names: Sequence[str]) -> list[tuple[str, Any]]:
    return [(name.replace("_", " "), name) for name in names] or [("loss", "loss")]


def _spans() -> list[tuple[str, Any]]:
    return [("raw" if not span else f"EMA of {span} points", span) for span in _SPANS]


def _mark(figure: go.Figure, marks: Sequence[Mark], log: RunLog, axis: runs.Axis) -> None:
    """A dotted line at every change, with its words where there is room."""
    places = [
        (
            float(mark.step)
            if axis.kind == "step"
            else float(np.interp(mark.step, log.steps, runs.place_rows(log, axis, slice(None)))),
            mark.text,
        )
        for mark in marks
    ]
    width = float(runs.place_rows(log, axis, slice(-1, None))[0]) or 1.0
    axes = sorted({trace.xaxis or "x" for trace in figure.data if trace.visible})
    for name in axes:
        free = -np.inf
        for place, text in places:
            label = {}
            if place >= free and len(axes) == 1:
                free = place + _ROOM * width
                label = {
                    "text": escape_plotly(text, 12),
                    "textposition": "end",
                    "textangle": 0,
                    "xanchor": "left",
                    "yanchor": "top",
                    "padding": 2,
                    "font": {"size": 10, "color": MUTED},
                }
            figure.add_shape(
                type="line",
                x0=place,
                x1=place,
                y0=0,
                y1=1,
                xref=name,
                yref=f"{name.replace('x', 'y')} domain",
                line={"color": MUTED, "width": 1, "dash": "dot"},
                label=label,
            )
