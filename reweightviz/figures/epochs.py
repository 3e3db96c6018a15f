"""The epochs of each domain, the place where it is used up, and their figure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import plotly.graph_objects as go

from reweightviz.core.runlog import RunLog
from reweightviz.core.token_counts import format_count
from reweightviz.core.types import Array
from reweightviz.figures._one_run import explain_empty_run, iterate_domains, style_line
from reweightviz.figures.axes import Axis, Within, choose_axis, find_rows, place_rows
from reweightviz.figures.lines import (
    LineSpec,
    describe_decimation,
    draw_line,
    frame_lines,
)
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.run_cache import RunCache
from reweightviz.figures.run_tokens import has_drawn_tokens, sum_drawn, sum_planned
from reweightviz.figures.runs import Colors, Logs, check_logs, find_run
from reweightviz.figures.theme import MUTED, SMALL

__all__ = ["REACH", "epochs_figure", "project_exhaustion"]


REACH = 2.5
"""How many times further than the run its figure may look ahead."""
_MOST = 3  # domains named in a sentence


def project_exhaustion(
    log: RunLog,
    tokens: Mapping[str, float],
    axis: Axis,
    *,
    limit: float = 1.0,
    window: int = 50,
    cache: RunCache | None = None,
    r: int = 0,
) -> Array:
    """Return the places on the axis where domains will have been seen ``limit`` times (K,).

    The rate is that of the last ``window`` records. A place is infinite where a domain is not
    drawn any more, NaN where nothing is known, and before the last record where it has happened
    already.

    Example:
        >>> log = RunLog(("web",), [10, 20], [[1.0]] * 2, {"drawn_tokens": [[100.0], [100.0]]})
        >>> project_exhaustion(log, {"web": 1000.0}, Axis("step", "step")).tolist()
        [100.0]
    """
    if len(log) < 2:
        return np.full(len(log.domains), np.nan)
    used = _sum_used(log, cache or RunCache(), r)
    room = limit * _look_up_tokens(log, tokens)
    first = max(len(log) - 1 - window, 0)
    since, now = place_rows(log, axis, np.array([first, len(log) - 1]))
    rate = (used[-1] - used[first]) / (now - since)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = now + (room - used[-1]) / rate
    for k in np.flatnonzero(used[-1] >= room):
        row = (used[:, k] >= room[k]).argmax()
        passed = place_rows(log, axis, np.array([row]))[0]
        if np.isfinite(passed):
            ends[k] = passed
    return np.asarray(ends)


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
    """Draw the passes over each domain so far, and dotted where they go at the last rate.

    Args:
        logs: one run or several, of which one is drawn.
        tokens: domain to tokens available.
        run: its name; the first when not given.
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
        cache: of a widget, from drawing to drawing.

    Example:
        >>> log = RunLog(("web",), [10, 20], [[1.0]] * 2, {"drawn_tokens": [[300.0], [300.0]]})
        >>> epochs_figure(log, {"web": 1000.0}).layout.annotations[0].text.partition("rate: ")[2]
        'web 1 epoch at step 33'
    """
    logs = check_logs(logs)
    cache = cache or RunCache()
    axis = choose_axis(logs, x, cache)
    limit = max_epochs or 1.0
    chosen = find_run(logs, run)
    log = logs[chosen]
    ends = project_exhaustion(log, tokens, axis, limit=limit, window=window, cache=cache, r=chosen)
    used = _sum_used(log, cache, chosen)
    room = _look_up_tokens(log, tokens)
    now = place_rows(log, axis, slice(-1, None))
    lines = cache.decimate((chosen, "drawn so far"), used, between=find_rows(log, axis, within))
    traces = []
    for line in iterate_domains(logs, colors):
        spec = line.specify("epochs", axis, "epochs")
        points = None
        end = np.nan
        if line.r == chosen:
            end = float(ends[line.k])
            if np.isfinite(room[line.k]):
                rows, y = lines.points(line.k)
                points = rows, y / room[line.k]
        trace = draw_line(line.log, spec, points, visible=line.domain not in hidden)
        traces.append(style_line(trace, width=1.8))
        traces.append(_draw_ahead(line.log, spec, trace, now, end, limit))
    why = "nothing says how many tokens there are of these domains, or how many were drawn"
    note = explain_empty_run(traces, log, why, hidden)
    remarks = []
    if not note:
        if not has_drawn_tokens(log, cache, chosen):
            remarks.append("as planned: what was drawn is not measured")
        remarks.append(_describe_ends(log, ends, axis, limit, now))
    figure = frame_lines(
        traces,
        axis,
        unit="epochs",
        remarks=[*remarks, describe_decimation([log])],
        height=height,
        focus=focus,
        note=note,
    )
    if not note:
        _draw_limit(figure, limit)
    return figure.update_yaxes(rangemode="tozero")


def _sum_used(log: RunLog, cache: RunCache, r: int) -> Array:
    """Return the tokens of each domain up to each record (T, K): counted, or else planned."""
    if has_drawn_tokens(log, cache, r):
        return sum_drawn(log, cache, r)
    return sum_planned(log, cache, r)


def _look_up_tokens(log: RunLog, tokens: Mapping[str, float]) -> Array:
    """Return the tokens available (K,); NaN where that is not known, or nothing."""
    return np.array([tokens.get(name) or np.nan for name in log.domains], np.float64)


def _draw_limit(figure: go.Figure, limit: float) -> None:
    figure.add_hline(y=limit, line={"color": MUTED, "width": 1})
    label = {
        "text": _count_epochs(limit),
        "textposition": "start",
        "yanchor": "bottom",
        "font": SMALL | {"color": MUTED},
    }
    figure.update_layout(shapes=[figure.layout.shapes[0].update(label=label)])


def _draw_ahead(
    log: RunLog, spec: LineSpec, trace: go.Scatter, now: Array, end: float, limit: float
) -> go.Scatter:
    """Draw from the last point of a line to the limit, as far as the figure reaches."""
    ahead = draw_line(log, spec._replace(role="ahead"), None).update(
        marker={"symbol": "x"}, line={"dash": "dot", "width": 1.3}
    )
    if not (trace.visible and np.isfinite(end) and end > now[0] > 0):
        return ahead
    last = float(trace.y[np.isfinite(trace.y)][-1])
    # Or one slow domain would press the whole run into a corner.
    far = min(end, REACH * now[0])
    height = last + (limit - last) * (far - now[0]) / (end - now[0])
    where = f"{_count_epochs(limit)} at {_describe_place(end, spec.axis)}"
    return ahead.update(
        x=np.array([now[0], far]),
        y=np.array([last, height]),
        visible=True,
        mode="lines+markers",
        hovertemplate=(
            f"<b>{escape_plotly(spec.domain)}</b> · at this rate<br>{where}<extra></extra>"
        ),
        marker={"size": np.array([0, 8 if far == end else 0])},
    )


def _describe_ends(log: RunLog, ends: Array, axis: Axis, limit: float, now: Array) -> str:
    """Return in words where the first domains reach the limit."""
    order = [int(k) for k in np.argsort(ends) if np.isfinite(ends[k])]
    if not order:
        if len(log) > 1:
            return "no domain is drawn fast enough to say when it is used up"
        return "one record has no rate yet"
    clauses: list[str] = []
    for k in order[:_MOST]:
        where = f"at {_describe_place(ends[k], axis)}"
        if not clauses:
            where = f"{_count_epochs(limit)} {where}"
        passed = " (passed)" if ends[k] <= now[0] else ""
        clauses.append(f"{escape_plotly(log.domains[k], 24)} {where}{passed}")
    if len(order) > _MOST:
        clauses.append(f"{len(order) - _MOST} more later")
    return f"at this rate: {', '.join(clauses)}"


def _describe_place(place: float, axis: Axis) -> str:
    if axis.kind == "step":
        return f"step {place:,.0f}"
    if axis.kind == "time":
        return f"{place:,.1f} {axis.title.split()[0]}"
    return f"{format_count(place)} tokens"


def _count_epochs(limit: float) -> str:
    return f"{limit:g} epoch" if limit == 1 else f"{limit:g} epochs"
