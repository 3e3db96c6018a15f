"""Curves as plotly figures: pure functions from run logs, and what every figure of curves is built from.

A figure is :func:`line` (of a :class:`Place`) for every line and :func:`framed` around them;
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
    Kept,
    Within,
    abscissa,
    axis_of,
    checked_logs,
    colors_of,
    rows_within,
    run_names,
    signals_of,
)
from reweightviz.figures.theme import SMALL, axis_style, layout_style, tint, title_style, word_style

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
    kept: Kept | None = None,
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
        kept: what a widget keeps from drawing to drawing, so that the cost is that of new steps.

    Raises:
        ReweightvizError: no log, a signal that no log has, an x that is not there.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, {"loss": [[3.0, 2.5], [2.8, 2.2]]})
        >>> [trace.name for trace in loss_figure(log).data if trace.visible]
        ['web', 'code']
    """
    logs, kept = checked_logs(logs), kept or Kept()
    signal = _checked_signal(logs, signal, kept)
    if smooth < 0:
        raise InvalidValue(
            name="smooth", value=smooth, expected="the span of a moving average, 0 or more"
        )
    axis, paint, runs, traces = axis_of(logs, x, kept), colors_of(logs, colors), run_names(logs), []
    sparse, unit = signal == "held_out_loss", SIGNALS[signal].unit if signal else ""
    for r, log in enumerate(logs):
        for role, span in (("raw", 0), ("smooth", smooth)):
            drawn = signal in log.signals and (role == "raw" or smooth > 0)
            between = rows_within(log, axis, within)
            lines = (
                kept.lines((r, signal), log.signals[signal or ""], smooth=span, between=between)
                if drawn
                else None
            )
            for name in _present(paint, log):
                place = Place(r, runs[r], name, role, axis, unit, paint[name])
                points = lines.line(log.domains.index(name), gaps=not sparse) if lines else None
                opacity = 0.2 if smooth and role == "raw" else 1.0
                traces.append(
                    line(
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
    return framed(
        traces,
        axis,
        unit=unit,
        said=[smoothed, reduced(logs)],
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
    kept: Kept | None = None,
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
        kept: what a widget keeps from drawing to drawing.

    Raises:
        ReweightvizError: no log, a run or an x that is not there.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [0.4, 0.6]])
        >>> weight_figure(log).data[1].y.tolist()
        [50.0, 60.0]
    """
    logs, kept = checked_logs(logs), kept or Kept()
    axis, paint, runs = axis_of(logs, x, kept), colors_of(logs, colors), run_names(logs)
    if run is not None and run not in runs:
        raise UnknownName(kind="run", name=run, known=runs)
    traces = []
    for r, log in enumerate(logs):
        drawn = not stacked or runs[r] == (run or runs[0])
        lines = kept.lines((r, "weights"), log.weights, between=rows_within(log, axis, within))
        # Areas add up only where all of them have a point.
        rows = lines.rows() if stacked else None
        for name in _present(paint, log):
            k = log.domains.index(name)
            at, y = lines.line(k) if rows is None else (rows, log.weights[rows, k])
            place = Place(r, runs[r], name, "raw", axis, "%", paint[name])
            trace = line(log, place, (at, 100 * y), visible=drawn and name not in hidden)
            traces.append(_area(trace) if stacked else trace)
    note = "" if any(trace.visible for trace in traces) or hidden else _why_empty(logs, None)
    figure = framed(
        traces,
        axis,
        unit="% of training tokens",
        said=[reduced(logs, extremes=not stacked)],
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


def _checked_signal(logs: Sequence[RunLog], signal: str | None, kept: Kept) -> str | None:
    measured, named = signals_of(logs, kept), {name for log in logs for name in log.signals}
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
    names = listed(run_names(logs), 3)
    if not any(len(log) for log in logs):
        return f"No step is recorded yet in {names}."
    return f"{signal or 'the weights'} was never measured in {names}."


# ---- what figures are built from


def plain(text: str, width: int = 40) -> str:
    """Text as plotly shows it: its little markup language escaped, one line, at most ``width`` characters.

    >>> plain("<b>web</b>")
    '&lt;b&gt;web&lt;/b&gt;'
    """
    line = " ".join(text.split()) or repr(text)
    return html.escape(line if len(line) <= width else line[: width - 1] + "…", quote=False)


def reduced(logs: Sequence[RunLog], *, extremes: bool = True) -> str:
    """That not every point is drawn, in words; nothing where every one is."""
    longest = max(map(len, logs), default=0)
    if longest <= LIMIT:
        return ""
    return (
        f"every extreme of {longest:,} points, drawn as {LIMIT:,}"
        if extremes
        else f"{LIMIT:,} of {longest:,} points"
    )


class Place(NamedTuple):
    """Whose line it is, and against what: run number and name, domain, role (``"raw"``, ``"smooth"``, ...), axis, unit of y, colour."""

    r: int
    run: str
    domain: str
    role: str
    axis: Axis
    unit: str
    color: str


def line(
    log: RunLog,
    place: Place,
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
        x=abscissa(log, place.axis, rows),
        y=np.where(seen, y, np.nan),
        name=plain(place.domain),
        mode=shown,
        fill="none",
        uid=f"r{place.r}{place.role}{log.domains.index(place.domain)}",
        connectgaps=False,
        meta=[place.domain, place.run, place.role, plain(place.run)],
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


def framed(
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
        traces: as :func:`line` gives them.
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
    style = axis_style(nticks=6, exponentformat="B", automargin=True, autorange=True)
    title = title_style(axis.title, standoff=6)
    figure = go.Figure(list(traces))
    figure.update_layout(
        layout_style(
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
                word_style(
                    " · ".join(filter(None, [unit, *said])),
                    x=0,
                    y=1,
                    xanchor="left",
                    yanchor="bottom",
                    yshift=3,
                ),
                word_style(plain(note, 120) if note else "", x=0.5, y=0.5, xanchor="center"),
            ],
        )
    )
    return figure
