"""Curves as plotly figures: pure functions from run logs, and what every figure of curves is built from.

A figure is :func:`draw_line` (of a :class:`LineSpec`) for every line and :func:`frame_lines` around them;
:mod:`reweightviz.figures.runs` says what the logs hold. The traces' ``meta`` is [domain, run,
role, run as plotly text], by which the widgets join them with each other.
"""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnknownName, listed
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import LOG_SIGNALS, SIGNALS
from reweightviz.figures.decimation import LIMIT
from reweightviz.figures.runs import (
    Axis,
    Colors,
    DrawingCache,
    Within,
    check_logs,
    choose_axis,
    color_domains,
    find_rows,
    list_signals,
    name_runs,
    place_rows,
)
from reweightviz.figures.theme import (
    SMALL,
    style_axis,
    style_layout,
    style_title,
    style_words,
    tint,
)

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
"""One a run; they repeat after six."""
STROKES = dict(zip(DASHES, ("none", "7 4", "2 3", "7 3 2 3", "11 4", "11 3 2 3"), strict=True))
"""The same as SVG's stroke-dasharray."""
FAINT = 0.14


def loss_figure(
    logs: RunLog | Sequence[RunLog],
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
    """A signal of every domain over training: colour by domain, dash by run.

    Gaps stay gaps, except for a held-out loss: it is measured now and then, so its points are
    joined. Of a line of more than 2,000 points the extremes are drawn, and the figure says so.

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
        cache: what a widget keeps from drawing to drawing, so that the cost is that of new steps.

    Raises:
        ReweightvizError: no log, a signal that no log has, an x that is not there.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, {"loss": [[3.0, 2.5], [2.8, 2.2]]})
        >>> [trace.name for trace in loss_figure(log).data if trace.visible]
        ['web', 'code']
    """
    logs, cache = check_logs(logs), cache or DrawingCache()
    signal = _checked_signal(logs, signal, cache)
    if smooth < 0:
        raise InvalidValue(
            name="smooth", value=smooth, expected="the span of a moving average, 0 or more"
        )
    axis, paint, runs, traces = (
        choose_axis(logs, x, cache),
        color_domains(logs, colors),
        name_runs(logs),
        [],
    )
    sparse, unit = signal == "held_out_loss", SIGNALS[signal].unit if signal else ""
    for r, log in enumerate(logs):
        for role, span in (("raw", 0), ("smooth", smooth)):
            drawn = signal in log.signals and (role == "raw" or smooth > 0)
            between = find_rows(log, axis, within)
            lines = (
                cache.decimate((r, signal), log.signals[signal or ""], smooth=span, between=between)
                if drawn
                else None
            )
            for name in _present(paint, log):
                place = LineSpec(r, runs[r], name, role, axis, unit, paint[name])
                points = lines.points(log.domains.index(name), gaps=not sparse) if lines else None
                opacity = 0.2 if smooth and role == "raw" else 1.0
                traces.append(
                    draw_line(
                        log,
                        place,
                        points,
                        markers=sparse,
                        visible=name not in hidden,
                        opacity=opacity,
                    )
                )
    note = "" if any(trace.visible for trace in traces) or hidden else _why_empty(logs, signal)
    smoothed = f"EMA of {smooth} points over raw" if smooth else ""
    return frame_lines(
        traces,
        axis,
        unit=unit,
        said=[smoothed, describe_decimation(logs)],
        height=height,
        focus=focus,
        note=note,
    )


def weight_figure(
    logs: RunLog | Sequence[RunLog],
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
    """The weight of every domain over training, in percent of training tokens.

    Args:
        logs: one run or several.
        stacked: areas that add up to 100 %, of one run; lines of all runs otherwise.
        run: which run is stacked; the first when not given.
        x: ``"step"``; ``"tokens"`` or ``"time"`` since the start, where every log knows them.
        colors: domain to CSS colour, or one a domain in order of first appearance.
        hidden: domains that are not drawn.
        focus: the domain that stands out.
        height: pixels.
        within: from where to where on x lines are drawn in more detail.
        cache: what a widget keeps from drawing to drawing.

    Raises:
        ReweightvizError: no log, a run or an x that is not there.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [0.4, 0.6]])
        >>> weight_figure(log).data[1].y.tolist()
        [50.0, 60.0]
    """
    logs, cache = check_logs(logs), cache or DrawingCache()
    axis, paint, runs = choose_axis(logs, x, cache), color_domains(logs, colors), name_runs(logs)
    if run is not None and run not in runs:
        raise UnknownName(kind="run", name=run, known=runs)
    traces = []
    for r, log in enumerate(logs):
        drawn = not stacked or runs[r] == (run or runs[0])
        lines = cache.decimate((r, "weights"), log.weights, between=find_rows(log, axis, within))
        # Areas add up only where all of them have a point.
        rows = lines.shared_rows() if stacked else None
        for name in _present(paint, log):
            k = log.domains.index(name)
            at, y = lines.points(k) if rows is None else (rows, log.weights[rows, k])
            place = LineSpec(r, runs[r], name, "raw", axis, "%", paint[name])
            trace = draw_line(log, place, (at, 100 * y), visible=drawn and name not in hidden)
            traces.append(_area(trace) if stacked else trace)
    note = "" if any(trace.visible for trace in traces) or hidden else _why_empty(logs, None)
    figure = frame_lines(
        traces,
        axis,
        unit="% of training tokens",
        said=[describe_decimation(logs, extremes=not stacked)],
        height=height,
        focus=focus,
        note=note,
    )
    figure.update_yaxes(
        range=[0, 100] if stacked else None,
        autorange=not stacked,
        rangemode="tozero",
        ticksuffix="%",
    )
    figure.update_layout(
        meta={"stacked": stacked, "unit": "%"}, hoverdistance=-1 if stacked else 20
    )
    return figure


def _present(paint: Mapping[str, str], log: RunLog) -> list[str]:
    return [name for name in paint if name in log.domains]


def _checked_signal(logs: Sequence[RunLog], signal: str | None, cache: DrawingCache) -> str | None:
    measured, named = list_signals(logs, cache), {name for log in logs for name in log.signals}
    if signal is None:
        if not measured and not named and any(len(log) for log in logs):
            raise ReweightvizError(
                f"these logs have no signal to draw; a log may hold {listed(LOG_SIGNALS)}."
            )
        return measured[0] if measured else next(iter(sorted(named)), None)
    if signal not in named and (measured or named or signal not in LOG_SIGNALS):
        raise UnknownName(kind="signal", name=signal, known=measured or named or LOG_SIGNALS)
    return signal


def _why_empty(logs: Sequence[RunLog], signal: str | None) -> str:
    names = listed(name_runs(logs), 3)
    if not any(len(log) for log in logs):
        return f"No step is recorded yet in {names}."
    return f"{signal or 'the weights'} was never measured in {names}."


# ---- what figures are built from


def escape_plotly(text: str, width: int = 40) -> str:
    """Text as plotly shows it: its little markup language escaped, one line, at most ``width`` characters.

    >>> escape_plotly("<b>web</b>")
    '&lt;b&gt;web&lt;/b&gt;'
    """
    line = " ".join(text.split()) or repr(text)
    return html.escape(line if len(line) <= width else line[: width - 1] + "…", quote=False)


def describe_decimation(logs: Sequence[RunLog], *, extremes: bool = True) -> str:
    """That not every point is drawn, in words; nothing where every one is."""
    longest = max(map(len, logs), default=0)
    if longest <= LIMIT:
        return ""
    return (
        f"every extreme of {longest:,} points, drawn as {LIMIT:,}"
        if extremes
        else f"{LIMIT:,} of {longest:,} points"
    )


class LineSpec(NamedTuple):
    """Whose line it is, and against what: run number and name, domain, role (``"raw"``, ``"smooth"``, ...), axis, unit of y, colour."""

    r: int
    run: str
    domain: str
    role: str
    axis: Axis
    unit: str
    color: str


def draw_line(
    log: RunLog,
    place: LineSpec,
    points: tuple[NDArray[np.int64], NDArray[np.float64]] | None,
    *,
    markers: bool = False,
    visible: bool = True,
    opacity: float = 1.0,
) -> go.Scatter:
    """One line: rows (P,) of the log and the values (P,) there, as :meth:`reweightviz.figures.runs.Lines.line` gives them.

    Without a number it is there but not visible, so that the traces of a figure keep their places.
    """
    rows, y = points or (np.empty(0, np.int64), np.empty(0))
    seen = np.isfinite(y)
    # A measured point between two gaps has no line to stand on: it gets a dot.
    lone = seen & ~np.append(seen[1:], False) & ~np.insert(seen[:-1], 0, False) if len(y) else seen
    shown = "lines+markers" if markers or lone.any() else "lines"
    at = "%{x:.3~f}" if place.axis.kind == "time" else "%{x:,}"
    what = f"<b>%{{fullData.name}}</b> · %{{meta[3]}}<br>{place.axis.title} {at} · %{{y:.4~f}} {place.unit}"
    return go.Scatter(
        x=place_rows(log, place.axis, rows),
        y=np.where(seen, y, np.nan),
        name=escape_plotly(place.domain),
        mode=shown,
        fill="none",
        uid=f"r{place.r}{place.role}{log.domains.index(place.domain)}",
        connectgaps=False,
        meta=[place.domain, place.run, place.role, escape_plotly(place.run)],
        visible=visible and bool(seen.any()),
        opacity=opacity,
        line={"color": place.color, "width": 1.6, "dash": DASHES[place.r % len(DASHES)]},
        marker={
            "color": place.color,
            "size": 5 if markers else np.where(lone, 5, 0) if lone.any() else 0,
        },
        legendgroup=place.domain,
        showlegend=place.r == 0 and place.role == "raw",
        hovertemplate=what + "<extra></extra>",
    )


def _area(trace: go.Scatter) -> go.Scatter:
    return trace.update(
        stackgroup="weights",
        fill="tonexty",
        fillcolor=tint(trace.line.color, 0.62),
        line={"width": 0.6, "dash": "solid"},
        hoverinfo="none",
        hovertemplate=None,
    )


def frame_lines(
    traces: Sequence[go.Scatter],
    axis: Axis,
    *,
    unit: str,
    said: Sequence[str] = (),
    height: int = 300,
    focus: str | None = None,
    note: str = "",
) -> go.Figure:
    """Lines with their axes.

    Args:
        traces: as :func:`draw_line` gives them.
        axis: what stands on x.
        unit: of y; stands at the upper left.
        said: what else a reader must know (smoothing, decimation), behind the unit.
        height: pixels.
        focus: the domain that stands out.
        note: stands in the middle where there is nothing to see.
    """
    for trace in traces:
        if focus is not None and trace.meta[0] != focus:
            trace.update(opacity=FAINT * trace.opacity)
    style = style_axis(nticks=6, exponentformat="B", automargin=True, autorange=True)
    title = style_title(axis.title, standoff=6)
    figure = go.Figure(list(traces))
    figure.update_layout(
        style_layout(
            height,
            left=44,
            right=4,
            top=22,
            bottom=40,
            margin={"pad": 4},
            autosize=True,
            meta={"stacked": False, "unit": unit},
            hovermode="closest",
            hoverdistance=20,
            dragmode="zoom",
            legend={"groupclick": "togglegroup", "itemdoubleclick": "toggleothers", "font": SMALL},
            xaxis=style | {"showgrid": False, "title": title},
            yaxis=style,
            annotations=[
                style_words(
                    " · ".join(filter(None, [unit, *said])),
                    x=0,
                    y=1,
                    xanchor="left",
                    yanchor="bottom",
                    yshift=3,
                ),
                style_words(
                    escape_plotly(note, 120) if note else "", x=0.5, y=0.5, xanchor="center"
                ),
            ],
        )
    )
    return figure
