"""Views of runs in small panels: a domain or a scalar each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import plotly.graph_objects as go
import traitlets as t

from reweightviz.figures.compare_runs import compare_figure, list_comparable
from reweightviz.figures.palette import choose_colors
from reweightviz.figures.scalars import scalars_figure
from reweightviz.widgets.curves.curve_widget import Options, draw_sample
from reweightviz.widgets.curves.run_view import RunView, offer_signals, offer_spans

__all__ = ["PanelView", "RunsByDomain", "Scalars"]


_PANEL = 180  # pixels of width that a panel needs


class PanelView(RunView):
    """Panels, as many in a row as there is room for; they keep the height that they begin with.

    The names of the domains stand over the panels.
    """

    _most: ClassVar = 4
    _fixed_height: int | None = None

    def __init__(self, logs: Any, **options: Any) -> None:
        super().__init__(logs, **options)
        self._labels.layout.display = "none"
        has_steps = any(map(len, self._logs))
        self._fix_height(int(self._chart.layout.height) if has_steps else self._height)
        self._chart.layout.height = self._fixed_height
        self._across = self._fitting
        self._labels.observe(self._fit, "room")

    @property
    def _fitting(self) -> int:
        """Panels in a row."""
        room = self._labels.room
        if not room:
            return self._most
        return max(min(self._most, room // _PANEL), 1)

    def _fit(self, _: t.Bunch) -> None:
        """Arrange the panels for another width of the page."""
        with self._lock:
            if self._across != self._fitting and any(map(len, self._logs)):
                self._across = self._fitting
                self._fixed_height = None
                self._fix_height(int(self.figure.layout.height))
                self._redraw()

    def _fix_height(self, height: int) -> None:
        self._fixed_height = height
        self._labels.height = height


class RunsByDomain(PanelView):
    """Several runs, a panel a domain."""

    _controls: ClassVar = ("signal", "smooth", "x")

    def __init__(self, logs: Any, **options: Any) -> None:
        super().__init__(logs, **options)
        self._bar["smooth"].value = 10

    def _draw_unmarked(self) -> go.Figure:
        return compare_figure(
            self._logs,
            signal=self._bar["signal"].value or "loss",
            smooth=self._bar["smooth"].value or 0,
            across=self._fitting,
            **self._share_options() | {"height": self._fixed_height},
        )

    def _list_options(self) -> Options:
        return {
            "signal": offer_signals(list_comparable(self._logs, self._cache)),
            "smooth": offer_spans(),
            "x": self._list_axes(),
        }


class Scalars(PanelView):
    """The effective number of domains, and every scalar; no domain is in focus here."""

    _controls: ClassVar = ("smooth", "x")
    _most: ClassVar = 3

    def __init__(self, logs: Any, **options: Any) -> None:
        super().__init__(logs, **options)
        self._bar["smooth"].value = 20

    def _draw_unmarked(self) -> go.Figure:
        shared = self._share_options()
        return scalars_figure(
            self._logs,
            smooth=self._bar["smooth"].value or 0,
            across=self._fitting,
            height=self._fixed_height,
            **{name: shared[name] for name in ("x", "within", "cache")},
        )

    def _list_options(self) -> Options:
        return {"smooth": offer_spans(), "x": self._list_axes()}

    def _name_lines(self) -> None:
        super()._name_lines()
        self._labels.domains = []
        self._labels.colors = []

    def _draw_key(self, names: Sequence[str]) -> str:
        """Return which run has which colour: here a line is a run's, not a domain's."""
        if len(names) < 2:
            return ""
        colors = choose_colors(len(names))
        return "".join(map(draw_sample, names, ["solid"] * len(names), colors))

    @t.validate("hidden")
    def _validate_hidden(self, proposal: t.Bunch) -> list[str]:
        hidden: list[str] = proposal["value"]
        return hidden

    @t.validate("focus")
    def _validate_focus(self, proposal: t.Bunch) -> str | None:
        focus: str | None = proposal["value"]
        return focus
