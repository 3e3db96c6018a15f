"""The monitor: every view of a run, while it goes on, and the mixture that it follows."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import ipywidgets as w
import traitlets as t

from reweightviz.apps.monitor.export import collect_notes, save_views
from reweightviz.apps.monitor.views import NEEDS, TITLES, list_views
from reweightviz.apps.steering import Steering
from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.live import LiveMixture
from reweightviz.core.protocols import FollowedRun, Law
from reweightviz.core.runlog import RunLog
from reweightviz.core.sources import Sources
from reweightviz.core.token_counts import parse_budget
from reweightviz.figures.run_svg import draw_run_svg
from reweightviz.figures.run_tokens import read_run_tokens
from reweightviz.figures.runs import list_given
from reweightviz.readers.read_log import follow_log
from reweightviz.widgets.common.shown_widget import ShownWidget
from reweightviz.widgets.curves.curve_widget import list_runs, read_logs
from reweightviz.widgets.curves.pulse import STATES, Pulse, find_state
from reweightviz.widgets.curves.run_view import RunView
from reweightviz.widgets.editor.mixture_editor import MixtureEditor

__all__ = ["Monitor", "PathLike", "RunOrPath"]


PathLike = str | os.PathLike[str]
RunOrPath = RunLog | FollowedRun | PathLike


class Monitor(ShownWidget, w.VBox):
    """Watch runs, and steer one.

    Args:
        logs: a run or several, as ``rv.read_log`` returns them, or paths, which are followed.
        reference: a run to compare the losses with; shows the excess over it.
        sources: tokens available of each domain; shows the epochs that were consumed.
        live: the mixture that the run follows, or its path; shows the editor that steers.
        law: predicts losses in that editor.
        max_epochs: passes over a domain up to which it may be repeated.
        budget: tokens of the whole run, a number or text such as "2T": the editor shows the epochs
            at its end. Where it is not given, that of the log's meta: ``tokens``, or else
            ``steps``, ``batch`` and ``context``.
        every: seconds between two looks at a run that goes on.
        view: the view to begin with; the first one that there is when not given.
        height: of the views, in pixels.

    Example:
        >>> losses = {"loss": [[3.0, 2.5], [2.8, 2.2]]}
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, losses, "mine")
        >>> monitor = Monitor(log)
        >>> monitor.views
        ('loss', 'weights', 'shares', 'phase', 'scalars')
        >>> monitor.view = "phase"
        >>> monitor
        Monitor('mine', 2 steps, view 'phase')
    """

    view = t.Unicode("loss", help="name of the view on the page; one of `views`")
    focus = t.Unicode(None, allow_none=True, help="the domain that stands out")
    hidden = t.List(t.Unicode(), help="domains that are not drawn")
    _runs: Sequence[RunLog | FollowedRun] = ()

    def __init__(
        self,
        logs: RunOrPath | Sequence[RunOrPath],
        *,
        reference: RunOrPath | None = None,
        sources: Mapping[str, Any] | None = None,
        live: LiveMixture | PathLike | None = None,
        law: Law | None = None,
        max_epochs: float | None = None,
        every: float = 1.5,
        view: str | None = None,
        height: int = 320,
        budget: float | str | None = None,
    ) -> None:
        # First, for close() runs even on a monitor that was refused.
        self._made: dict[str, RunView] = {}
        self._runs = list_runs([_open_run(run) for run in list_given(logs)])
        self.live = LiveMixture(live) if isinstance(live, str | os.PathLike) else live
        known = Sources.of(sources)
        tokens = None if known is None else dict(known.token_table)
        budget = _read_budget(budget, tokens)
        link = f"monitor-{uuid4().hex}"
        # A click and a cell may draw at once, from two threads of the kernel.
        self._lock = threading.RLock()
        self.steering: Steering | None = None
        if self.live is not None:
            self.steering = Steering(
                self.live,
                tokens=tokens,
                law=law,
                max_epochs=max_epochs or 4.0,
                link=link,
                on_change=self._remark,
                budget=budget,
                find_state=self._find_state,
            )
        self._guesses_budget = budget is None and tokens is not None
        self._guess_budget()
        self._makers = list_views(
            self._runs,
            reference=None if reference is None else _read_reference(reference),
            tokens=tokens,
            max_epochs=max_epochs,
            options={
                "link": link,
                "height": height,
                "marks": list if self.steering is None else self.steering.marks,
            },
        )
        super().__init__(self._stack_rows(), layout=w.Layout(width="100%"))
        self.add_class("rv-monitor")
        self.view = view or self.views[0]
        t.link((self, "view"), (self._tabs, "value"))
        self._show_view()
        self.observe(lambda _: self._show_view(), "view")
        for run in self._followed:
            Pulse.of(run, every).listen(self._on_news)

    @property
    def logs(self) -> tuple[RunLog, ...]:
        """The runs, as far as they have been read."""
        return tuple(read_logs(self._runs))

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views that there are of these runs."""
        return tuple(self._makers)

    @property
    def shown(self) -> RunView:
        """The widget of the view on the page."""
        return self._get_view(self.view)

    @property
    def editor(self) -> MixtureEditor:
        """The mixture editor, where there is a live mixture."""
        return self._require_steering().editor

    @property
    def notes(self) -> list[str]:
        """Restarts and gaps of the logs, in words."""
        return collect_notes(self.logs)

    def steer(
        self,
        mixture: Mapping[str, float] | None = None,
        *,
        author: str | None = None,
        note: str | None = None,
    ) -> int:
        """Write a mixture to the live file, the editor's by default; return the new version."""
        return self._require_steering().steer(mixture, author=author, note=note)

    def save(self, path: PathLike) -> Path:
        """Write the views, in the form that the ending of the path names.

        Args:
            path: ``.html``: every view in one page that needs no network; ``.svg``, ``.png``: the
                view on the page; ``.csv``: a row a number (run, step, tokens, time, domain,
                signal, value).

        Raises:
            ReweightvizError: another ending, or .png without resvg_py (the extra ``png``).
        """
        names = self.views if str(path).endswith(".html") else (self.view,)
        return save_views(
            path,
            title=", ".join(log.name for log in self.logs),
            figures={TITLES[name]: self._get_view(name).figure for name in names},
            shown=TITLES[self.view],
            logs=self.logs,
            notes=self.notes,
        )

    def close(self) -> None:
        """Stop following, and take the widget off the page."""
        for run in self._followed:
            Pulse.of(run).leave(self._on_news)
        for view in self._made.values():
            view.close()
        super().close()

    def __repr__(self) -> str:
        logs = self.logs
        runs = f"{len(logs)} runs"
        if len(logs) == 1:
            runs = f"{logs[0].name!r}, {len(logs[0]):,} steps"
        live = "" if self.live is None else f", live version {self.live.version}"
        return f"Monitor({runs}, view {self.view!r}{live})"

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        return bundle | {"text/plain": repr(self), "image/svg+xml": draw_run_svg(self.shown.figure)}

    # ---- views

    def _stack_rows(self) -> list[w.Widget]:
        self._tabs = w.ToggleButtons(
            options=[(TITLES[name], name) for name in self._makers], style={"button_width": "auto"}
        )
        self._place = w.Box(layout=w.Layout(width="100%"))
        rows = [self._tabs, self._place]
        return rows if self.steering is None else [*rows, self.steering]

    def _get_view(self, name: str) -> RunView:
        """Return the widget of a view, made when it is first needed."""
        with self._lock:
            if name not in self._made:
                view = self._makers[name]()
                t.link((self, "focus"), (view, "focus"))
                t.link((self, "hidden"), (view, "hidden"))
                self._made[name] = view
            return self._made[name]

    def _show_view(self) -> None:
        # The others are hidden: plotly's figures do not survive to be taken off the page and put
        # back.
        with self._lock:
            shown = self.shown
            for view in self._made.values():
                view.show(view is shown)
            self._place.children = list(self._made.values())

    @t.validate("view")
    def _validate_view(self, proposal: t.Bunch) -> str:
        view: str = proposal["value"]
        if view not in self._makers:
            need = f"; {NEEDS[view]}" if view in NEEDS else ""
            raise ReweightvizError(
                f"no view {view!r} here; there is {list_names(self._makers)}{need}."
            )
        return view

    # ---- news

    @property
    def _followed(self) -> list[FollowedRun]:
        return [run for run in self._runs if not isinstance(run, RunLog)]

    def _find_state(self) -> str:
        """Return how the followed runs stand: as the first of them that may still take a change."""
        states = {find_state(run) for run in self._followed}
        return next((state for state in STATES if state in states), "")

    def _on_news(self) -> None:
        """Look for changes that a run took up; called from the thread that follows it."""
        if self.steering is not None:
            # The file may be gone for a moment; the next news look again.
            with suppress(Exception):
                self.steering.poll()
            self._guess_budget()

    def _guess_budget(self) -> None:
        """Give the editor the tokens of the whole run, once, as soon as a log names them."""
        if self.steering is None or not self._guesses_budget:
            return
        tokens = next(filter(None, map(read_run_tokens, self.logs)), None)
        if tokens is not None:
            self._guesses_budget = False
            self.steering.editor.budget = self.steering.editor.budget or tokens

    def _remark(self) -> None:
        """Mark the changes anew in the view on the page."""
        # The others draw their marks when they are shown.
        if self.view in self._made:
            self._made[self.view].remark()

    def _require_steering(self) -> Steering:
        if self.steering is None:
            raise ReweightvizError(
                "this monitor steers nothing: Monitor(logs, live=...) names the live "
                "mixture that the run follows."
            )
        return self.steering


def _read_budget(budget: float | str | None, tokens: Mapping[str, float] | None) -> float | None:
    """Read the tokens of the whole run; refuse them where no epochs can be counted."""
    number = parse_budget(budget, "budget")
    if number is not None and tokens is None:
        raise ReweightvizError(
            "budget= is for the epochs of each domain, which need sources=, the tokens available."
        )
    return number


def _read_reference(reference: RunOrPath) -> RunLog:
    return read_logs(list_runs([_open_run(reference)]))[0]


def _open_run(run: RunOrPath) -> RunLog | FollowedRun:
    return follow_log(run) if isinstance(run, str | os.PathLike) else run
