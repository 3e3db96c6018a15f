"""Losses and weights over training as plotly figures: pure functions from run logs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import plotly.graph_objects as go

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnknownName, list_names
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import LOG_SIGNALS, SIGNALS
from reweightviz.figures.axes import Within, choose_axis, find_rows
from reweightviz.figures.drawing_cache import DrawingCache
from reweightviz.figures.lines import (
    LineSpec,
    describe_decimation,
    describe_smoothing,
    draw_line,
    explain_empty,
    frame_lines,
)
from reweightviz.figures.runs import (
    Colors,
    Logs,
    check_logs,
    color_domains,
    find_run,
    list_signals,
    name_runs,
)
from reweightviz.figures.theme import tint

__all__ = ["loss_figure", "weight_figure"]


def loss_figure(
    logs: Logs,
    *,
    signal: str | None = None,
    x: str = "step",
    smooth: int = 0,
    colors: Colors = None,
    hidden: Collection[str] = (),
    focus: str | None = None,
    height: int = 300,
    within: Within = None,
    cache: DrawingCache | None = None,
) -> go.Figure:
    """Draw a signal of every domain over training: colour by domain, dash by run.

    Gaps stay gaps, except for a held-out loss: it is measured now and then, so its points are
    joined. Of a line of more than 2,000 points the extremes are drawn, with a remark.

    Args:
        logs: one run or several; domains are matched by name, a line stands where its run has the
            domain.
        signal: name from :data:`reweightviz.core.types.LOG_SIGNALS`; the first measured one when
            not given.
        x: ``"step"``; ``"tokens"`` or ``"time"`` since the start, where every log knows them.
        smooth: span of an exponential moving average over the measured points; 0 draws them as
            they are.
        colors: domain to CSS colour, or one a domain in order of first appearance.
        hidden: domains that are not drawn.
        focus: the domain that stands out.
        height: pixels.
        within: from where to where on x lines are drawn in more detail; elsewhere as far as they
            fit the whole picture.
        cache: of a widget, from drawing to drawing, so that the cost is that of new steps.

    Raises:
        ReweightvizError: no log, a signal that no log has, an x that is not there.

    Example:
        >>> losses = {"loss": [[3.0, 2.5], [2.8, 2.2]]}
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, losses)
        >>> [trace.name for trace in loss_figure(log).data if trace.visible]
        ['web', 'code']
    """
    logs = check_logs(logs)
    cache = cache or DrawingCache()
    signal = _choose_signal(logs, signal, cache)
    if smooth < 0:
        raise InvalidValue(
            name="smooth", value=smooth, expected="the span of a moving average, 0 or more"
        )
    axis = choose_axis(logs, x, cache)
    paint = color_domains(logs, colors)
    sparse = signal == "held_out_loss"
    unit = SIGNALS[signal].unit if signal else ""
    traces = []
    for r, (run, log) in enumerate(zip(name_runs(logs), logs, strict=True)):
        between = find_rows(log, axis, within)
        for role, span in (("raw", 0), ("smooth", smooth)):
            lines = None
            if signal is not None and signal in log.signals and (role == "raw" or smooth > 0):
                lines = cache.decimate(
                    (r, signal), log.signals[signal], smooth=span, between=between
                )
            # Under a smoothed line the raw one is faint.
            opacity = 0.2 if role == "raw" and smooth > 0 else 1.0
            for name in _list_present(paint, log):
                points = None
                if lines is not None:
                    points = lines.points(log.domains.index(name), gaps=not sparse)
                trace = draw_line(
                    log,
                    LineSpec(r, run, name, role, axis, unit, paint[name]),
                    points,
                    markers=sparse,
                    visible=name not in hidden,
                    opacity=opacity,
                )
                traces.append(trace)
    return frame_lines(
        traces,
        axis,
        unit=unit,
        remarks=[describe_smoothing(smooth, over_raw=True), describe_decimation(logs)],
        height=height,
        focus=focus,
        note=explain_empty(traces, logs, signal or "the weights", hidden),
    )


def weight_figure(
    logs: Logs,
    *,
    stacked: bool = False,
    run: str | None = None,
    x: str = "step",
    colors: Colors = None,
    hidden: Collection[str] = (),
    focus: str | None = None,
    height: int = 300,
    within: Within = None,
    cache: DrawingCache | None = None,
) -> go.Figure:
    """Draw the weight of every domain over training, in percent of training tokens.

    Args:
        logs: one run or several.
        stacked: areas that add up to 100 %, of one run; lines of all runs otherwise.
        run: the one that is stacked; the first when not given.
        x: ``"step"``; ``"tokens"`` or ``"time"`` since the start, where every log knows them.
        colors: domain to CSS colour, or one a domain in order of first appearance.
        hidden: domains that are not drawn.
        focus: the domain that stands out.
        height: pixels.
        within: from where to where on x lines are drawn in more detail.
        cache: of a widget, from drawing to drawing.

    Raises:
        ReweightvizError: no log, a run or an x that is not there.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [0.4, 0.6]])
        >>> weight_figure(log).data[1].y.tolist()
        [50.0, 60.0]
    """
    logs = check_logs(logs)
    cache = cache or DrawingCache()
    axis = choose_axis(logs, x, cache)
    paint = color_domains(logs, colors)
    chosen = find_run(logs, run)
    traces = []
    for r, (name_of_run, log) in enumerate(zip(name_runs(logs), logs, strict=True)):
        drawn = r == chosen or not stacked
        lines = cache.decimate((r, "weights"), log.weights, between=find_rows(log, axis, within))
        # Areas add up only where all of them have a point.
        rows = lines.shared_rows() if stacked else None
        for name in _list_present(paint, log):
            k = log.domains.index(name)
            at, y = lines.points(k) if rows is None else (rows, log.weights[rows, k])
            spec = LineSpec(r, name_of_run, name, "raw", axis, "%", paint[name])
            trace = draw_line(log, spec, (at, 100 * y), visible=drawn and name not in hidden)
            traces.append(_fill_area(trace) if stacked else trace)
    figure = frame_lines(
        traces,
        axis,
        unit="% of training tokens",
        remarks=[describe_decimation(logs, extremes=not stacked)],
        height=height,
        focus=focus,
        note=explain_empty(traces, logs, "the weights", hidden),
    )
    if stacked:
        figure.update_yaxes(range=[0, 100])
        # Anywhere within an area counts as on it.
        figure.update_layout(hoverdistance=-1)
    figure.update_yaxes(autorange=not stacked, rangemode="tozero", ticksuffix="%")
    return figure.update_layout(meta={"stacked": stacked, "unit": "%"})


def _list_present(paint: Mapping[str, str], log: RunLog) -> list[str]:
    return [name for name in paint if name in log.domains]


def _choose_signal(logs: Sequence[RunLog], signal: str | None, cache: DrawingCache) -> str | None:
    """Return the signal to draw; of runs without a measured one, that which they are to have."""
    measured = list_signals(logs, cache)
    named = sorted({name for log in logs for name in log.signals})
    if signal is None:
        if measured:
            return measured[0]
        if not named and any(map(len, logs)):
            raise ReweightvizError(
                f"these logs have no signal to draw; a log may hold {list_names(LOG_SIGNALS)}."
            )
        return named[0] if named else None
    # Before the first step nothing is named yet, so any signal may still come.
    may_come = not measured and not named and signal in LOG_SIGNALS
    if signal not in named and not may_come:
        raise UnknownName(kind="signal", name=signal, known=measured or named or LOG_SIGNALS)
    return signal


def _fill_area(trace: go.Scatter) -> go.Scatter:
    return trace.update(
        stackgroup="weights",
        fill="tonexty",
        fillcolor=tint(trace.line.color, 0.62),
        line={"width": 0.6, "dash": "solid"},
        hoverinfo="none",
        hovertemplate=None,
    )
