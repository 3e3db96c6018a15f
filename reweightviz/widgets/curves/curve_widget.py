"""What all curves of training runs are: controls, a plotly figure, the names at its lines, joined with the other widgets of the page.

A run that is still being written comes as a FollowedRun: the curves then follow it, from a thread of
their own, so that they move while a cell trains; what the page says (a click, a choice) waits
until the kernel is free. Only the lines that changed are sent.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import anywidget
import ipywidgets
import plotly.graph_objects as go
import traitlets as t

from reweightviz.core.errors import ReweightvizError, UnknownName
from reweightviz.core.protocols import FollowedRun
from reweightviz.core.runlog import RunLog
from reweightviz.figures import curves as figures
from reweightviz.figures import runs
from reweightviz.figures.curves_svg import draw_svg
from reweightviz.figures.decimation import LIMIT
from reweightviz.widgets.common.assemble import assemble
from reweightviz.widgets.common.reported_errors import ReportedErrors
from reweightviz.widgets.curves.live import LiveStatus, Pulse
from reweightviz.widgets.curves.sent import Sent, layout_of

Runs = RunLog | FollowedRun | Sequence[RunLog | FollowedRun]
"""What curves are drawn of."""

_HERE = Path(__file__).parent
_CONFIG = {
    "displaylogo": False,
    "displayModeBar": "hover",
    "typesetMath": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "sendChartToCloud"],
}
_AXES = {"step": "by step", "tokens": "by tokens", "time": "by time"}


class CurveLabels(ReportedErrors, anywidget.AnyWidget):
    """The names at the lines' ends, and the wire between the page's bus and the kernel."""

    _esm = assemble(_HERE / "curves.js")
    _css = _HERE / "curves.css"

    domains = t.List(t.Unicode(), help="names (K,)").tag(sync=True)
    colors = t.List(t.Unicode(), help="one CSS colour a domain (K,)").tag(sync=True)
    focus = t.Unicode(None, allow_none=True, help="the domain that stands out").tag(sync=True)
    hidden = t.List(t.Unicode(), help="domains that are not drawn").tag(sync=True)
    within = t.List(
        t.Float(), help="from where to where on x the plot is zoomed; nothing where it shows all"
    ).tag(sync=True)
    height = t.Int(help="of the plot, in pixels").tag(sync=True)
    room = t.Int(help="width of the plot in pixels, which the page says; 0 until then").tag(
        sync=True
    )
    link = t.Unicode(
        help="widgets of a page with the same link share focus, hover and hidden domains"
    ).tag(sync=True)


class Curves(ipywidgets.VBox):
    """Controls, the plotly figure, and its labels; a kind of curves says its controls, their options, and the figure that they stand for.

    Args:
        logs: one RunLog or FollowedRun, or several.
        link: widgets with the same link move together; a link of its own when not given.
        colors: domain to CSS colour, or one a domain; the map's when not given.
        height: of the plot, in pixels.
    """

    focus = t.Unicode(
        None, allow_none=True, help="the domain that stands out everywhere; observe it, or set it"
    )
    hidden = t.List(t.Unicode(), help="domains that are not drawn; observe it, or set it")

    _controls: ClassVar[tuple[str, ...]] = ()
    _runs: Sequence[RunLog | FollowedRun] = ()

    def __init__(self, logs: Runs, *, link: str | None, colors: runs.Colors, height: int) -> None:
        self._runs, self._colors, self._height = checked_runs(logs), colors, height
        self._cache, self._ages = runs.DrawingCache(), list[int]()
        self._lock = (
            threading.RLock()
        )  # the figure is drawn by the page's wishes and by a thread with news
        self._labels = CurveLabels(height=height, link=link or f"curves-{uuid4().hex}")
        self._bar = {name: ipywidgets.Dropdown(options=[("", None)]) for name in self._controls}
        self._key, self._notes, self._status = ipywidgets.HTML(), ipywidgets.HTML(), LiveStatus()
        self._offer()
        figure = self.figure
        self._chart, self._sent = go.FigureWidget(figure), Sent(figure)
        # plotly's FigureWidget has no other door to the modebar's settings.
        self._chart._config = self._chart._config | _CONFIG  # noqa: SLF001
        self._chart.update_layout(showlegend=False)
        plot = ipywidgets.Box([self._chart])
        bar = ipywidgets.HBox([*self._bar.values(), self._status, self._key])
        super().__init__([bar, ipywidgets.HBox([plot, self._labels]), self._notes])
        for widget, name in (
            (self, "rv-curves"),
            (plot, "rv-curves-plot"),
            (bar, "rv-curves-bar"),
            (self.children[1], "rv-curves-body"),
            (self._key, "rv-curves-key"),
            (self._notes, "rv-curves-notes"),
        ):
            widget.add_class(name)
        self._name_lines()
        t.link((self, "focus"), (self._labels, "focus"))
        t.link((self, "hidden"), (self._labels, "hidden"))
        for control in self._bar.values():
            control.observe(self._redraw, "value")
        self.observe(self._redraw, "hidden")
        self._labels.observe(self._zoom, "within")
        self._status.observe(self._go_on, ["paused", "seen"])
        self._ages = [tail.generation for tail in self._tails]
        self._follow()

    @property
    def logs(self) -> tuple[RunLog, ...]:
        """The runs that are drawn, in order, as far as they have been read."""
        return tuple(self._logs)

    @property
    def _logs(self) -> list[RunLog]:
        return read(self._runs)

    @property
    def _tails(self) -> list[FollowedRun]:
        return [run for run in self._runs if not isinstance(run, RunLog)]

    @property
    def domains(self) -> tuple[str, ...]:
        """Every domain of the runs, in order of first appearance."""
        return tuple(runs.list_domains(self._logs))

    @property
    def link(self) -> str:
        """Widgets of a page with the same link share focus, hover and hidden domains."""
        return self._labels.link

    @property
    def figure(self) -> go.Figure:
        """What is drawn, as a plotly figure of its own."""
        raise NotImplementedError

    def add(self, log: RunLog | FollowedRun) -> None:
        """Draw one more run; new domains get the next colours."""
        before = self._runs
        try:
            self._runs = [*before, *checked_runs([log])]
            runs.color_domains(self._logs, self._colors)
        except ReweightvizError:
            self._runs = before
            raise
        self._refresh()
        self._follow()

    # ---- following

    @property
    def paused(self) -> bool:
        """Whether the curves stay as they are, though a run goes on."""
        return self._status.paused

    def pause(self) -> None:
        """Let the curves stay as they are; the log is read no further for them."""
        self._status.paused = True

    def resume(self) -> None:
        """Follow again, from where the curves stopped."""
        self._status.paused = False

    def close(self) -> None:
        """Stop following, and take the widget off the page."""
        for tail in self._tails:
            Pulse.of(tail).leave(self._news)
        super().close()

    def _follow(self) -> None:
        self._status.layout.display = None if self._tails else "none"
        self._status.show(self._tails)
        for tail in self._tails:
            (Pulse.of(tail).leave if self.paused else Pulse.of(tail).listen)(self._news)

    def _go_on(self, change: t.Bunch) -> None:
        """The page paused, went on, or shows the curves again after it had them no more."""
        if change.name == "paused":
            self._follow()
        if not self.paused and (change.name == "paused" or change.old == 0):
            self._refresh()

    def _news(self) -> None:
        """A run went on, or stands differently; called from the thread that follows it."""
        self._status.show(self._tails)
        if not (self.paused or (self._status.shown and not self._status.seen)):
            with suppress(Exception):  # it is shown beside the lines, and the next news may go well
                self._refresh()

    def _refresh(self) -> None:
        """Draw what the runs hold now."""
        with self._lock:
            self._forget()
            self._offer()
            self._name_lines()
            self._redraw()

    def _forget(self) -> None:
        """What is kept of the lines holds as long as rows are only added."""
        ages = [tail.generation for tail in self._tails]
        if ages != self._ages:
            self._cache.clear()
            self._ages = ages

    def _zoom(self, _: t.Bunch) -> None:
        """Where a person zooms in, long lines get their detail back."""
        if max(map(len, self._logs)) > LIMIT:
            self._redraw()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._logs)} runs, {len(self.domains)} domains)"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        return bundle | {"text/plain": repr(self), "image/svg+xml": draw_svg(self.figure)}

    # ---- what stands in the controls

    def _options(self) -> dict[str, list[tuple[str, Any]]]:
        raise NotImplementedError

    def _shared(self) -> dict[str, Any]:
        return {
            "x": self._bar["x"].value or "step",
            "colors": self._colors,
            "hidden": self.hidden,
            "focus": self.focus,
            "height": self._height,
            "within": tuple(self._labels.within) or None,
            "cache": self._cache,
        }

    def _x_options(self) -> list[tuple[str, Any]]:
        return [(_AXES[name], name) for name in runs.list_axes(self._logs, self._cache)]

    def _offer(self) -> None:
        for name, options in self._options().items():
            control = self._bar[name]
            if list(control.options) != options:
                before = control.value
                # Without options first, or ipywidgets would report a value nobody chose.
                control.options, control.value = (
                    options,
                    before if before in [each for _, each in options] else options[0][1],
                )
            control.tooltip = name
            control.layout.display = "none" if len(options) < 2 else None

    def _choose(self, name: str, value: Any, what: str) -> None:
        known = [each for _, each in self._bar[name].options]
        if value not in known:
            raise UnknownName(kind=what, name=value, known=known)
        self._bar[name].value = value

    # ---- drawing

    def _name_lines(self) -> None:
        paint = runs.color_domains(self._logs, self._colors)
        if self._labels.domains != list(paint):
            with self._labels.hold_sync():
                self._labels.domains, self._labels.colors = list(paint), list(paint.values())
        names = runs.name_runs(self._logs)
        dashes = [figures.DASHES[r % len(figures.DASHES)] for r in range(len(names))]
        self._key.value = "".join(map(run_sample, names, dashes)) if len(names) > 1 else ""
        self._notes.value = _notes(
            {name: log.meta.get("notes", ()) for name, log in zip(names, self._logs, strict=True)}
        )
        self._notes.layout.display = None if self._notes.value else "none"

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
            raise UnknownName(kind="domain", name=strangers[0], known=self.domains)

    def _redraw(self, change: Any = None) -> None:
        """Send what changed; the page keeps its zoom, unless a person chose to see something else."""
        try:
            with self._lock:
                self._forget()
                new = self._drawn()
                places, style = self._sent.traces(new)
                layout = self._sent.layout(new)
                if getattr(change, "owner", None) in [
                    self._bar.get("signal"),
                    self._bar.get("form"),
                ]:
                    layout |= {
                        path: value
                        for path, value in layout_of(new).items()
                        if path.startswith("yaxis") and value is not None
                    }
                if "xaxis.title.text" in layout:
                    layout["xaxis.autorange"] = True
                # Not batch_update: traces that differ in other properties than their neighbours
                # lose those in the page.
                if places or layout:
                    self._chart.plotly_update(
                        restyle_data=style, relayout_data=layout, trace_indexes=places
                    )
                if len(new.data) > len(self._chart.data):
                    self._chart.add_traces(self._sent.added(new))
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


def checked_runs(given: Runs) -> list[RunLog | FollowedRun]:
    """The runs as a list; one sentence where there is none or something else came."""
    each = [given] if isinstance(given, RunLog | FollowedRun) else list(given)
    runs.check_logs(read(each))
    return each


def read(given: Runs) -> list[RunLog]:
    """What is read of the runs so far."""
    each = [given] if isinstance(given, RunLog | FollowedRun) else list(given)
    return [run.log if isinstance(run, FollowedRun) else run for run in each]


def count(things: Sequence[Any], noun: str) -> str:
    """So many of them: ``1 run``, ``3 domains``."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def run_sample(name: str, dash: str, color: str = "currentColor") -> str:
    """A line as the run's lines are, and the run's name."""
    return (
        f'<span title="{html.escape(name)}"><svg width="28" height="8" '
        'aria-hidden="true"><path d="M0 4H28" '
        f'stroke="{color}" stroke-width="1.6" '
        f'stroke-dasharray="{figures.STROKES[dash]}"/></svg>{html.escape(name)}</span>'
    )


def _notes(said: Mapping[str, Sequence[str]]) -> str:
    """What was found in the logs, folded."""
    lines = [
        f"{html.escape(name)}: {html.escape(note)}"
        for name, notes in said.items()
        for note in notes
    ]
    return (
        f"<details><summary>{count(lines, 'note')} on the "
        f"log</summary>{'<br>'.join(lines)}</details>"
        if lines
        else ""
    )
