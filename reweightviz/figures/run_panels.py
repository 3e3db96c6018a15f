"""Views of runs as small panels: one a domain to compare runs, one a scalar."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reweightviz.core.errors import UnknownName, listed
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import SIGNALS
from reweightviz.figures.curves import (
    LineSpec,
    describe_decimation,
    draw_line,
    escape_plotly,
    frame_lines,
)
from reweightviz.figures.palette import choose_colors as palette
from reweightviz.figures.run_amounts import RunCache, count_effective_domains
from reweightviz.figures.runs import (
    Axis,
    Colors,
    Within,
    check_logs,
    choose_axis,
    color_domains,
    find_rows,
    list_signals,
    name_runs,
)

EFFECTIVE = "effective domains"
_LAST, _FEW = (
    2000,
    20,
)  # values by which it is seen whether a scalar is noisy, and fewer than which say nothing
_ROW, _AROUND = 150, 90  # pixels of a row of panels, and of what stands around them


def compare_figure(
    logs: RunLog | Sequence[RunLog],
    *,
    signal: str = "loss",
    x: str = "step",
    smooth: int = 0,
    most: int = 12,
    across: int = 4,
    colors: Colors = None,
    hidden: Collection[str] = (),
    focus: str | None = None,
    height: int | None = None,
    within: Within = None,
    cache: RunCache | None = None,
) -> go.Figure:
    """Several runs side by side: a panel a domain, the runs by dash, every panel with a scale of its own.

    Args:
        logs: the runs.
        signal: name of a signal, or ``"weights"``.
        x: ``"step"``, ``"tokens"``, ``"time"``.
        smooth: span of the moving average; 0 is raw.
        most: panels, of the domains in which the runs end furthest apart.
        across: panels in a row.
        colors: domain to CSS colour, or one a domain.
        hidden: domains without a panel.
        focus: the domain that stands out.
        height: pixels; by the number of rows when not given.
        within: from where to where on x lines are drawn in more detail.
        cache: what a widget keeps from drawing to drawing.

    Example:
        >>> logs = [RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, {"loss": [[3, 2], [2, end]]}, str(end)) for end in (1, 1.5)]
        >>> [(trace.meta[0], trace.meta[1]) for trace in compare_figure(logs, most=1).data]
        [('code', '1'), ('code', '1.5')]
    """
    logs, cache = check_logs(logs), cache or RunCache()
    axis, paint, names = choose_axis(logs, x, cache), color_domains(logs, colors), name_runs(logs)
    unit, scale = ("%", 100.0) if signal == "weights" else (SIGNALS[signal].unit, 1.0)
    tables = [log.weights if signal == "weights" else log.signals.get(signal) for log in logs]
    shown = _choose_furthest(logs, tables, [name for name in paint if name not in hidden], most)
    traces, panels = [], []
    for panel, name in enumerate(shown):
        for r, (log, table) in enumerate(zip(logs, tables, strict=True)):
            if name in log.domains:
                points = None
                if table is not None:
                    lines = cache.decimate(
                        (r, signal, "panel"),
                        table,
                        smooth=smooth,
                        between=find_rows(log, axis, within),
                    )
                    rows, y = lines.points(log.domains.index(name), gaps=signal != "held_out_loss")
                    points = rows, scale * y
                traces.append(
                    draw_line(
                        log, LineSpec(r, names[r], name, "raw", axis, unit, paint[name]), points
                    )
                )
                panels.append(panel)
    left_out = (
        f"the {len(shown)} of {len(paint) - len(hidden)} domains in which the runs end "
        "furthest apart"
        if len(shown) < len(paint) - len(hidden)
        else ""
    )
    smoothed = f"EMA of {smooth} points" if smooth else ""
    titles = [
        f'<span style="color:{paint[name]}">■</span> {escape_plotly(name, 28)}' for name in shown
    ]
    note = (
        "" if any(trace.visible for trace in traces) or hidden else _explain_nothing(logs, signal)
    )
    return _arrange_panels(
        traces,
        panels,
        titles,
        axis,
        across=across,
        height=height,
        focus=focus,
        note=note,
        said=[_title_signal(signal, unit), smoothed, left_out, describe_decimation(logs)],
    )


def scalars_figure(
    logs: RunLog | Sequence[RunLog],
    *,
    names: Sequence[str] | None = None,
    x: str = "step",
    smooth: int = 0,
    across: int = 3,
    height: int | None = None,
    within: Within = None,
    cache: RunCache | None = None,
) -> go.Figure:
    """Numbers of the whole run, a panel each: the effective number of domains, the length of the gradient, the learning rate, ...

    The effective number of domains is exp of the entropy of the weights: all of them where the
    mixture is even, 1 where one has everything.

    Args:
        logs: one run or several; they differ by colour.
        names: which scalars; all when not given, at most eleven.
        x: ``"step"``, ``"tokens"``, ``"time"``.
        smooth: span of the moving average of the scalars that are noisy; their raw line stays,
            faint. 0 is raw.
        across: panels in a row.
        height: pixels; by the number of rows when not given.
        within: from where to where on x lines are drawn in more detail.
        cache: what a widget keeps from drawing to drawing.

    Example:
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2, scalars={"lr": [0.1, 0.2]})
        >>> [trace.y.tolist() for trace in scalars_figure(log).data if trace.visible]
        [[2.0, 2.0], [0.1, 0.2]]
    """
    logs, cache = check_logs(logs), cache or RunCache()
    there = list_scalars(logs)
    strangers = [name for name in names or () if name not in there]
    if strangers:
        raise UnknownName(kind="scalar", name=strangers[0], known=there)
    shown, axis = (
        [EFFECTIVE, *(names if names is not None else there[:11])],
        choose_axis(logs, x, cache),
    )
    traces, panels, paint, smoothed = [], [], palette(len(logs)), False
    for panel, name in enumerate(shown):
        for r, log in enumerate(logs):
            column = (
                count_effective_domains(log, cache=cache, r=r)
                if name == EFFECTIVE
                else log.scalars.get(name, np.empty(0))[:, None]
            )
            if len(column) == len(log):
                sparse = np.isfinite(column[-200:]).mean() < 0.9 if len(log) else False
                averaged = smooth > 0 and _is_noisy(column[:, 0])
                for role, span in (("raw", 0), ("smooth", smooth if averaged else 0)):
                    lines = cache.decimate(
                        (r, "scalar", name),
                        column,
                        smooth=span,
                        between=find_rows(log, axis, within),
                    )
                    place = LineSpec(r, name_runs(logs)[r], name, role, axis, "", paint[r])
                    points = lines.points(0, gaps=not sparse) if span or role == "raw" else None
                    trace = draw_line(
                        _with_domain(log, name),
                        place,
                        points,
                        opacity=0.2 if averaged and role == "raw" else 1,
                    )
                    traces.append(trace.update(uid=f"r{r}{role}{name}", line={"dash": "solid"}))
                    panels.append(panel)
                smoothed = smoothed or averaged
    note = "" if any(trace.visible for trace in traces) else _explain_nothing(logs, "weights")
    said = [
        "numbers of the whole run",
        f"where noisy, EMA of {smooth} points over raw" if smoothed else "",
        describe_decimation(logs),
    ]
    return _arrange_panels(
        traces,
        panels,
        [escape_plotly(name, 32) for name in shown],
        axis,
        across=across,
        height=height,
        note=note,
        said=said,
    )


def list_scalars(logs: Sequence[RunLog]) -> list[str]:
    """Every scalar of the logs with a number in it: the gradient first, then the learning rate, then by name."""
    found = {
        name
        for log in logs
        for name, values in log.scalars.items()
        if np.isfinite(values[-5000:]).any()
    }
    return sorted(
        found,
        key=lambda name: (
            "grad" not in name.lower(),
            name.lower() not in ("lr", "learning_rate"),
            name,
        ),
    )


def list_comparable(logs: Sequence[RunLog], cache: RunCache | None = None) -> list[str]:
    """What runs can be compared by."""
    return [*list_signals(logs, cache), "weights"]


# ---- parts


def _is_noisy(values: np.ndarray) -> bool:
    """Whether the last of the values (T,) go up and down rather than somewhere."""
    last = values[-_LAST:]
    turns = np.diff(last[np.isfinite(last)])
    return len(turns) >= _FEW and bool((turns[1:] * turns[:-1] < 0).mean() > 1 / 3)


def _choose_furthest(
    logs: Sequence[RunLog], tables: Sequence[np.ndarray | None], names: Sequence[str], most: int
) -> list[str]:
    """The domains, in order, in which the runs end furthest apart."""

    def apart(name: str) -> float:
        ends = [
            np.nanmean(end)
            for log, table in zip(logs, tables, strict=True)
            if table is not None and name in log.domains
            if len(
                end := table[-20:, log.domains.index(name)][
                    np.isfinite(table[-20:, log.domains.index(name)])
                ]
            )
        ]
        return float(max(ends) - min(ends)) if ends else -1.0

    chosen = set(sorted(names, key=apart, reverse=True)[:most])
    return [name for name in names if name in chosen]


def _title_signal(signal: str, unit: str) -> str:
    return (
        "weight, % of training tokens"
        if signal == "weights"
        else f"{signal.replace('_', ' ')}, {unit}"
    )


def _explain_nothing(logs: Sequence[RunLog], signal: str) -> str:
    names = listed(name_runs(logs), 3)
    if not any(map(len, logs)):
        return f"No step is recorded yet in {names}."
    return f"{signal} was never measured in {names}."


def _with_domain(log: RunLog, name: str) -> RunLog:
    """The same steps, with that name as the only domain."""
    return RunLog.of_views(
        domains=(name,),
        steps=log.steps,
        weights=np.empty((len(log), 1)),
        signals={},
        name=log.name,
        meta=log.meta,
        scalars={},
        times=log.times,
        tokens=log.tokens,
    )


def _arrange_panels(
    traces: Sequence[go.Scatter],
    panels: Sequence[int],
    titles: Sequence[str],
    axis: Axis,
    *,
    across: int,
    height: int | None,
    said: Sequence[str],
    focus: str | None = None,
    note: str = "",
) -> go.Figure:
    """Traces in their panels, dressed as :func:`framed` dresses one picture."""
    across = max(min(across, len(titles)), 1)
    down = max(-(-len(titles) // across), 1)
    height = height or _ROW * down + _AROUND
    dress = frame_lines(traces, axis, unit="", said=said, height=height, focus=focus, note=note)
    figure = make_subplots(
        down,
        across,
        subplot_titles=list(titles) or None,
        horizontal_spacing=0.16 / across,
        vertical_spacing=min(46 / (height - _AROUND + 10), 0.9 / down) if down > 1 else 0,
    )
    for trace, panel in zip(traces, panels, strict=True):
        figure.add_trace(trace, row=panel // across + 1, col=panel % across + 1)
    own = [
        title.to_plotly_json() | {"font": {"size": 12}, "yshift": 2}
        for title in figure.layout.annotations
    ]
    look = dress.layout.to_plotly_json()
    x, y = look.pop("xaxis"), look.pop("yaxis")
    words = look.pop("annotations")
    words[0] |= {"yshift": 24}
    figure.update_layout(look)
    figure.layout.annotations = [*words, *own]
    figure.update_layout(margin={"t": 48}, meta={"stacked": False, "unit": "", "unlabelled": True})
    title = x.pop("title")
    figure.update_xaxes(
        **x | {"nticks": 4, "tickangle": 0, "matches": "x" if len(titles) > 1 else None}
    )
    figure.update_yaxes(**y | {"nticks": 4})
    for panel in range(max(len(titles) - across, 0), max(len(titles), 1)):
        figure.update_xaxes(title=title, row=panel // across + 1, col=panel % across + 1)
    return figure
