"""The weights of several mixers side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import Array
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.runs import Colors, check_logs, color_domains, name_runs
from reweightviz.figures.theme import (
    LEGEND,
    REST,
    dress_panels,
    make_panels,
    style_axis,
    style_title,
    tint,
)

__all__ = ["replay_figure"]


def replay_figure(
    logs: Sequence[RunLog],
    *,
    most: int = 6,
    across: int = 3,
    colors: Colors = None,
    height: int = 230,
) -> go.Figure:
    """Draw the weights of several runs or replays: a panel each, areas that add up to 100 %.

    With many domains the lines of several runs are a thicket; here only those domains have a
    colour whose weight differs most, over the steps and between the panels, in the same order in
    every panel. The others are one grey area.

    Args:
        logs: runs and replays of the same domains.
        most: domains with a colour.
        across: panels in a row.
        colors: domain to CSS colour, or one a domain in their order.
        height: pixels of a row.

    Raises:
        ReweightvizError: no log, or logs of different domains.

    Example:
        >>> weights = [[0.5, 0.3, 0.2], [0.3, 0.4, 0.3]]
        >>> log = RunLog(("web", "code", "math"), [1, 2], weights)
        >>> [trace.name for trace in replay_figure([log], most=1).data]
        ['web', '2 others']
    """
    logs = check_logs(logs)
    domains = logs[0].domains
    strangers = [log.name for log in logs if log.domains != domains]
    if strangers:
        raise ReweightvizError(
            "logs side by side have the same domains in the same order; "
            f"{list_names(strangers)} has others."
        )
    paint = color_domains(logs, colors)
    shown = _choose_widest(logs, most)
    rest = [k for k in range(len(domains)) if k not in shown]
    across = min(across, len(logs))
    down = -(-len(logs) // across)
    figure, places = make_panels([escape_plotly(name, 34) for name in name_runs(logs)], across)
    for log, place in zip(logs, places, strict=True):
        # One entry a domain in the legend, from the first panel.
        first = place == places[0]
        for k in shown:
            name = domains[k]
            area = _draw_area(log, log.weights[:, k], name, paint[name], legend=first)
            figure.add_trace(area, **place)
        if rest:
            others = f"{len(rest)} others" if len(rest) > 1 else domains[rest[0]]
            total = log.weights[:, rest].sum(1)
            figure.add_trace(_draw_area(log, total, others, REST, legend=first), **place)
    figure.update_xaxes(style_axis(showgrid=False))
    figure.update_yaxes(style_axis(range=[0, 100], ticksuffix=" %"))
    figure.update_xaxes(title=style_title("step"), row=down)
    return dress_panels(figure, height * down + 60, top=40, bottom=46, legend=LEGEND)


def _choose_widest(logs: Sequence[RunLog], most: int) -> list[int]:
    """Return the domains whose weight differs most over all steps of all runs, in their order."""
    weights = np.concatenate([log.weights for log in logs])
    spread = np.nanmax(weights, axis=0) - np.nanmin(weights, axis=0)
    widest: list[int] = np.argsort(-spread, kind="stable")[:most].tolist()
    return sorted(widest)


def _draw_area(log: RunLog, weights: Array, name: str, color: str, *, legend: bool) -> go.Scatter:
    title = escape_plotly(name, 28)
    # A colour with an opacity of its own, the grey of the rest, stays fainter.
    opacity = 0.75 if color.startswith("#") else 0.2
    return go.Scatter(
        x=log.steps,
        y=100 * weights,
        name=title,
        legendgroup=name,
        showlegend=legend,
        stackgroup="weights",
        mode="lines",
        line={"width": 0.6, "color": tint(color, 1)},
        fillcolor=tint(color, opacity),
        hovertemplate=f"<b>{title}</b><br>step %{{x:,}} · %{{y:.3~f}} %<extra></extra>",
    )
