"""Curves of training runs: losses and weights by domain, joined with the other widgets of the page."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import anywidget
import ipywidgets
import plotly.graph_objects as go
import traitlets as t

from reweightviz.core.errors import ReweightvizError, listed
from reweightviz.core.runlog import RunLog
from reweightviz.widgets import figures
from reweightviz.widgets.assemble import assemble
from reweightviz.widgets.curve_picture import svg_of
from reweightviz.widgets.reported_errors import ReportedErrors

_HERE = Path(__file__).parent
_SPANS = (5, 10, 20, 50, 100)
_CONFIG = {"displaylogo": False, "displayModeBar": "hover", "typesetMath": False, "responsive": True,
           "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "sendChartToCloud"]}
_STYLE = ("x", "y", "name", "visible", "opacity", "mode", "fill", "fillcolor", "stackgroup", "hoverinfo", "hovertemplate",
          "line.color", "line.width", "line.dash", "marker.color", "marker.size")
_LAYOUT = ("annotations[0].text", "annotations[1].text", "hoverdistance", "xaxis.title.text", "yaxis.autorange")
_STROKES = {"solid": "", "dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3", "longdash": "11 4",
            "longdashdot": "11 3 2 3"}


class CurveLabels(ReportedErrors, anywidget.AnyWidget):
    """The names at the lines' ends, and the wire between the page's bus and the kernel."""

    _esm = assemble(_HERE / "curves.js")
    _css = _HERE / "curves.css"

    domains = t.List(t.Unicode(), help="names (K,)").tag(sync=True)
    colors = t.List(t.Unicode(), help="one CSS colour a domain (K,)").tag(sync=True)
    focus = t.Unicode(None, allow_none=True, help="the domain that stands out").tag(sync=True)
    hidden = t.List(t.Unicode(), help="domains that are not drawn").tag(sync=True)
    height = t.Int(help="of the plot, in pixels").tag(sync=True)
    link = t.Unicode(help="widgets of a page with the same link share focus, hover and hidden domains").tag(sync=True)


class _Curves(ipywidgets.VBox):
    """Controls, the plotly figure, and its labels."""

    focus = t.Unicode(None, allow_none=True, help="the domain that stands out everywhere; observe it, or set it")
    hidden = t.List(t.Unicode(), help="domains that are not drawn; observe it, or set it")

    _controls: ClassVar[tuple[str, ...]] = ()

    def __init__(self, logs: RunLog | Sequence[RunLog], *, link: str | None, colors: figures.Colors, height: int) -> None:
        self._logs, self._colors, self._height = figures.checked_logs(logs), colors, height
        self._labels = CurveLabels(height=height, link=link or f"curves-{uuid4().hex}")
        self._bar = {name: ipywidgets.Dropdown(options=[("", None)]) for name in self._controls}
        self._key = ipywidgets.HTML()
        self._offer()
        self._chart = go.FigureWidget(self.figure)
        # plotly's FigureWidget has no other door to the modebar's settings.
        self._chart._config = self._chart._config | _CONFIG  # noqa: SLF001
        self._chart.update_layout(showlegend=False)
        plot = ipywidgets.Box([self._chart])
        super().__init__([ipywidgets.HBox([*self._bar.values(), self._key]), ipywidgets.HBox([plot, self._labels])])
        for widget, name in ((self, "rv-curves"), (plot, "rv-curves-plot"), (self.children[0], "rv-curves-bar"),
                             (self.children[1], "rv-curves-body"), (self._key, "rv-curves-key")):
            widget.add_class(name)
        self._name_lines()
        t.link((self, "focus"), (self._labels, "focus"))
        t.link((self, "hidden"), (self._labels, "hidden"))
        for control in self._bar.values():
            control.observe(self._redraw, "value")
        self.observe(self._redraw, "hidden")

    @property
    def logs(self) -> tuple[RunLog, ...]:
        """The runs that are drawn, in order."""
        return tuple(self._logs)

    @property
    def domains(self) -> tuple[str, ...]:
        """Every domain of the runs, in order of first appearance."""
        return tuple(figures.domains_of(self._logs))

    @property
    def link(self) -> str:
        """Widgets of a page with the same link share focus, hover and hidden domains."""
        return self._labels.link

    @property
    def figure(self) -> go.Figure:
        """What is drawn, as a plotly figure of its own."""
        raise NotImplementedError

    def add(self, log: RunLog) -> None:
        """Draw one more run; new domains get the next colours."""
        before = self._logs
        try:
            self._logs = [*before, *figures.checked_logs([log])]
            figures.colors_of(self._logs, self._colors)
        except ReweightvizError:
            self._logs = before
            raise
        self._offer()
        self._name_lines()
        self._redraw()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._logs)} runs, {len(self.domains)} domains)"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        return bundle | {"text/plain": repr(self), "image/svg+xml": svg_of(self.figure)}

    # ---- what stands in the controls

    def _options(self) -> dict[str, list[tuple[str, Any]]]:
        raise NotImplementedError

    def _shared(self) -> dict[str, Any]:
        return {"x": self._bar["x"].value or "step", "colors": self._colors, "hidden": self.hidden,
                "focus": self.focus, "height": self._height}

    def _x_options(self) -> list[tuple[str, Any]]:
        counted = all(figures.tokens_per_step(log) for log in self._logs)
        return [("by step", "step"), *([("by tokens", "tokens")] if counted else [])]

    def _offer(self) -> None:
        for name, options in self._options().items():
            control = self._bar[name]
            if list(control.options) != options:
                kept = control.value
                # Without options first, or ipywidgets would report a value nobody chose.
                control.options, control.value = options, kept if kept in [each for _, each in options] else options[0][1]
            control.tooltip = name
            control.layout.display = "none" if len(options) < 2 else None

    def _choose(self, name: str, value: Any, what: str) -> None:
        known = [each for _, each in self._bar[name].options]
        if value not in known:
            raise ReweightvizError(f"no {what} {value!r} here; there is {listed(known)}.")
        self._bar[name].value = value

    # ---- drawing

    def _name_lines(self) -> None:
        paint = figures.colors_of(self._logs, self._colors)
        with self._labels.hold_sync():
            self._labels.domains, self._labels.colors = list(paint), list(paint.values())
        names = figures.run_names(self._logs)
        self._key.value = "".join(_run_sample(r, name) for r, name in enumerate(names)) if len(names) > 1 else ""

    @t.validate("focus")
    def _checked_focus(self, proposal: t.Bunch) -> str | None:
        if proposal["value"] is not None:
            self._refuse_strangers([proposal["value"]])
        return proposal["value"]

    @t.validate("hidden")
    def _checked_hidden(self, proposal: t.Bunch) -> list[str]:
        self._refuse_strangers(proposal["value"])
        return proposal["value"]

    def _refuse_strangers(self, names: Sequence[str]) -> None:
        strangers = [name for name in names if name not in self.domains]
        if strangers:
            raise ReweightvizError(f"no domain {listed(strangers)} in these curves; there is {listed(self.domains)}.")

    def _redraw(self, change: Any = None) -> None:
        """Send what changed: the traces keep their places, so one update does."""
        try:
            new, old = self._drawn(), len(self._chart.data)
            # Not batch_update: traces that differ in other properties than their neighbours lose those in the page.
            style = {path: [trace[path] for trace in new.data[:old]] for path in _STYLE}
            layout = {path: new.layout[path] for path in _LAYOUT} | {"meta": dict(new.layout.meta)}
            if not new.layout.yaxis.autorange:
                layout["yaxis.range"] = list(new.layout.yaxis.range)
            if getattr(change, "owner", None) is self._bar["x"]:
                layout["xaxis.autorange"] = True
            self._chart.plotly_update(restyle_data=style, relayout_data=layout, trace_indexes=list(range(old)))
            if len(new.data) > old:
                self._chart.add_traces(new.data[old:])
        except Exception as problem:
            self._labels.error = f"{type(problem).__name__}: {problem}"
            raise

    def _drawn(self) -> go.Figure:
        # The browser itself dims what is out of focus: it must not wait for the kernel.
        figure, focus = self.figure, self.focus
        if focus is not None:
            for trace in figure.data:
                if trace.meta[0] != focus:
                    trace.opacity /= figures.FAINT
        return figure


class LossCurves(_Curves):
    """One line a domain, in the map's colours; the runs differ by dash.

    Click a line or a name to bring its domain to the front in every widget with the same ``link``; click the
    square before a name to hide it, shift-click to see it alone.

    Args:
        logs: one RunLog or several (T steps, K domains each); domains are matched by name.
        signal: what to draw first: ``"loss"``, ``"held_out_loss"``, ``"excess_loss"`` ...; the first that there is.
        link: widgets with the same link move together; a link of its own when not given.
        colors: domain to CSS colour, or one a domain; the map's when not given.
        height: of the plot, in pixels.
        smooth: span of the moving average to begin with, in measured points; 0 is raw. The raw line stays, faint.

    Raises:
        ReweightvizError: no log, or a signal that none of them has.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, {"loss": [[3.0, 2.5], [2.8, 2.2]]}, "doremi")
        >>> curves = LossCurves(log)
        >>> curves
        LossCurves(1 run, 2 domains, signal 'loss')
        >>> curves.focus = "code"
    """

    _controls = ("signal", "smooth", "x")

    def __init__(self, logs: RunLog | Sequence[RunLog], *, signal: str | None = None, link: str | None = None,
                 colors: figures.Colors = None, height: int = 300, smooth: int = 0) -> None:
        # The figure says what is wrong before any widget is made.
        figures.loss_figure(logs, signal=signal, smooth=smooth, colors=colors)
        self._first = (signal, smooth)
        super().__init__(logs, link=link, colors=colors, height=height)
        if signal is not None:
            self.signal = signal
        self.smooth = smooth

    @property
    def signal(self) -> str | None:
        """What is drawn."""
        return self._bar["signal"].value

    @signal.setter
    def signal(self, value: str) -> None:
        self._choose("signal", value, "signal")

    @property
    def smooth(self) -> int:
        """Span of the moving average, in measured points; 0 is raw."""
        return self._bar["smooth"].value

    @smooth.setter
    def smooth(self, value: int) -> None:
        self._choose("smooth", value, "span")

    @property
    def figure(self) -> go.Figure:
        """What is drawn, as a plotly figure of its own."""
        return figures.loss_figure(self._logs, signal=self.signal, smooth=self.smooth or 0, **self._shared())

    def __repr__(self) -> str:
        return f"LossCurves({_count(self._logs, 'run')}, {_count(self.domains, 'domain')}, signal {self.signal!r})"

    def _options(self) -> dict[str, list[tuple[str, Any]]]:
        asked, span = self._first
        signals = figures.signals_of(self._logs)
        signals += [asked] if asked and asked not in signals else []
        spans = sorted({*_SPANS, *([span] if span else [])})
        return {
            "signal": [(name.replace("_", " "), name) for name in signals] or [("no signal", None)],
            "smooth": [("raw", 0), *((f"EMA of {each} points", each) for each in spans)],
            "x": self._x_options(),
        }


class WeightTrajectories(_Curves):
    """The weight of every domain over training, as lines of all runs or as the stacked area of one.

    Args:
        logs: one RunLog or several (T steps, K domains each); a weight is a share of training tokens.
        stacked: begin with the stacked area.
        link: widgets with the same link move together; a link of its own when not given.
        colors: domain to CSS colour, or one a domain; the map's when not given.
        height: of the plot, in pixels.

    Raises:
        ReweightvizError: no log.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [0.4, 0.6]], name="doremi")
        >>> WeightTrajectories(log, stacked=True)
        WeightTrajectories(1 run, 2 domains, stacked)
    """

    _controls = ("form", "run", "x")

    def __init__(self, logs: RunLog | Sequence[RunLog], *, stacked: bool = False, link: str | None = None,
                 colors: figures.Colors = None, height: int = 300) -> None:
        figures.weight_figure(logs, colors=colors)
        super().__init__(logs, link=link, colors=colors, height=height)
        self._bar["form"].observe(self._show_run, "value")
        self.stacked = stacked
        self._show_run()

    @property
    def stacked(self) -> bool:
        """Whether one run is drawn as areas that add up to 100 %."""
        return bool(self._bar["form"].value)

    @stacked.setter
    def stacked(self, value: bool) -> None:
        self._choose("form", bool(value), "form")

    @property
    def run(self) -> str:
        """Which run is stacked."""
        return self._bar["run"].value

    @run.setter
    def run(self, value: str) -> None:
        self._choose("run", value, "run")

    @property
    def figure(self) -> go.Figure:
        """What is drawn, as a plotly figure of its own."""
        return figures.weight_figure(self._logs, stacked=self.stacked, run=self.run, **self._shared())

    def __repr__(self) -> str:
        form = "stacked" if self.stacked else "lines"
        return f"WeightTrajectories({_count(self._logs, 'run')}, {_count(self.domains, 'domain')}, {form})"

    def _options(self) -> dict[str, list[tuple[str, Any]]]:
        runs = figures.run_names(self._logs)
        return {"form": [("lines", False), ("stacked", True)], "run": [(name, name) for name in runs],
                "x": self._x_options()}

    def _offer(self) -> None:
        super()._offer()
        self._show_run()

    def _show_run(self, _: Any = None) -> None:
        several = self.stacked and len(self._logs) > 1
        self._bar["run"].layout.display = None if several else "none"
        self._key.layout.display = "none" if self.stacked else None


def _count(things: Sequence[Any], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _run_sample(r: int, name: str) -> str:
    stroke = _STROKES[figures.DASHES[r % len(figures.DASHES)]]
    return (f'<span title="{html.escape(name)}"><svg width="28" height="8" aria-hidden="true"><path d="M0 4H28" '
            f'stroke="currentColor" stroke-width="1.6" stroke-dasharray="{stroke}"/></svg>{html.escape(name)}</span>')
