"""The realised share of each domain against the planned one, and their figure."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import plotly.graph_objects as go

from reweightviz.core.runlog import RunLog
from reweightviz.core.types import Array
from reweightviz.figures._one_run import explain_empty_run, iterate_domains, style_line
from reweightviz.figures.axes import Within, choose_axis, find_rows
from reweightviz.figures.lines import describe_decimation, draw_line, frame_lines
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.run_cache import RunCache
from reweightviz.figures.run_tokens import sum_drawn, sum_planned
from reweightviz.figures.runs import Colors, Logs, check_logs, find_run

__all__ = ["compute_shares", "shares_figure"]


_DASHES = {"realised": "solid", "planned": "dot"}
_WIDTHS = {"realised": 1.8, "planned": 1.2}


def compute_shares(
    log: RunLog, *, window: int = 0, cache: RunCache | None = None, r: int = 0
) -> tuple[Array, Array]:
    """Return the realised and the planned share of the tokens of each domain, each (T, K).

    Both are of the same tokens: the plan counts every record's tokens by the weights that it names.

    Args:
        log: a run with drawn_tokens.
        window: records that are taken together, up to each; 0 is the whole run.
        cache: of a widget, from drawing to drawing.
        r: number of the run in the cache.

    Example:
        >>> counts = {"drawn_tokens": [[60, 40], [80, 20]]}
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [0.9, 0.1]], counts)
        >>> [table.tolist() for table in compute_shares(log)]
        [[[0.6, 0.4], [0.7, 0.3]], [[0.5, 0.5], [0.7, 0.3]]]
        >>> compute_shares(log, window=1)[0].tolist()
        [[0.6, 0.4], [0.8, 0.2]]
    """
    cache = cache or RunCache()
    realised = _normalise((r, "realised", window), sum_drawn(log, cache, r), window, cache)
    planned = _normalise((r, "planned", window), sum_planned(log, cache, r), window, cache)
    return realised, planned


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
    """Draw the share of each domain in the drawn tokens, and dotted as the weights planned it.

    Args:
        logs: one run or several, of which one is drawn.
        run: its name; the first when not given.
        window: records that are taken together, up to each; 0 is the whole run up to each.
        x: ``"step"``, ``"tokens"``, ``"time"``.
        colors: domain to CSS colour, or one a domain.
        hidden: domains that are not drawn.
        focus: the domain that stands out.
        height: pixels.
        within: from where to where on x lines are drawn in more detail.
        cache: of a widget, from drawing to drawing.

    Example:
        >>> counts = {"drawn_tokens": [[60, 40], [80, 20]]}
        >>> log = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [0.9, 0.1]], counts)
        >>> [(trace.meta[2], trace.y.tolist()) for trace in shares_figure(log).data[:2]]
        [('realised', [60.0, 70.0]), ('planned', [50.0, 70.0])]
    """
    logs = check_logs(logs)
    cache = cache or RunCache()
    axis = choose_axis(logs, x, cache)
    chosen = find_run(logs, run)
    log = logs[chosen]
    tables: dict[str, Array] = {}
    gap = ""
    if "drawn_tokens" in log.signals:
        realised, planned = compute_shares(log, window=window, cache=cache, r=chosen)
        tables = {"realised": realised, "planned": planned}
        gap = _describe_gap(log, realised, planned)
    between = find_rows(log, axis, within)
    traces = []
    for line in iterate_domains(logs, colors):
        for role, dash in _DASHES.items():
            points = None
            if line.r == chosen and role in tables:
                lines = cache.decimate((chosen, role, window), tables[role], between=between)
                rows, y = lines.points(line.k)
                points = rows, 100 * y
            spec = line.specify(role, axis, f"% {role}")
            trace = draw_line(line.log, spec, points, visible=line.domain not in hidden)
            traces.append(style_line(trace, dash=dash, width=_WIDTHS[role]))
    why = "drawn_tokens was never measured: nothing says what was really drawn"
    over = f"of the last {window} records" if window else "of the whole run up to there"
    figure = frame_lines(
        traces,
        axis,
        unit="% of the tokens",
        remarks=[f"{over}, dotted as planned", gap, describe_decimation([log])],
        height=height,
        focus=focus,
        note=explain_empty_run(traces, log, why, hidden),
    )
    figure.update_yaxes(rangemode="tozero", ticksuffix="%")
    return figure.update_layout(meta={"stacked": False, "unit": "%"})


def _normalise(key: object, totals: Array, window: int, cache: RunCache) -> Array:
    """Return shares (T, K) of the tokens within a window, from those up to each record (T, K)."""

    def compute(start: int, _: Array) -> Array:
        tokens = totals[start:]
        if window:
            first = np.arange(start, len(totals)) - window
            before = np.where(first[:, None] >= 0, totals[np.maximum(first, 0)], 0.0)
            tokens = tokens - before
        whole = tokens.sum(axis=1, keepdims=True)
        unknown = np.full(tokens.shape, np.nan)
        return np.asarray(np.divide(tokens, whole, out=unknown, where=whole > 0))

    return cache.extend(key, len(totals), totals.shape[1], compute)


def _describe_gap(log: RunLog, realised: Array, planned: Array) -> str:
    """Return which domain is furthest from its plan now."""
    if not len(log):
        return ""
    gap = np.abs(realised[-1] - planned[-1])
    if not np.isfinite(gap).any():
        return ""
    k = int(np.nanargmax(gap))
    return f"furthest apart now: {escape_plotly(log.domains[k], 24)}, {100 * gap[k]:.1f} points"
