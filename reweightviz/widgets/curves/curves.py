"""Curves of training runs: losses and weights by domain."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from reweightviz.figures import curves as figures
from reweightviz.figures import runs
from reweightviz.widgets.curves.curve_widget import Curves, Options, Runs, count, display, read_logs

__all__ = ["LossCurves", "WeightTrajectories"]


_SPANS = (5, 10, 20, 50, 100)


class LossCurves(Curves):
    """One line a domain, in the map's colours; the runs differ by dash.

    Click a line or a name to bring its domain to the front in every widget with the same ``link``;
    click the square before a name to hide it, shift-click to see it alone. Zoom into a long line
    to see all of its points. The curves of a FollowedRun follow it until it ends: :meth:`pause`
    and :meth:`resume`, or a click on the line with its state.

    Args:
        logs: one RunLog or FollowedRun, or several (T steps, K domains each); domains are matched
            by name.
        signal: the one to draw first: ``"loss"``, ``"held_out_loss"``, ``"excess_loss"`` ...; the
            first that there is.
        link: widgets with the same link move together; a link of its own when not given.
        colors: domain to CSS colour, or one a domain; the same as everywhere when not given.
        height: of the plot, in pixels.
        smooth: span of the moving average to begin with, in measured points; 0 is raw. The raw
            line stays, faint.

    Raises:
        ReweightvizError: no log, or a signal that none of them has.

    Example:
        >>> from reweightviz.core.runlog import RunLog
        >>> losses = {"loss": [[3.0, 2.5], [2.8, 2.2]]}
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, losses, "doremi")
        >>> curves = LossCurves(log)
        >>> curves
        LossCurves(1 run, 2 domains, signal 'loss')
        >>> curves.focus = "code"
    """

    _controls = ("signal", "smooth", "x")

    def __init__(
        self,
        logs: Runs,
        *,
        signal: str | None = None,
        link: str | None = None,
        colors: runs.Colors = None,
        height: int = 300,
        smooth: int = 0,
    ) -> None:
        # A wrong argument is refused by the figure, before any widget is made.
        figures.loss_figure(read_logs(logs), signal=signal, smooth=smooth, colors=colors)
        self._first_signal = signal
        self._first_span = smooth
        super().__init__(logs, link=link, colors=colors, height=height)
        if signal is not None:
            self.signal = signal
        self.smooth = smooth

    @property
    def signal(self) -> str | None:
        """Name of the signal that is drawn."""
        signal: str | None = self._bar["signal"].value
        return signal

    @signal.setter
    def signal(self, value: str) -> None:
        self._choose("signal", value, "signal")

    @property
    def smooth(self) -> int:
        """Span of the moving average, in measured points; 0 is raw."""
        span: int = self._bar["smooth"].value
        return span

    @smooth.setter
    def smooth(self, value: int) -> None:
        self._choose("smooth", value, "span")

    @property
    def figure(self) -> go.Figure:
        """A plotly figure of its own, as it is drawn."""
        return figures.loss_figure(
            self._logs, signal=self.signal, smooth=self.smooth or 0, **self._share_options()
        )

    def __repr__(self) -> str:
        size = f"{count(self._logs, 'run')}, {count(self.domains, 'domain')}"
        return f"LossCurves({size}, signal {self.signal!r})"

    def _list_options(self) -> Options:
        signals = runs.list_signals(self._logs, self._cache)
        # One that was named in advance is offered though nothing was measured yet.
        if self._first_signal and self._first_signal not in signals:
            signals.append(self._first_signal)
        spans = sorted({*_SPANS, self._first_span} - {0})
        names = [(name.replace("_", " "), name) for name in signals]
        return {
            "signal": names or [("no signal", None)],
            "smooth": [("raw", 0), *((f"EMA of {each} points", each) for each in spans)],
            "x": self._list_axes(),
        }


class WeightTrajectories(Curves):
    """The weight of every domain over training, as lines of all runs or as the stacked area of one.

    Args:
        logs: one RunLog or FollowedRun, or several (T steps, K domains each); a weight is a share
            of training tokens.
        stacked: begin with the stacked area.
        link: widgets with the same link move together; a link of its own when not given.
        colors: domain to CSS colour, or one a domain; the same as everywhere when not given.
        height: of the plot, in pixels.

    Raises:
        ReweightvizError: no log.

    Example:
        >>> from reweightviz.core.runlog import RunLog
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [0.4, 0.6]], name="doremi")
        >>> WeightTrajectories(log, stacked=True)
        WeightTrajectories(1 run, 2 domains, stacked)
    """

    _controls = ("form", "run", "x")

    def __init__(
        self,
        logs: Runs,
        *,
        stacked: bool = False,
        link: str | None = None,
        colors: runs.Colors = None,
        height: int = 300,
    ) -> None:
        figures.weight_figure(read_logs(logs), colors=colors)
        super().__init__(logs, link=link, colors=colors, height=height)
        self._bar["form"].observe(self._show_run, "value")
        self.stacked = stacked
        self._show_run()

    @property
    def stacked(self) -> bool:
        """True where one run is drawn as areas that add up to 100 %."""
        return bool(self._bar["form"].value)

    @stacked.setter
    def stacked(self, value: bool) -> None:
        self._choose("form", bool(value), "form")

    @property
    def run(self) -> str:
        """Name of the run that is stacked."""
        run: str = self._bar["run"].value
        return run

    @run.setter
    def run(self, value: str) -> None:
        self._choose("run", value, "run")

    @property
    def figure(self) -> go.Figure:
        """A plotly figure of its own, as it is drawn."""
        return figures.weight_figure(
            self._logs, stacked=self.stacked, run=self.run, **self._share_options()
        )

    def __repr__(self) -> str:
        form = "stacked" if self.stacked else "lines"
        size = f"{count(self._logs, 'run')}, {count(self.domains, 'domain')}"
        return f"WeightTrajectories({size}, {form})"

    def _list_options(self) -> Options:
        names = runs.name_runs(self._logs)
        return {
            "form": [("lines", False), ("stacked", True)],
            "run": [(name, name) for name in names],
            "x": self._list_axes(),
        }

    def _offer(self) -> None:
        super()._offer()
        self._show_run()

    def _show_run(self, _: Any = None) -> None:
        several = self.stacked and len(self._logs) > 1
        display(self._bar["run"], visible=several)
        display(self._key, visible=not self.stacked)
