"""The excess of a run's loss over that of a reference run, and its figure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import plotly.graph_objects as go

from reweightviz.core.errors import MissingSignal
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import SIGNALS, Array
from reweightviz.figures.axes import Axis, Within, list_axes, place_rows
from reweightviz.figures.curves import loss_figure
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.run_cache import RunCache
from reweightviz.figures.runs import Colors, Logs, check_logs
from reweightviz.figures.theme import MUTED

__all__ = ["compute_excess", "excess_figure"]


def compute_excess(
    log: RunLog,
    reference: RunLog,
    signal: str,
    *,
    by: str = "step",
    cache: RunCache | None = None,
    r: int = 0,
) -> Array:
    """Return a signal less that of a reference run (T, K).

    The reference is interpolated between its points; outside of them the excess is NaN.

    Args:
        log: a run.
        reference: what it is compared with; domains are matched by name.
        signal: that both have.
        by: ``"step"`` or ``"tokens"``, which are equal at the points that are compared.
        cache: of a widget, from drawing to drawing.
        r: number of the run in the cache.

    Example:
        >>> old = RunLog(("web",), [0, 100], [[1.0]] * 2, {"loss": [[4.0], [3.0]]})
        >>> new = RunLog(("web",), [50, 200], [[1.0]] * 2, {"loss": [[3.25], [2.5]]})
        >>> compute_excess(new, old, "loss").ravel().tolist()
        [-0.25, nan]
    """
    axis = Axis(by, by)
    values = reference.signals[signal]
    places = place_rows(reference, axis, slice(None))

    def compute(start: int, _: Array) -> Array:
        at = place_rows(log, axis, slice(start, None))
        baseline = np.full((len(at), len(log.domains)), np.nan)
        for k, name in enumerate(log.domains):
            if name not in reference.domains:
                continue
            column = values[:, reference.domains.index(name)]
            known = np.isfinite(column) & np.isfinite(places)
            if known.any():
                baseline[:, k] = np.interp(at, places[known], column[known], np.nan, np.nan)
        return np.asarray(log.signals[signal][start:] - baseline)

    cache = cache or RunCache()
    return cache.extend((r, "excess", signal, by), len(log), len(log.domains), compute)


def excess_figure(
    logs: Logs,
    reference: RunLog,
    *,
    signal: str = "loss",
    x: str = "step",
    smooth: int = 0,
    colors: Colors = None,
    hidden: Collection[str] = (),
    focus: str | None = None,
    height: int = 300,
    within: Within = None,
    cache: RunCache | None = None,
) -> go.Figure:
    """Draw each domain's loss above that of a reference run; below 0 is better.

    The losses are those at the same step or token. The reference is interpolated between its
    points; outside of them, and where it lacks a domain, there is a gap.

    Args:
        logs: one run or several.
        reference: the run that they are compared with.
        signal: name of the loss.
        x: ``"step"``, ``"tokens"``, ``"time"``; by the time, points of the same tokens are
            compared, or else of the same step.
        smooth: span of the moving average of the difference.
        colors: domain to CSS colour, or one a domain.
        hidden: domains that are not drawn.
        focus: the domain that stands out.
        height: pixels.
        within: from where to where on x lines are drawn in more detail.
        cache: of a widget, from drawing to drawing.

    Example:
        >>> old = RunLog(("web",), [1, 2], [[1.0]] * 2, {"loss": [[3.0], [2.5]]}, "old")
        >>> new = RunLog(("web",), [1, 2], [[1.0]] * 2, {"loss": [[3.0], [2.0]]}, "new")
        >>> excess_figure(new, old).data[0].y.tolist()
        [0.0, -0.5]
    """
    logs = check_logs(logs)
    cache = cache or RunCache()
    if signal not in reference.signals:
        raise MissingSignal(
            signals=signal,
            available=reference.signals,
            who="this view",
            where=f"the reference {reference.name!r} has",
        )
    by = _choose_shared_axis(logs[0], reference, x)
    tables = []
    for r, log in enumerate(logs):
        table = np.full(log.weights.shape, np.nan)
        if signal in log.signals:
            table = compute_excess(log, reference, signal, by=by, cache=cache, r=r)
        # Drawn as a loss: so gaps, smoothing and zoom are those of the loss curves.
        tables.append(_with_signals(log, {"loss": table}))
    figure = loss_figure(
        tables,
        signal="loss",
        x=x,
        smooth=smooth,
        colors=colors,
        hidden=hidden,
        focus=focus,
        height=height,
        within=within,
        cache=cache,
    )
    unit, note = figure.layout.annotations
    old = escape_plotly(reference.name)
    above = f"{SIGNALS[signal].unit} above {old} at the same {by}"
    unit.text = unit.text.replace(SIGNALS["loss"].unit, above, 1)
    if note.text and any(map(len, logs)):
        loss = signal.replace("_", " ")
        note.text = f"No {by} at which both these runs and {old} have a {loss}."
    figure.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    figure.update_layout(meta={"stacked": False, "unit": SIGNALS[signal].unit})
    return figure


def _choose_shared_axis(log: RunLog, reference: RunLog, x: str) -> str:
    """Return the axis on which runs are compared; for the time the tokens where both know them."""
    if x != "time":
        return x
    return "tokens" if "tokens" in list_axes([log, reference]) else "step"


def _with_signals(log: RunLog, signals: Mapping[str, Array]) -> RunLog:
    return RunLog.of_views(
        domains=log.domains,
        steps=log.steps,
        weights=log.weights,
        signals=signals,
        name=log.name,
        meta=log.meta,
        scalars={},
        times=log.times,
        tokens=log.tokens,
    )
