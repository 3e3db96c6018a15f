"""The monitor: every view of a run, while it goes on, and the mixture that it follows."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import uuid4

import ipywidgets as w
import traitlets as t

from reweightviz.apps.monitor import export as run_export
from reweightviz.apps.steering import Steering
from reweightviz.core.errors import ReweightvizError, listed
from reweightviz.core.live import LiveMixture
from reweightviz.core.protocols import Law
from reweightviz.core.runlog import RunLog
from reweightviz.core.sources import Sources
from reweightviz.figures.palette import choose_colors as palette
from reweightviz.figures.run_amounts import read_run_tokens
from reweightviz.figures.run_svg import draw_run_svg
from reweightviz.readers.read_log import follow_log
from reweightviz.readers.tail import Tail
from reweightviz.widgets.curves import run_curves as views
from reweightviz.widgets.curves.curve_widget import checked_runs, read
from reweightviz.widgets.curves.live import Pulse

Path = str | os.PathLike[str]
Run = RunLog | Tail | Path


class Monitor(w.VBox):
    """Watch runs, and steer one.

    Args:
        logs: a run or several: what ``rv.read_log`` gives, or paths, which are followed.
        reference: a run to compare the losses with; shows the excess over it.
        sources: tokens available of each domain; shows the epochs that were consumed.
        live: the mixture that the run follows, or its path; shows the editor that steers.
        law: predicts losses in that editor.
        max_epochs: passes over a domain up to which it may be repeated.
        budget: tokens of the whole run, a number or text such as "2T": the editor shows the epochs
            at its end. Where it is not given, what the log's meta names: ``tokens``, or else
            ``steps``, ``batch`` and ``context``.
        every: seconds between two looks at a run that goes on.
        view: which view to begin with; the first one that there is when not given.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, {"loss": [[3.0, 2.5], [2.8, 2.2]]}, "mine")
        >>> monitor = Monitor(log)
        >>> monitor.views
        ('loss', 'weights', 'shares', 'phase', 'scalars')
        >>> monitor.view = "phase"
        >>> monitor
        Monitor('mine', 2 steps, view 'phase')
    """

    view = t.Unicode("loss", help="what is drawn; one of `views`")
    focus = t.Unicode(None, allow_none=True, help="the domain that stands out")
    hidden = t.List(t.Unicode(), help="domains that are not drawn")
    _runs: Sequence[RunLog | Tail] = ()

    def __init__(
        self,
        logs: Run | Sequence[Run],
        *,
        reference: Run | None = None,
        sources: Mapping[str, Any] | None = None,
        live: LiveMixture | Path | None = None,
        law: Law | None = None,
        max_epochs: float | None = None,
        every: float = 1.5,
        view: str | None = None,
        height: int = 320,
        budget: float | str | None = None,
    ) -> None:
        self._drawn: dict[str, views.RunView] = {}
        single = isinstance(logs, RunLog | Tail | str | os.PathLike)
        self._runs = checked_runs([_opened(run) for run in ([logs] if single else logs)])
        self.live = live if live is None or isinstance(live, LiveMixture) else LiveMixture(live)
        known = Sources.of(sources)
        tokens = None if known is None else known.token_table
        if budget is not None and tokens is None:
            raise ReweightvizError(
                "budget= is for the epochs of each domain, which need sources=, the "
                "tokens available."
            )
        link, colors = f"monitor-{uuid4().hex}", self._colors()
        self._lock = threading.RLock()
        self.steering = (
            None
            if self.live is None
            else Steering(
                self.live,
                tokens=tokens,
                law=law,
                max_epochs=max_epochs or 4.0,
                link=link,
                colors=colors,
                changed=self._remark,
                budget=budget,
                ended=lambda: bool(self._tails) and all(tail.ended for tail in self._tails),
            )
        )
        self._guesses_budget = budget is None and tokens is not None
        self._guess_budget()
        marks = self.steering.marks if self.steering is not None else list
        self._kinds = self._made(
            reference,
            tokens,
            max_epochs,
            {"link": link, "colors": colors, "height": height, "marks": marks},
        )
        self._tabs = w.ToggleButtons(
            options=[(_TITLES[name], name) for name in self._kinds], style={"button_width": "auto"}
        )
        self._place = w.Box(layout=w.Layout(width="100%"))
        super().__init__(
            [self._tabs, self._place, *([] if self.steering is None else [self.steering])],
            layout=w.Layout(width="100%"),
        )
        self.add_class("rv-monitor")
        self.view = view or next(iter(self._kinds))
        t.link((self, "view"), (self._tabs, "value"))
        self._show()
        self.observe(lambda _: self._show(), "view")
        for tail in self._tails:
            Pulse.of(tail, every).listen(self._news)

    @property
    def logs(self) -> tuple[RunLog, ...]:
        """The runs, as far as they have been read."""
        return tuple(read(self._runs))

    @property
    def views(self) -> tuple[str, ...]:
        """What can be drawn of these runs."""
        return tuple(self._kinds)

    @property
    def shown(self) -> views.RunView:
        """The widget of the view that is drawn."""
        return self._view(self.view)

    @property
    def editor(self) -> Any:
        """The mixture editor, where there is a live mixture."""
        return self._steering().editor

    @property
    def notes(self) -> list[str]:
        """What was found in the logs: restarts, gaps."""
        return run_export.notes_of(self.logs)

    def steer(
        self,
        mixture: Mapping[str, float] | None = None,
        *,
        author: str | None = None,
        note: str | None = None,
    ) -> int:
        """Write a mixture to the live file, the editor's when none is given; returns the new version."""
        return self._steering().steer(mixture, author=author, note=note)

    def save(self, path: Path) -> Any:
        """Write what is drawn; the ending says what.

        Args:
            path: ``.html``: every view in one page that needs no network; ``.svg``, ``.png``: the
                view that is shown; ``.csv``: a row a number (run, step, tokens, time, domain,
                signal, value).

        Raises:
            ReweightvizError: another ending, or .png without resvg_py (the extra ``png``).
        """
        figures = {
            _TITLES[name]: self._view(name).figure
            for name in (self.views if str(path).endswith(".html") else [self.view])
        }
        title = ", ".join(log.name for log in self.logs)
        return run_export.save(
            path,
            title=title,
            figures=figures,
            shown=_TITLES[self.view],
            logs=self.logs,
            notes=self.notes,
        )

    def close(self) -> None:
        """Stop following, and take the widget off the page."""
        for tail in self._tails:
            Pulse.of(tail).leave(self._news)
        for view in self._drawn.values():
            view.close()
        super().close()

    def __repr__(self) -> str:
        logs = self.logs
        what = (
            f"{logs[0].name!r}, {len(logs[0]):,} steps" if len(logs) == 1 else f"{len(logs)} runs"
        )
        live = f", live version {self.live.version}" if self.live is not None else ""
        return f"Monitor({what}, view {self.view!r}{live})"

    # ---- the views

    @property
    def _tails(self) -> list[Tail]:
        return [run for run in self._runs if isinstance(run, Tail)]

    def _colors(self) -> dict[str, str] | None:
        """The same colour for a domain in the editor and in the curves."""
        if self.live is None:
            return None
        domains = list(
            dict.fromkeys(
                [*self.live.domains, *(name for log in self.logs for name in log.domains)]
            )
        )
        return dict(zip(domains, palette(len(domains)), strict=True))

    def _made(
        self,
        reference: Run | None,
        tokens: Mapping[str, float] | None,
        max_epochs: float | None,
        options: dict[str, Any],
    ) -> dict[str, Callable[[], views.RunView]]:
        """What makes each view, of those that there is something for."""
        against = None if reference is None else read([_opened(reference)])[0]
        measured = any(log.signals or not len(log) for log in self.logs)
        weighed = any(log.domains or not len(log) for log in self.logs)
        made: dict[str, Callable[[], views.RunView] | None] = {
            "loss": None
            if not measured
            else lambda: views.Losses(self._runs, smooth=10, **options),
            "excess": None
            if against is None
            else lambda: views.Excess(self._runs, against, **options),
            "weights": None if not weighed else lambda: views.Weights(self._runs, **options),
            "shares": None if not weighed else lambda: views.Shares(self._runs, **options),
            "epochs": None
            if tokens is None
            else lambda: views.Epochs(self._runs, dict(tokens), max_epochs=max_epochs, **options),
            "phase": None if not measured else lambda: views.Phase(self._runs, **options),
            "runs": None
            if len(self._runs) < 2
            else lambda: views.Comparison(self._runs, **options),
            "scalars": lambda: views.Scalars(self._runs, **options),
        }
        return {name: make for name, make in made.items() if make is not None}

    def _view(self, name: str) -> views.RunView:
        with self._lock:  # the page's click and a cell may ask at once, from threads of the kernel
            if name not in self._drawn:
                view = self._kinds[name]()
                t.link((self, "focus"), (view, "focus"))
                t.link((self, "hidden"), (view, "hidden"))
                self._drawn[name] = view
            return self._drawn[name]

    def _show(self) -> None:
        """Hide the other views: plotly's figures do not survive to be taken off the page and put back."""
        with self._lock:
            shown = self._view(self.view)
            for view in self._drawn.values():
                view.show(view is shown)
            self._place.children = list(self._drawn.values())

    @t.validate("view")
    def _checked_view(self, proposal: t.Bunch) -> str:
        if proposal["value"] not in self._kinds:
            why = {
                "excess": "; excess needs reference=",
                "epochs": "; epochs needs sources=",
                "runs": "; runs needs several logs",
            }
            raise ReweightvizError(
                f"no view {proposal['value']!r} here; there is "
                f"{listed(self._kinds)}{why.get(proposal['value'], '')}."
            )
        return proposal["value"]

    # ---- news

    def _news(self) -> None:
        """A run went on: perhaps it took up a change; called from the thread that follows it."""
        if self.steering is not None:
            with suppress(Exception):  # the file may be gone for a moment; the next news look again
                self.steering.poll()
            self._guess_budget()

    def _guess_budget(self) -> None:
        """The tokens of the whole run, once, as soon as a log names them."""
        named = (
            next(filter(None, map(read_run_tokens, self.logs)), None)
            if self.steering and self._guesses_budget
            else None
        )
        if named and self.steering:
            self._guesses_budget = False
            self.steering.editor.budget = self.steering.editor.budget or named

    def _remark(self) -> None:
        """The changes have changed: the view that is shown marks them."""
        if self.view in self._drawn:
            self._drawn[self.view].remark()

    def _steering(self) -> Steering:
        if self.steering is None:
            raise ReweightvizError(
                "this monitor steers nothing: Monitor(logs, live=...) names the live "
                "mixture that the run follows."
            )
        return self.steering

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        return bundle | {"text/plain": repr(self), "image/svg+xml": draw_run_svg(self.shown.figure)}


_TITLES = {
    "loss": "Loss",
    "excess": "Excess loss",
    "weights": "Weights",
    "shares": "Realised shares",
    "epochs": "Epochs",
    "phase": "Loss by weight",
    "runs": "Runs by domain",
    "scalars": "Scalars",
}


def _opened(run: Run) -> RunLog | Tail:
    return run if isinstance(run, RunLog | Tail) else follow_log(run)
