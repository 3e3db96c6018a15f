"""The parts of all curves of training runs: controls, a plotly figure, the names at its lines.

A run that is still being written comes as a FollowedRun: the curves then follow it, from a thread
of their own, so that they move while a cell trains; what a person does in the page (a click, a
choice) waits until the kernel is free. Only the lines that changed are sent.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import ipywidgets
import plotly.graph_objects as go
import traitlets as t

from reweightviz.core.errors import ReweightvizError, UnknownName
from reweightviz.core.protocols import FollowedRun
from reweightviz.core.runlog import RunLog
from reweightviz.figures import runs
from reweightviz.figures.axes import list_axes
from reweightviz.figures.decimation import LIMIT
from reweightviz.figures.drawing_cache import DrawingCache
from reweightviz.figures.lines import DASHES, FAINT, STROKES
from reweightviz.figures.lines_svg import draw_svg
from reweightviz.widgets.common.chart import Chart
from reweightviz.widgets.common.reported_errors import ReportedErrors
from reweightviz.widgets.common.shared_module import SharedModule, read_style
from reweightviz.widgets.common.shown_widget import ShownWidget
from reweightviz.widgets.curves.live import LiveStatus
from reweightviz.widgets.curves.pulse import Pulse
from reweightviz.widgets.curves.sent_figure import SentFigure, read_layout

__all__ = [
    "CurveLabels",
    "Curves",
    "Options",
    "Runs",
    "count",
    "display",
    "draw_sample",
    "list_runs",
    "read_logs",
]


Runs = RunLog | FollowedRun | Sequence[RunLog | FollowedRun]
"""One run or several, over or still written."""
Options = dict[str, list[tuple[str, Any]]]
"""Of each control the words and values to choose from."""

_HERE = Path(__file__).parent
_AXES = {"step": "by step", "tokens": "by tokens", "time": "by time"}


class CurveLabels(ReportedErrors, SharedModule):
    """The names at the lines' ends, and the wire between the page's bus and the kernel."""

    _path = _HERE / "curves.js"
    _css = read_style(_HERE / "curves.css")

    domains = t.List(t.Unicode(), help="names (K,)").tag(sync=True)
    colors = t.List(t.Unicode(), help="one CSS colour a domain (K,)").tag(sync=True)
    focus = t.Unicode(None, allow_none=True, help="the domain that stands out").tag(sync=True)
    hidden = t.List(t.Unicode(), help="domains that are not drawn").tag(sync=True)
    within = t.List(
        t.Float(), help="from where to where on x the plot is zoomed; nothing where it shows all"
    ).tag(sync=True)
    height = t.Int(help="of the plot, in pixels").tag(sync=True)
    room = t.Int(help="width of the plot in pixels, set by the page; 0 until then").tag(sync=True)
    link = t.Unicode(
        help="widgets of a page with the same link share focus, hover and hidden domains"
    ).tag(sync=True)


class Curves(ShownWidget, ipywidgets.VBox):
    """Controls, the plotly figure, and its labels.

    A kind of curves has its ``_controls``, ``_list_options`` for them, and its ``figure``.

    Args:
        logs: one RunLog or FollowedRun, or several.
        link: widgets with the same link move together; a link of its own when not given.
        colors: domain to CSS colour, or one a domain; the same as everywhere when not given.
        height: of the plot, in pixels.
    """

    focus = t.Unicode(
        None, allow_none=True, help="the domain that stands out everywhere; observe it, or set it"
    )
    hidden = t.List(t.Unicode(), help="domains that are not drawn; observe it, or set it")

    _controls: ClassVar[tuple[str, ...]] = ()
    _runs: Sequence[RunLog | FollowedRun] = ()

    def __init__(self, logs: Runs, *, link: str | None, colors: runs.Colors, height: int) -> None:
        self._runs = list_runs(logs)
        self._colors = colors
        self._height = height
        self._cache = self._make_cache()
        self._generations: list[int] = []
        # The figure is drawn from the page's wishes and from the thread that follows a run.
        self._lock = threading.RLock()
        self._labels = CurveLabels(height=height, link=link or f"curves-{uuid4().hex}")
        self._bar = {name: ipywidgets.Dropdown(options=[("", None)]) for name in self._controls}
        self._key = ipywidgets.HTML()
        self._notes = ipywidgets.HTML()
        self._status = LiveStatus()
        self._offer()
        figure = self.figure
        self._chart = Chart(figure)
        self._sent = SentFigure(figure)
        self._chart.update_layout(showlegend=False)
        super().__init__(self._lay_out())
        self.add_class("rv-curves")
        self._name_lines()
        self._join()
        self._generations = self._read_generations()
        self._follow()

    @property
    def logs(self) -> tuple[RunLog, ...]:
        """The runs that are drawn, in order, as far as they have been read."""
        return tuple(self._logs)

    @property
    def domains(self) -> tuple[str, ...]:
        """Every domain of the runs, in order of first appearance."""
        return tuple(runs.list_domains(self._logs))

    @property
    def link(self) -> str:
        """Widgets of a page with the same link share focus, hover and hidden domains."""
        link: str = self._labels.link
        return link

    @property
    def figure(self) -> go.Figure:
        """A plotly figure of its own, as it is drawn."""
        raise NotImplementedError

    def add(self, log: RunLog | FollowedRun) -> None:
        """Draw one more run; new domains get the next colours."""
        before = self._runs
        try:
            self._runs = [*before, *list_runs([log])]
            runs.color_domains(self._logs, self._colors)
        except ReweightvizError:
            self._runs = before
            raise
        self._refresh()
        self._follow()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._logs)} runs, {len(self.domains)} domains)"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        return bundle | {"text/plain": repr(self), "image/svg+xml": self._draw_static()}

    # ---- following

    @property
    def paused(self) -> bool:
        """True while the curves stay as they are, though a run goes on."""
        paused: bool = self._status.paused
        return paused

    def pause(self) -> None:
        """Let the curves stay as they are; the log is read no further for them."""
        self._status.paused = True

    def resume(self) -> None:
        """Follow again, from where the curves stopped."""
        self._status.paused = False

    def close(self) -> None:
        """Stop following, and take the widget off the page."""
        for run in self._followed:
            Pulse.of(run).leave(self._on_news)
        super().close()

    @property
    def _followed(self) -> list[FollowedRun]:
        return [run for run in self._runs if not isinstance(run, RunLog)]

    @property
    def _logs(self) -> list[RunLog]:
        return read_logs(self._runs)

    def _follow(self) -> None:
        display(self._status, visible=bool(self._followed))
        self._status.show(self._followed)
        for run in self._followed:
            pulse = Pulse.of(run)
            if self.paused:
                pulse.leave(self._on_news)
            else:
                pulse.listen(self._on_news)

    def _on_status(self, change: t.Bunch) -> None:
        """Follow or stop after a click; draw anew where a page shows the curves again."""
        if change.name == "paused":
            self._follow()
        if not self.paused and (change.name == "paused" or change.old == 0):
            self._refresh()

    def _on_news(self) -> None:
        """Draw the new steps of a run, or its new state; called from the thread that follows it."""
        self._status.show(self._followed)
        on_no_page = self._status.shown and not self._status.seen
        if not self.paused and not on_no_page:
            # The error is shown beside the lines, and the next news may go well.
            with suppress(Exception):
                self._refresh()

    def _refresh(self) -> None:
        """Draw the runs as they are now."""
        with self._lock:
            self._drop_stale()
            self._offer()
            self._name_lines()
            self._redraw()

    def _make_cache(self) -> DrawingCache:
        return DrawingCache()

    def _drop_stale(self) -> None:
        """Clear the cache where rows were changed: it holds only while rows are added."""
        generations = self._read_generations()
        if generations != self._generations:
            self._cache.clear()
            self._generations = generations

    def _read_generations(self) -> list[int]:
        return [run.generation for run in self._followed]

    # ---- controls

    def _list_options(self) -> Options:
        raise NotImplementedError

    def _share_options(self) -> dict[str, Any]:
        """Return the arguments that all figures of lines take."""
        return {
            "x": self._axis,
            "colors": self._colors,
            "hidden": self.hidden,
            "focus": self.focus,
            "height": self._height,
            "within": tuple(self._labels.within) or None,
            "cache": self._cache,
        }

    @property
    def _axis(self) -> str:
        return self._bar["x"].value or "step"

    def _list_axes(self) -> list[tuple[str, Any]]:
        return [(_AXES[name], name) for name in list_axes(self._logs, self._cache)]

    def _offer(self) -> None:
        for name, options in self._list_options().items():
            control = self._bar[name]
            if list(control.options) != options:
                before = control.value
                known = [value for _, value in options]
                # Options take the first value by themselves, so the choice is put back after them.
                control.options = options
                control.value = before if before in known else known[0]
            control.tooltip = name
            display(control, visible=len(options) > 1)

    def _choose(self, name: str, value: Any, what: str) -> None:
        known = [each for _, each in self._bar[name].options]
        if value not in known:
            raise UnknownName(kind=what, name=value, known=known)
        self._bar[name].value = value

    @t.validate("focus")
    def _validate_focus(self, proposal: t.Bunch) -> str | None:
        focus: str | None = proposal["value"]
        if focus is not None:
            self._check_domains([focus])
        return focus

    @t.validate("hidden")
    def _validate_hidden(self, proposal: t.Bunch) -> list[str]:
        hidden: list[str] = proposal["value"]
        self._check_domains(hidden)
        return hidden

    def _check_domains(self, names: Sequence[str]) -> None:
        strangers = [name for name in names if name not in self.domains]
        if strangers:
            raise UnknownName(kind="domain", name=strangers[0], known=self.domains)

    # ---- drawing

    def _lay_out(self) -> list[ipywidgets.Widget]:
        plot = ipywidgets.Box([self._chart])
        bar = ipywidgets.HBox([*self._bar.values(), self._status, self._key])
        body = ipywidgets.HBox([plot, self._labels])
        for widget, name in (
            (plot, "rv-curves-plot"),
            (bar, "rv-curves-bar"),
            (body, "rv-curves-body"),
            (self._key, "rv-curves-key"),
            (self._notes, "rv-curves-notes"),
        ):
            widget.add_class(name)
        return [bar, body, self._notes]

    def _join(self) -> None:
        t.link((self, "focus"), (self._labels, "focus"))
        t.link((self, "hidden"), (self._labels, "hidden"))
        for control in self._bar.values():
            control.observe(self._redraw, "value")
        self.observe(self._redraw, "hidden")
        self._labels.observe(self._on_zoom, "within")
        self._status.observe(self._on_status, ["paused", "seen"])

    def _name_lines(self) -> None:
        paint = runs.color_domains(self._logs, self._colors)
        if self._labels.domains != list(paint):
            with self._labels.hold_sync():
                self._labels.domains = list(paint)
                self._labels.colors = list(paint.values())
        names = runs.name_runs(self._logs)
        self._key.value = self._draw_key(names)
        self._notes.value = _list_notes(
            {name: log.meta.get("notes", ()) for name, log in zip(names, self._logs, strict=True)}
        )
        display(self._notes, visible=bool(self._notes.value))

    def _draw_key(self, names: Sequence[str]) -> str:
        """Return which run has which dash, where there are several."""
        if len(names) < 2:
            return ""
        dashes = [DASHES[r % len(DASHES)] for r in range(len(names))]
        return "".join(map(draw_sample, names, dashes))

    def _on_zoom(self, _: t.Bunch) -> None:
        """Give long lines their detail back where a person zooms in."""
        if max(map(len, self._logs)) > LIMIT:
            self._redraw()

    def _redraw(self, change: Any = None) -> None:
        """Send what changed; the page keeps its zoom, unless a person chose another quantity."""
        try:
            with self._lock:
                self._drop_stale()
                self._send_figure(self._draw_undimmed(), change)
        except Exception as problem:
            self._labels.error = f"{type(problem).__name__}: {problem}"
            raise

    def _send_figure(self, figure: go.Figure, change: Any) -> None:
        places, restyle = self._sent.update_traces(figure)
        relayout = self._sent.update_layout(figure)
        if self._is_other_quantity(change):
            layout = read_layout(figure)
            relayout |= {
                path: value
                for path, value in layout.items()
                if path.startswith("yaxis") and value is not None
            }
        if "xaxis.title.text" in relayout:
            relayout["xaxis.autorange"] = True
        # Not batch_update: traces that differ in other properties than their neighbours lose those
        # in the page.
        if places or relayout:
            self._chart.plotly_update(
                restyle_data=restyle, relayout_data=relayout, trace_indexes=places
            )
        if len(figure.data) > len(self._chart.data):
            self._chart.add_traces(self._sent.add_traces(figure))

    def _is_other_quantity(self, change: Any) -> bool:
        controls = [self._bar.get("signal"), self._bar.get("form")]
        return change is not None and getattr(change, "owner", None) in controls

    def _draw_undimmed(self) -> go.Figure:
        # The browser itself dims what is out of focus: it must not wait for the kernel.
        figure = self.figure
        if self.focus is not None:
            for trace in figure.data:
                if trace.meta[0] != self.focus:
                    trace.opacity /= FAINT
        return figure

    def _draw_static(self) -> str:
        return draw_svg(self.figure)


def list_runs(given: Runs) -> list[RunLog | FollowedRun]:
    """Return the runs as a list.

    Raises:
        ReweightvizError: there is none, or something that is no run.
    """
    each: list[RunLog | FollowedRun] = runs.list_given(given)
    runs.check_logs(read_logs(each))
    return each


def read_logs(given: Runs) -> list[RunLog]:
    """Return the logs of runs, as far as they have been read."""
    return [run.log if isinstance(run, FollowedRun) else run for run in runs.list_given(given)]


def display(widget: ipywidgets.DOMWidget, *, visible: bool) -> None:
    """Let a widget take its place on the page, or none."""
    widget.layout.display = None if visible else "none"


def count(things: Sequence[Any], noun: str) -> str:
    """Return the number of things in words: ``1 run``, ``3 domains``."""
    plural = "" if len(things) == 1 else "s"
    return f"{len(things)} {noun}{plural}"


def draw_sample(name: str, dash: str, color: str = "currentColor") -> str:
    """Return a short line, drawn as the run's lines are, and the run's name, as HTML."""
    return (
        f'<span title="{html.escape(name)}"><svg width="28" height="8" '
        'aria-hidden="true"><path d="M0 4H28" '
        f'stroke="{color}" stroke-width="1.6" '
        f'stroke-dasharray="{STROKES[dash]}"/></svg>{html.escape(name)}</span>'
    )


def _list_notes(notes: Mapping[str, Sequence[str]]) -> str:
    """Return the notes on the logs, folded, as HTML."""
    lines = [
        f"{html.escape(name)}: {html.escape(note)}"
        for name, of_run in notes.items()
        for note in of_run
    ]
    if not lines:
        return ""
    summary = f"{count(lines, 'note')} on the log"
    return f"<details><summary>{summary}</summary>{'<br>'.join(lines)}</details>"
