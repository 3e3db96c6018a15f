"""Views of runs with a line a domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import plotly.graph_objects as go

from reweightviz.core.runlog import RunLog
from reweightviz.figures.epochs import epochs_figure
from reweightviz.figures.excess import excess_figure
from reweightviz.figures.phase import phase_figure
from reweightviz.figures.runs import list_signals
from reweightviz.figures.shares import shares_figure
from reweightviz.widgets.curves.curve_widget import Options
from reweightviz.widgets.curves.curves import LossCurves, WeightTrajectories
from reweightviz.widgets.curves.run_view import RunView, offer_signals, offer_spans

__all__ = ["Epochs", "Excess", "Losses", "OneRunView", "Phase", "Shares", "Weights"]


class Losses(RunView, LossCurves):
    """Loss curves with marks."""


class Weights(RunView, WeightTrajectories):
    """Weights with marks."""


class Excess(RunView):
    """The loss above that of a reference run."""

    _controls: ClassVar = ("signal", "smooth", "x")

    def __init__(self, logs: Any, reference: RunLog, **options: Any) -> None:
        self._reference = reference
        super().__init__(logs, **options)
        self._bar["smooth"].value = 10

    def _draw_unmarked(self) -> go.Figure:
        return excess_figure(
            self._logs,
            self._reference,
            signal=self._bar["signal"].value,
            smooth=self._bar["smooth"].value or 0,
            **self._share_options(),
        )

    def _list_options(self) -> Options:
        losses = [name for name in list_signals([self._reference]) if name.endswith("loss")]
        signals = losses or list(self._reference.signals)
        return {
            "signal": offer_signals(signals),
            "smooth": offer_spans(),
            "x": self._list_axes(),
        }


class OneRunView(RunView):
    """Of several runs the one that the control names."""

    def _draw_key(self, names: Sequence[str]) -> str:  # noqa: ARG002  the control names the run
        return ""


class Shares(OneRunView):
    """Realised against planned shares."""

    _controls: ClassVar = ("window", "run", "x")

    def _draw_unmarked(self) -> go.Figure:
        return shares_figure(
            self._logs,
            run=self._bar["run"].value,
            window=self._bar["window"].value or 0,
            **self._share_options(),
        )

    def _list_options(self) -> Options:
        windows = [(f"last {each} records", each) for each in (5, 20, 100, 500)]
        return {
            "window": [("whole run", 0), *windows],
            "run": self._list_runs(),
            "x": self._list_axes(),
        }


class Epochs(OneRunView):
    """Epochs consumed, and when a domain is used up."""

    _controls: ClassVar = ("run", "window", "x")

    def __init__(
        self,
        logs: Any,
        tokens: Mapping[str, float],
        *,
        max_epochs: float | None = None,
        **options: Any,
    ) -> None:
        self._tokens = tokens
        self._max_epochs = max_epochs
        super().__init__(logs, **options)

    def _draw_unmarked(self) -> go.Figure:
        return epochs_figure(
            self._logs,
            self._tokens,
            run=self._bar["run"].value,
            max_epochs=self._max_epochs,
            window=self._bar["window"].value or 50,
            **self._share_options(),
        )

    def _list_options(self) -> Options:
        rates = [(f"rate of the last {each} records", each) for each in (50, 10, 500)]
        return {"run": self._list_runs(), "window": rates, "x": self._list_axes()}


class Phase(OneRunView):
    """Loss against weight; the names of the domains stand in the picture."""

    _controls: ClassVar = ("signal", "smooth", "run")

    def __init__(self, logs: Any, **options: Any) -> None:
        super().__init__(logs, **options)
        self._labels.layout.display = "none"
        self._bar["smooth"].value = 20

    def _draw_unmarked(self) -> go.Figure:
        return phase_figure(
            self._logs,
            signal=self._bar["signal"].value or "loss",
            smooth=self._bar["smooth"].value or 0,
            run=self._bar["run"].value,
            colors=self._colors,
            hidden=self.hidden,
            focus=self.focus,
            height=self._height,
            cache=self._cache,
        )

    def _list_options(self) -> Options:
        return {
            "signal": offer_signals(list_signals(self._logs, self._cache)),
            "smooth": offer_spans(),
            "run": self._list_runs(),
        }
