"""Curves as plotly figures: pure functions from run logs."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, listed
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import LOG_SIGNALS, SIGNALS
from reweightviz.widgets.palette import colors as palette
from reweightviz.widgets.palette import rgb

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
"""One a run; they repeat after six."""
FONT = "var(--jp-ui-font-family, system-ui, sans-serif)"
MUTED, RULE = "#808080", "rgba(128,128,128,0.22)"
FAINT = 0.14
_PREFERRED = ("loss", "held_out_loss", "excess_loss", "reference_loss", "drawn_tokens")

Colors = Mapping[str, str] | Sequence[str] | None


def loss_figure(logs: RunLog | Sequence[RunLog], *, signal: str | None = None, x: str = "step",
                smooth: int = 0, colors: Colors = None, hidden: Collection[str] = (),
                focus: str | None = None, height: int = 300) -> go.Figure:
    """A signal of every domain over training: colour by domain, dash by run.

    Gaps stay gaps, except for a held-out loss: it is measured now and then, so its points are joined.

    Args:
        logs: one run or several; domains are matched by name, a line stands where its run has the domain.
        signal: name from :data:`reweightviz.core.types.LOG_SIGNALS`; the first measured one when not given.
        x: ``"step"``, or ``"tokens"`` where every log knows its batch and context.
        smooth: span of an exponential moving average over the measured points; 0 draws them as they are.
        colors: domain to CSS colour, or one a domain in order of first appearance.
        hidden: domains that are not drawn.
        focus: the domain that stands out.
        height: pixels.

    Raises:
        ReweightvizError: no log, a signal that no log has, an x that is not there.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, {"loss": [[3.0, 2.5], [2.8, 2.2]]})
        >>> [trace.name for trace in loss_figure(log).data if trace.visible]
        ['web', 'code']
    """
    logs = checked_logs(logs)
    signal = _checked_signal(logs, signal)
    if smooth < 0:
        raise ReweightvizError(f"smooth is the span of a moving average, 0 or more; got {smooth}.")
    paint, runs, traces = colors_of(logs, colors), run_names(logs), []
    sparse = signal == "held_out_loss"
    for r, log in enumerate(logs):
        absent = np.full((len(log), len(log.domains)), np.nan)
        raw = log.signals.get(signal, absent) if signal else absent
        for role, values in (("raw", raw), ("smooth", ema(raw, smooth) if smooth else absent)):
            for name in _present(paint, log):
                y = values[:, log.domains.index(name)]
                shown = name not in hidden and bool(np.isfinite(y).any())
                place = _Place(r, runs[r], name, role, x, _unit(signal), paint[name])
                opacity = 0.2 if smooth and role == "raw" else 1.0
                traces.append(_line(log, place, y, sparse=sparse, visible=shown, opacity=opacity))
    note = "" if any(trace.visible for trace in traces) or hidden else _why_empty(logs, signal)
    return _figure(traces, _unit(signal), x, height=height, focus=focus, note=note)


def weight_figure(logs: RunLog | Sequence[RunLog], *, stacked: bool = False, run: str | None = None,
                  x: str = "step", colors: Colors = None, hidden: Collection[str] = (),
                  focus: str | None = None, height: int = 300) -> go.Figure:
    """The weight of every domain over training, in percent of training tokens.

    Args:
        logs: one run or several.
        stacked: areas that add up to 100 %, of one run; lines of all runs otherwise.
        run: which run is stacked; the first when not given.
        x: ``"step"`` or ``"tokens"``.
        colors: domain to CSS colour, or one a domain in order of first appearance.
        hidden: domains that are not drawn.
        focus: the domain that stands out.
        height: pixels.

    Raises:
        ReweightvizError: no log, a run or an x that is not there.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [0.4, 0.6]])
        >>> weight_figure(log).data[1].y.tolist()
        [50.0, 60.0]
    """
    logs = checked_logs(logs)
    paint, runs = colors_of(logs, colors), run_names(logs)
    if run is not None and run not in runs:
        raise ReweightvizError(f"no run {run!r} here; there is {listed(runs)}.")
    traces = []
    for r, log in enumerate(logs):
        drawn = not stacked or runs[r] == (run or runs[0])
        for name in _present(paint, log):
            y = 100 * log.weights[:, log.domains.index(name)]
            shown = drawn and name not in hidden and bool(np.isfinite(y).any())
            place = _Place(r, runs[r], name, "raw", x, "%", paint[name])
            trace = _line(log, place, y, sparse=False, visible=shown)
            traces.append(_area(trace) if stacked else trace)
    note = "" if any(trace.visible for trace in traces) or hidden else _why_empty(logs, None)
    figure = _figure(traces, "% of training tokens", x, height=height, focus=focus, note=note)
    figure.update_yaxes(range=[0, 100] if stacked else None, autorange=not stacked, rangemode="tozero", ticksuffix="%")
    figure.update_layout(meta={"stacked": stacked, "unit": "%"}, hoverdistance=-1 if stacked else 20)
    return figure


# ---- what the logs hold


def checked_logs(logs: RunLog | Sequence[RunLog]) -> list[RunLog]:
    """The logs as a list; one sentence where there is none or something else came."""
    given = [logs] if isinstance(logs, RunLog) else list(logs)
    if not given:
        raise ReweightvizError("curves need at least one RunLog; got none.")
    strangers = [type(log).__name__ for log in given if not isinstance(log, RunLog)]
    if strangers:
        raise ReweightvizError(f"curves are drawn from RunLogs, as rv.read_log gives; got {listed(strangers)}.")
    return given


def domains_of(logs: Sequence[RunLog]) -> list[str]:
    """Every domain of the logs, in order of first appearance."""
    return list(dict.fromkeys(name for log in logs for name in log.domains))


def run_names(logs: Sequence[RunLog]) -> list[str]:
    """What the runs are called: a repeated name gets its number."""
    names: list[str] = []
    for log in logs:
        repeats = sum(log.name == before.name for before in logs[: len(names)])
        names.append(f"{log.name} ({repeats + 1})" if repeats else log.name)
    return names


def signals_of(logs: Sequence[RunLog]) -> list[str]:
    """The signals with at least one measured value in one of the logs."""
    return [name for name in _PREFERRED
            if any(name in log.signals and np.isfinite(log.signals[name]).any() for log in logs)]


def tokens_per_step(log: RunLog) -> float | None:
    """Batch times context, as the trainer wrote them; None where it did not."""
    batch, context = log.meta.get("batch"), log.meta.get("context")
    return float(batch) * float(context) if batch and context else None


def colors_of(logs: Sequence[RunLog], colors: Colors = None) -> dict[str, str]:
    """Domain to colour; domains that a given mapping leaves out are grey."""
    names = domains_of(logs)
    if isinstance(colors, Mapping):
        return {name: colors.get(name, MUTED) for name in names}
    chosen = palette(len(names)) if colors is None else list(colors)
    if len(chosen) < len(names):
        raise ReweightvizError(f"colors must name one colour a domain: {len(names)}; got {len(chosen)}.")
    return dict(zip(names, chosen, strict=False))


def ema(values: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """Exponential moving average (T, K), weight 2 / (span + 1), without bias at the start; gaps stay gaps.

    >>> ema(np.array([[1.0], [np.nan], [2.0]]), 3).ravel().round(3).tolist()
    [1.0, nan, 1.667]
    """
    keep, total, mass = 1 - 2 / (span + 1), np.zeros(values.shape[1]), np.zeros(values.shape[1])
    smoothed = np.full(values.shape, np.nan)
    for t, row in enumerate(values):
        seen = np.isfinite(row)
        total[seen] = keep * total[seen] + row[seen]
        mass[seen] = keep * mass[seen] + 1
        smoothed[t, seen] = total[seen] / mass[seen]
    return smoothed


def _present(paint: Mapping[str, str], log: RunLog) -> list[str]:
    return [name for name in paint if name in log.domains]


def _checked_signal(logs: Sequence[RunLog], signal: str | None) -> str | None:
    measured, named = signals_of(logs), {name for log in logs for name in log.signals}
    if signal is None:
        if not measured and not named and any(len(log) for log in logs):
            raise ReweightvizError(f"these logs have no signal to draw; a log may hold {listed(LOG_SIGNALS)}.")
        return measured[0] if measured else next(iter(sorted(named)), None)
    if signal not in named and (measured or named or signal not in LOG_SIGNALS):
        there = listed(measured or sorted(named) or LOG_SIGNALS)
        raise ReweightvizError(f"no log has the signal {signal!r}; there is {there}.")
    return signal


def _unit(signal: str | None) -> str:
    return SIGNALS[signal].unit if signal else ""


def _why_empty(logs: Sequence[RunLog], signal: str | None) -> str:
    names = listed(run_names(logs), 3)
    if not any(len(log) for log in logs):
        return f"No step is recorded yet in {names}."
    return f"{signal or 'the weights'} was never measured in {names}."


# ---- the drawing


def plain(text: str, width: int = 40) -> str:
    """Text as plotly shows it: its little markup language escaped, one line, at most ``width`` characters.

    >>> plain("<b>web</b>")
    '&lt;b&gt;web&lt;/b&gt;'
    """
    line = " ".join(text.split()) or repr(text)
    return html.escape(line if len(line) <= width else line[: width - 1] + "…", quote=False)


class _Place(NamedTuple):
    """Whose line it is, and against what."""

    r: int
    run: str
    domain: str
    role: str
    x: str
    unit: str
    color: str


def _line(log: RunLog, place: _Place, y: NDArray[np.float64], *, sparse: bool, visible: bool,
          opacity: float = 1.0) -> go.Scatter:
    at, seen = _abscissa(log, place), np.isfinite(y)
    # A measured point between two gaps has no line to stand on: it gets a dot.
    lone = seen & ~np.append(seen[1:], False) & ~np.insert(seen[:-1], 0, False)
    if sparse:
        at, y = at[seen], y[seen]
    shown = "lines+markers" if sparse or lone.any() else "lines"
    what = f"<b>%{{fullData.name}}</b> · %{{meta[3]}}<br>{place.x} %{{x:,}} · %{{y:.4~f}} {place.unit}"
    return go.Scatter(
        x=at, y=np.where(np.isfinite(y), y, np.nan), name=plain(place.domain), mode=shown, fill="none",
        uid=f"r{place.r}{place.role}{log.domains.index(place.domain)}", connectgaps=False,
        meta=[place.domain, place.run, place.role, plain(place.run)], visible=visible, opacity=opacity,
        line={"color": place.color, "width": 1.6, "dash": DASHES[place.r % len(DASHES)]},
        marker={"color": place.color, "size": 5 if sparse else np.where(lone, 5, 0) if lone.any() else 0},
        legendgroup=place.domain, showlegend=place.r == 0 and place.role == "raw",
        hovertemplate=what + "<extra></extra>",
    )


def _abscissa(log: RunLog, place: _Place) -> NDArray[np.float64]:
    if place.x == "step":
        return log.steps.astype(np.float64)
    if place.x != "tokens":
        raise ReweightvizError(f"x must be 'step' or 'tokens'; got {place.x!r}.")
    each = tokens_per_step(log)
    if each is None:
        raise ReweightvizError(f"x='tokens' needs 'batch' and 'context' in the meta of every log; "
                               f"{place.run!r} lacks them.")
    return log.steps * each


def _area(trace: go.Scatter) -> go.Scatter:
    red, green, blue = rgb(trace.line.color) if trace.line.color.startswith("#") else (128, 128, 128)
    return trace.update(stackgroup="weights", fill="tonexty", fillcolor=f"rgba({red},{green},{blue},0.62)",
                        line={"width": 0.6, "dash": "solid"}, hoverinfo="none", hovertemplate=None)


def _figure(traces: Sequence[go.Scatter], unit: str, x: str, *, height: int, focus: str | None,
            note: str) -> go.Figure:
    for trace in traces:
        if focus is not None and trace.meta[0] != focus:
            trace.update(opacity=FAINT * trace.opacity)
    axis = {"gridcolor": RULE, "zeroline": False, "showline": False, "ticks": "", "exponentformat": "B",
            "automargin": True, "autorange": True, "tickfont": {"size": 11}, "nticks": 6}
    word = {"xref": "paper", "yref": "paper", "showarrow": False, "font": {"size": 11}}
    figure = go.Figure(list(traces))
    figure.update_layout(
        template="none", height=height, autosize=True, margin={"l": 44, "r": 4, "t": 22, "b": 40, "pad": 4},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 12, "color": MUTED}, meta={"stacked": False, "unit": unit},
        hovermode="closest", hoverdistance=20, dragmode="zoom",
        legend={"groupclick": "togglegroup", "itemdoubleclick": "toggleothers", "font": {"size": 11}},
        xaxis=axis | {"showgrid": False, "title": {"text": x, "font": {"size": 11}, "standoff": 6}}, yaxis=axis,
        annotations=[
            word | {"text": unit, "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom", "yshift": 3},
            word | {"text": plain(note, 120) if note else "", "x": 0.5, "y": 0.5, "xanchor": "center"},
        ],
    )
    return figure
