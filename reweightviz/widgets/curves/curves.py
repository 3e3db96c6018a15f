"""Curves of training runs: losses and weights by domain, joined with the other widgets of the page."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from reweightviz.figures import curves as figures
from reweightviz.figures import runs
from reweightviz.widgets.curves.curve_widget import Curves, Runs, count, read

_SPANS = (5, 10, 20, 50, 100)


class LossCurves(Curves):
    """One line a domain, in the map's colours; the runs differ by dash.

    Click a line or a name to bring its domain to the front in every widget with the same ``link``;
    click the square before a name to hide it, shift-click to see it alone. Zoom into a long line
    to see all of its points. The curves of a FollowedRun follow its run until it ends: :meth:`pause` and
    :meth:`resume`, or a click on the line that says how it stands.

    Args:
        logs: one RunLog or FollowedRun, or several (T steps, K domains each); domains are matched by name.
        signal: what to draw first: ``"loss"``, ``"held_out_loss"``, ``"excess_loss"`` ...; the
            first that there is.
        link: widgets with the same link move together; a link of its own when not given.
        colors: domain to CSS colour, or one a domain; the map's when not given.
        height: of the plot, in pixels.
        smooth: span of the moving average to begin with, in measured points; 0 is raw. The raw
            line stays, faint.

    Raises:
        ReweightvizError: no log, or a signal that none of them has.

    Example:
        >>> from reweightviz.core.runlog import RunLog
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, {"loss": [[3.0, 2.5], [2.8, 2.2]]}, "doremi")
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
        # The figure says what is wrong before any widget is made.
        figures.loss_figure(read(logs), signal=signal, smooth=smooth, colors=colors)
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
        return figures.loss_figure(
            self._logs, signal=self.signal, smooth=self.smooth or 0, **self._shared()
        )

    def __repr__(self) -> str:
        return f"LossCurves({count(self._logs, 'run')}, {count(self.domains, 'domain')}, signal {self.signal!r})"

    def _options(self) -> dict[str, list[tuple[str, Any]]]:
        asked, span = self._first
        signals = runs.list_signals(self._logs, self._cache)
        signals += [asked] if asked and asked not in signals else []
        spans = sorted({*_SPANS, *([span] if span else [])})
        return {
            "signal": [(name.replace("_", " "), name) for name in signals] or [("no signal", None)],
            "smooth": [("raw", 0), *((f"EMA of {each} points", each) for each in spans)],
            "x": self._x_options(),
        }


class WeightTrajectories(Curves):
    """The weight of every domain over training, as lines of all runs or as the stacked area of one.

    Args:
        logs: one RunLog or FollowedRun, or several (T steps, K domains each); a weight is a share of
            training tokens.
        stacked: begin with the stacked area.
        link: widgets with the same link move together; a link of its own when not given.
        colors: domain to CSS colour, or one a domain; the map's when not given.
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
        figures.weight_figure(read(logs), colors=colors)
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
        return figures.weight_figure(
            self._logs, stacked=self.stacked, run=self.run, **self._shared()
        )

    def __repr__(self) -> str:
        form = "stacked" if self.stacked else "lines"
        return f"WeightTrajectories({count(self._logs, 'run')}, {count(self.domains, 'domain')}, {form})"

    def _options(self) -> dict[str, list[tuple[str, Any]]]:
        names = runs.name_runs(self._logs)
        return {
            "form": [("lines", False), ("stacked", True)],
            "run": [(name, name) for name in names],
            "x": self._x_options(),
        }

    def _offer(self) -> None:
        super()._offer()
        self._show_run()

    def _show_run(self, _: Any = None) -> None:
        several = self.stacked and len(self._logs) > 1
        self._bar["run"].layout.display = None if several else "none"
        self._key.layout.display = "none" if self.stacked else None
