"""Views of runs as plotly figures, a line a domain: excess over a reference, realised shares, epochs consumed, loss against weight.

Pure functions as those of :mod:`reweightviz.figures.curves`; what a reader must know of a picture
stands in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from reweightviz.core.errors import MissingSignal, UnknownName
from reweightviz.core.runlog import RunLog
from reweightviz.core.token_counts import format_count
from reweightviz.core.types import SIGNALS, Array
from reweightviz.figures.curves import (
    LineSpec,
    describe_decimation,
    draw_line,
    escape_plotly,
    frame_lines,
    loss_figure,
)
from reweightviz.figures.run_amounts import (
    RunCache,
    choose_shared_axis,
    compute_excess,
    compute_shares,
    count_drawn,
    look_up_tokens,
    project_exhaustion,
)
from reweightviz.figures.runs import (
    Axis,
    Colors,
    Within,
    check_logs,
    choose_axis,
    color_domains,
    find_rows,
    name_runs,
    place_rows,
)
from reweightviz.figures.theme import MUTED, SMALL

Logs = RunLog | Sequence[RunLog]
REACH = 2.5
"""How many times further than the run the picture of its epochs may look ahead."""
_MOST = 3  # domains named in a sentence
_EDGE = 8  # percent: a name left of a smaller weight would stand on the axis


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
    """What each domain's loss is above that of a reference run at the same step or token; below 0 is better.

    The reference is interpolated between its points; outside of them, and where it lacks a domain,
    there is a gap.

    Args:
        logs: one run or several.
        reference: what they are compared with.
        signal: which loss.
        x: ``"step"``, ``"tokens"``, ``"time"``; by the time, points of the same tokens are
            compared, or else of the same step.
        smooth: span of the moving average of the difference.
        colors: domain to CSS colour, or one a domain.
        hidden: domains that are not drawn.
        focus: the domain that stands out.
        height: pixels.
        within: from where to where on x lines are drawn in more detail.
        cache: what a widget keeps from drawing to drawing.

    Example:
        >>> old, new = (RunLog(("web",), [1, 2], [[1.0]] * 2, {"loss": [[3.0], [end]]}, name) for name, end in (("old", 2.5), ("new", 2.0)))
        >>> excess_figure(new, old).data[0].y.tolist()
        [0.0, -0.5]
    """
    logs, cache = check_logs(logs), cache or RunCache()
    if signal not in reference.signals:
        raise MissingSignal(
            signals=signal,
            available=reference.signals,
            who="this view",
            where=f"the reference {reference.name!r} has",
        )
    by, tables = choose_shared_axis(logs[0], reference, x), []
    for r, log in enumerate(logs):
        table = (
            compute_excess(log, reference, signal, by=by, cache=cache, r=r)
            if signal in log.signals
            else np.full(log.weights.shape, np.nan)
        )
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
    above = f"{SIGNALS[signal].unit} above {escape_plotly(reference.name)} at the same {by}"
    unit.text = unit.text.replace(SIGNALS["loss"].unit, above, 1)
    if note.text and any(map(len, logs)):
        note.text = f"No {by} at which both these runs and {escape_plotly(reference.name)} have a {signal.replace('_', ' ')}."
    figure.add_hline(y=0, line={"color": MUTED, "width": 1, "dash": "dot"})
    figure.update_layout(meta={"stacked": False, "unit": SIGNALS[signal].unit})
    return figure


def shares_figure(
    logs: Logs,
    *,
    run: str | None = None,
    window: int = 0,
    x: str = "step",
    colors: Colors = None,
    hidden: Collection[str] = (),
    focus: str | None = None,
    height: int = 300,
    within: Within = None,
    cache: RunCache | None = None,
) -> go.Figure:
    """What was really drawn of each domain, against what the weights planned for the same tokens.

    Args:
        logs: one run or several, of which one is drawn.
        run: which; the first when not given.
        window: records that are taken together, up to each; 0 is the whole run up to each.
        x: ``"step"``, ``"tokens"``, ``"time"``.
        colors: domain to CSS colour, or one a domain.
        hidden: domains that are not drawn.
        focus: the domain that stands out.
        height: pixels.
        within: from where to where on x lines are drawn in more detail.
        cache: what a widget keeps from drawing to drawing.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [0.9, 0.1]], {"drawn_tokens": [[60, 40], [80, 20]]})
        >>> [(trace.meta[2], trace.y.tolist()) for trace in shares_figure(log).data[:2]]
        [('realised', [60.0, 70.0]), ('planned', [50.0, 70.0])]
    """
    logs, cache = check_logs(logs), cache or RunCache()
    axis, traces, apart = choose_axis(logs, x, cache), [], ""
    for r, log, name, color, chosen in _iterate_lines(logs, colors, run):
        k = log.domains.index(name)
        measured = chosen and "drawn_tokens" in log.signals
        tables = compute_shares(log, window=window, cache=cache, r=r) if measured else (None, None)
        for role, table in zip(("realised", "planned"), tables, strict=True):
            points = None
            if table is not None:
                rows, y = cache.decimate(
                    (r, role, window), table, between=find_rows(log, axis, within)
                ).points(k)
                points = rows, 100 * y
            place = LineSpec(r, name_runs(logs)[r], name, role, axis, f"% {role}", color)
            trace = draw_line(log, place, points, visible=name not in hidden)
            traces.append(
                _style_line(
                    trace,
                    dash="dot" if role == "planned" else "solid",
                    width=1.2 if role == "planned" else 1.8,
                )
            )
        if measured and not apart:
            apart = _describe_gap(log, *tables)
    chosen_log = logs[_find_run(logs, run)]
    note = (
        ""
        if any(trace.visible for trace in traces) or hidden
        else _explain_nothing(
            chosen_log, "drawn_tokens was never measured: nothing says what was really drawn"
        )
    )
    over = f"of the last {window} records" if window else "of the whole run up to there"
    figure = frame_lines(
        traces,
        axis,
        unit="% of the tokens",
        said=[f"{over}, dotted as planned", apart, describe_decimation([chosen_log])],
        height=height,
        focus=focus,
        note=note,
    )
    figure.update_yaxes(rangemode="tozero", ticksuffix="%")
    return figure.update_layout(meta={"stacked": False, "unit": "%"})


def epochs_figure(
    logs: Logs,
    tokens: Mapping[str, float],
    *,
    run: str | None = None,
    max_epochs: float | None = None,
    window: int = 50,
    x: str = "step",
    colors: Colors = None,
    hidden: Collection[str] = (),
    focus: str | None = None,
    height: int = 300,
    within: Within = None,
    cache: RunCache | None = None,
) -> go.Figure:
    """Passes over each domain so far, and dotted where they go at the rate of the last records.

    Args:
        logs: one run or several, of which one is drawn.
        tokens: domain to tokens available.
        run: which run; the first when not given.
        max_epochs: passes up to which a domain may be repeated; 1 when not given. It is a line,
            and a cross stands where a domain meets it, as far as that is within 2.5 times the run
            so far.
        window: records whose rate is taken.
        x: ``"step"``, ``"tokens"``, ``"time"``.
        colors: domain to CSS colour, or one a domain.
        hidden: domains that are not drawn.
        focus: the domain that stands out.
        height: pixels.
        within: from where to where on x lines are drawn in more detail.
        cache: what a widget keeps from drawing to drawing.

    Example:
        >>> log = RunLog(("web",), [10, 20], [[1.0]] * 2, {"drawn_tokens": [[300.0], [300.0]]})
        >>> epochs_figure(log, {"web": 1000.0}).layout.annotations[0].text.partition("rate: ")[2]
        'web 1 epoch at step 33'
    """
    logs, cache = check_logs(logs), cache or RunCache()
    axis, limit, traces = choose_axis(logs, x, cache), max_epochs or 1.0, []
    chosen_log, r0 = logs[_find_run(logs, run)], _find_run(logs, run)
    ends = project_exhaustion(
        chosen_log, tokens, axis, limit=limit, window=window, cache=cache, r=r0
    )
    used, room = count_drawn(chosen_log, cache, r0), look_up_tokens(chosen_log, tokens)
    now = place_rows(chosen_log, axis, slice(-1, None))
    for r, log, name, color, chosen in _iterate_lines(logs, colors, run):
        k, names = log.domains.index(name), name_runs(logs)
        place, points = LineSpec(r, names[r], name, "epochs", axis, "epochs", color), None
        if chosen and np.isfinite(room[k]):
            rows, y = cache.decimate(
                (r, "drawn so far"), used[0], between=find_rows(log, axis, within)
            ).points(k)
            points = rows, y / room[k]
        traces.append(
            _style_line(draw_line(log, place, points, visible=name not in hidden), width=1.8)
        )
        traces.append(
            _draw_ahead(log, place, traces[-1], now, ends[k] if chosen else np.nan, limit)
        )
    note = (
        ""
        if any(trace.visible for trace in traces) or hidden
        else _explain_nothing(
            chosen_log,
            "nothing says how many tokens there are of these domains, or how many were drawn",
        )
    )
    guessed = "" if used[1] or note else "as planned: what was drawn is not measured"
    said = [
        guessed,
        _describe_exhaustion(chosen_log, ends, axis, limit, now) if not note else "",
        describe_decimation([chosen_log]),
    ]
    figure = frame_lines(
        traces, axis, unit="epochs", said=said, height=height, focus=focus, note=note
    )
    if not note:
        figure.add_hline(y=limit, line={"color": MUTED, "width": 1})
        figure.update_layout(
            shapes=[
                figure.layout.shapes[0].update(
                    label={
                        "text": _count_epochs(limit),
                        "textposition": "start",
                        "yanchor": "bottom",
                        "font": SMALL | {"color": MUTED},
                    }
                )
            ]
        )
    return figure.update_yaxes(rangemode="tozero")


def phase_figure(
    logs: Logs,
    *,
    run: str | None = None,
    signal: str = "loss",
    smooth: int = 20,
    colors: Colors = None,
    hidden: Collection[str] = (),
    focus: str | None = None,
    height: int = 300,
    cache: RunCache | None = None,
) -> go.Figure:
    """Each domain's path through weight and loss, from the ring to its name.

    Args:
        logs: one run or several, of which one is drawn.
        run: which; the first when not given.
        signal: which loss.
        smooth: span of the moving average of the loss; 0 is raw.
        colors: domain to CSS colour, or one a domain.
        hidden: domains that are not drawn.
        focus: the domain that stands out.
        height: pixels.
        cache: what a widget keeps from drawing to drawing.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [0.4, 0.6]], {"loss": [[3.0, 2.5], [2.8, 2.2]]})
        >>> figure = phase_figure(log, smooth=0)
        >>> figure.data[0].x.tolist(), figure.data[0].y.tolist()
        ([50.0, 40.0], [3.0, 2.8])
    """
    logs, cache = check_logs(logs), cache or RunCache()
    axis, traces, ends, unit = Axis("step", "step", 1.0), [], [], SIGNALS[signal].unit
    for r, log, name, color, chosen in _iterate_lines(logs, colors, run):
        place, k, points = (
            LineSpec(r, name_runs(logs)[r], name, "path", axis, unit, color),
            log.domains.index(name),
            None,
        )
        if chosen and signal in log.signals:
            points = cache.decimate((r, signal, "path"), log.signals[signal], smooth=smooth).points(
                k, gaps=False
            )
        traces.append(_draw_path(log, place, points, visible=name not in hidden))
        ends.append(_draw_ends(traces[-1], place))
    traces += ends  # names stand on all lines
    chosen_log = logs[_find_run(logs, run)]
    note = (
        ""
        if any(trace.visible for trace in traces) or hidden
        else _explain_nothing(
            chosen_log,
            f"there is no step at which both the weights and {signal.replace('_', ' ')} are known",
        )
    )
    said = [
        f"EMA of {smooth} points" if smooth else "",
        "ring: start, dot: now",
        describe_decimation([chosen_log]),
    ]
    across = Axis("weight", "weight, % of training tokens", 1.0)
    figure = frame_lines(
        traces, across, unit=unit, said=said, height=height, focus=focus, note=note
    )
    figure.update_xaxes(rangemode="tozero", ticksuffix="%", showgrid=True)
    return figure.update_layout(meta={"stacked": False, "unit": unit, "unlabelled": True})


# ---- parts


def _iterate_lines(
    logs: Sequence[RunLog], colors: Colors, run: str | None
) -> Iterator[tuple[int, RunLog, str, str, bool]]:
    """Of every domain of every run: number of the run, run, domain, colour, and whether that run is drawn."""
    paint, chosen = color_domains(logs, colors), _find_run(logs, run)
    for r, log in enumerate(logs):
        for name in paint:
            if name in log.domains:
                yield r, log, name, paint[name], r == chosen


def _find_run(logs: Sequence[RunLog], run: str | None) -> int:
    names = name_runs(logs)
    if run is not None and run not in names:
        raise UnknownName(kind="run", name=run, known=names)
    return 0 if run is None else names.index(run)


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


def _style_line(trace: go.Scatter, *, width: float, dash: str = "solid") -> go.Scatter:
    return trace.update(line={"width": width, "dash": dash})


def _explain_nothing(log: RunLog, why: str) -> str:
    return f"No step is recorded yet in {log.name!r}." if not len(log) else f"{log.name}: {why}."


def _describe_gap(log: RunLog, realised: Array, planned: Array) -> str:
    """Which domain is furthest from its plan now."""
    if not len(log):
        return ""
    gap = np.abs(realised[-1] - planned[-1])
    if not np.isfinite(gap).any():
        return ""
    k = int(np.nanargmax(gap))
    return f"furthest apart now: {escape_plotly(log.domains[k], 24)}, {100 * gap[k]:.1f} points"


def _draw_ahead(
    log: RunLog, place: LineSpec, trace: go.Scatter, now: Array, end: float, limit: float
) -> go.Scatter:
    """From the last point of a line to where it meets the limit, as far as the picture reaches."""
    ahead = draw_line(log, place._replace(role="ahead"), None).update(
        marker={"symbol": "x"}, line={"dash": "dot", "width": 1.3}
    )
    if not (trace.visible and np.isfinite(end) and end > now[0] > 0):
        return ahead
    last = float(trace.y[np.isfinite(trace.y)][-1])
    far = min(end, REACH * now[0])
    height = last + (limit - last) * (far - now[0]) / (end - now[0])
    what = f"<b>{escape_plotly(place.domain)}</b> · at this rate<br>{_count_epochs(limit)} at {_describe_place(end, place.axis)}<extra></extra>"
    return ahead.update(
        x=np.array([now[0], far]),
        y=np.array([last, height]),
        visible=True,
        mode="lines+markers",
        hovertemplate=what,
        marker={"size": np.array([0, 8 if far == end else 0])},
    )


def _describe_exhaustion(log: RunLog, ends: Array, axis: Axis, limit: float, now: Array) -> str:
    """When the first domains reach the limit, in words."""
    order = [int(k) for k in np.argsort(ends) if np.isfinite(ends[k])]
    if not order:
        return (
            "no domain is drawn fast enough to say when it is used up"
            if len(log) > 1
            else "one record has no rate yet"
        )
    told = [
        f"{escape_plotly(log.domains[k], 24)} {'at' if n else f'{_count_epochs(limit)} at'} "
        f"{_describe_place(ends[k], axis)}" + (" (passed)" if ends[k] <= now[0] else "")
        for n, k in enumerate(order[:_MOST])
    ]
    rest = len(order) - _MOST
    return f"at this rate: {', '.join(told)}" + (f", {rest} more later" if rest > 0 else "")


def _describe_place(place: float, axis: Axis) -> str:
    if axis.kind == "step":
        return f"step {place:,.0f}"
    if axis.kind == "time":
        return f"{place:,.1f} {axis.title.split()[0]}"
    return f"{format_count(place)} tokens"


def _count_epochs(limit: float) -> str:
    return f"{limit:g} epoch{'' if limit == 1 else 's'}"


def _draw_path(
    log: RunLog, place: LineSpec, points: tuple[NDArray[np.int64], Array] | None, *, visible: bool
) -> go.Scatter:
    """Loss over weight."""
    k = log.domains.index(place.domain)
    if points is not None:
        both = np.isfinite(log.weights[points[0], k])
        points = points[0][both], points[1][both]
    trace = _style_line(draw_line(log, place, points, visible=visible), width=1.6)
    rows = points[0] if points is not None else np.empty(0, np.int64)
    what = f"<b>{escape_plotly(place.domain)}</b> · %{{meta[3]}}<br>%{{x:.2f}}% · %{{y:.4~f}} {place.unit}<extra></extra>"
    return trace.update(x=100 * log.weights[rows, k], hovertemplate=what, mode="lines")


def _draw_ends(path: go.Scatter, place: LineSpec) -> go.Scatter:
    """Where a path begins and where it is now."""
    ends = [0, -1] if path.visible else []
    # The name stands on the side that the path did not come from, where there is room for it.
    leftwards = path.visible and np.median(path.x) > path.x[-1] > _EDGE
    return go.Scatter(
        x=path.x[ends],
        y=path.y[ends],
        visible=path.visible,
        uid=f"{path.uid}ends",
        meta=[*path.meta[:2], "ends", path.meta[3]],
        mode="markers+text",
        text=["", escape_plotly(place.domain, 24)],
        textposition="middle left" if leftwards else "middle right",
        hoverinfo="skip",
        opacity=1.0,
        fill="none",
        cliponaxis=False,
        showlegend=False,
        textfont={"size": 11, "color": place.color},
        legendgroup=place.domain,
        line={"color": place.color, "width": 1.6, "dash": "solid"},
        marker={
            "size": [7, 8],
            "symbol": ["circle-open", "circle"],
            "color": place.color,
            "opacity": 1,
        },
    )
