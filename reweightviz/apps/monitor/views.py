"""The views that a monitor offers of its runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reweightviz.core.protocols import FollowedRun
from reweightviz.core.runlog import RunLog
from reweightviz.widgets.curves.curve_widget import read_logs
from reweightviz.widgets.curves.run_line_views import (
    Epochs,
    Excess,
    Losses,
    Phase,
    Shares,
    Weights,
)
from reweightviz.widgets.curves.run_panel_views import RunsByDomain, Scalars
from reweightviz.widgets.curves.run_view import RunView

__all__ = ["NEEDS", "TITLES", "MakeView", "list_views"]


TITLES = {
    "loss": "Loss",
    "excess": "Excess loss",
    "weights": "Weights",
    "shares": "Realised shares",
    "epochs": "Epochs",
    "phase": "Loss by weight",
    "runs": "Runs by domain",
    "scalars": "Scalars",
}
"""Of every view, in their order."""
NEEDS = {
    "excess": "excess needs reference=",
    "epochs": "epochs needs sources=",
    "runs": "runs needs several logs",
}

MakeView = Callable[[], RunView]


def list_views(
    runs: Sequence[RunLog | FollowedRun],
    *,
    reference: RunLog | None,
    tokens: Mapping[str, float] | None,
    max_epochs: float | None,
    options: Mapping[str, Any],
) -> dict[str, MakeView]:
    """Return the function that makes each view, by name, of those that have something to show.

    Args:
        runs: the runs.
        reference: the run that losses are compared with.
        tokens: domain to tokens available.
        max_epochs: passes over a domain up to which it may be repeated.
        options: of every view: link, colors, height, marks.
    """
    logs = read_logs(runs)
    # A run without a step may still come to have every signal.
    measured = any(log.signals or not len(log) for log in logs)
    weighed = any(log.domains or not len(log) for log in logs)
    views: dict[str, MakeView] = {}
    if measured:
        views["loss"] = lambda: Losses(runs, smooth=10, **options)
    if reference is not None:
        views["excess"] = lambda: Excess(runs, reference, **options)
    if weighed:
        views["weights"] = lambda: Weights(runs, **options)
        views["shares"] = lambda: Shares(runs, **options)
    if tokens is not None:
        views["epochs"] = lambda: Epochs(runs, tokens, max_epochs=max_epochs, **options)
    if measured:
        views["phase"] = lambda: Phase(runs, **options)
    if len(runs) > 1:
        views["runs"] = lambda: RunsByDomain(runs, **options)
    views["scalars"] = lambda: Scalars(runs, **options)
    return views
