"""The front between targets as a plotly figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reweightviz.core.types import Array
from reweightviz.figures.front_table import (
    describe_front,
    describe_point,
    find_outside,
    list_targets,
    read_predictions,
    read_references,
)
from reweightviz.figures.palette import build_ramp, choose_colors
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.theme import (
    CLEAR,
    MUTED,
    SMALL,
    style_axis,
    style_layout,
    style_title,
    style_words,
)

__all__ = ["FRONT", "LEFT", "PICKED", "draw_ring", "front_figure"]


LEFT = 54
"""Pixels left of the plot."""
FRONT, PICKED = choose_colors(2)


def front_figure(front: pd.DataFrame, *, picked: int | None = None, height: int = 380) -> go.Figure:
    """Draw predictions of two targets against each other, the third as colour.

    The picked point has the 90 % interval of a new run.

    Args:
        front: a table of ``rv.pareto``.
        picked: the row that is ringed, and whose interval is drawn.
        height: pixels.

    Raises:
        ReweightvizError: a table that ``rv.pareto`` did not give.
    """
    names = list_targets(front)
    losses = read_predictions(front)
    references = read_references(front, names)
    figure = go.Figure(
        [
            _draw_line(losses, names),
            _draw_points(front, names, losses),
            _draw_references(front, names, references),
            draw_ring(front, picked),
        ]
    )
    note = style_words(
        escape_plotly(describe_front(front), 200),
        x=0,
        y=1,
        xanchor="left",
        yanchor="bottom",
        yshift=4,
    )
    figure.update_layout(
        style_layout(
            height,
            left=LEFT,
            right=12,
            top=26,
            bottom=46,
            margin={"pad": 4},
            autosize=True,
            modebar={"bgcolor": CLEAR, "color": MUTED, "activecolor": FRONT},
            hovermode="closest",
            hoverdistance=25,
            dragmode="zoom",
            showlegend=False,
            xaxis=_style_target(front, names[0], losses[:, 0], references[:, 0]),
            yaxis=_style_target(front, names[1], losses[:, 1], references[:, 1]),
            annotations=[note],
        )
    )
    return figure


def draw_ring(front: pd.DataFrame, picked: int | None) -> go.Scatter:
    """Draw a ring around the picked point, and its interval."""
    rows = [] if picked is None else [picked]
    losses = read_predictions(front)[rows]
    across, up = _draw_intervals(front, list_targets(front), rows)
    return go.Scatter(
        x=losses[:, 0],
        y=losses[:, 1],
        mode="markers",
        hoverinfo="skip",
        name="picked",
        error_x=across,
        error_y=up,
        marker={"symbol": "circle-open", "size": 19, "color": PICKED, "line": {"width": 2.4}},
    )


def _style_target(
    front: pd.DataFrame, name: str, losses: Array, references: Array
) -> dict[str, Any]:
    drawn = np.concatenate([losses, references])
    reach = np.ptp(drawn)
    pad = 0.08 * (reach or 1.0)
    low = drawn.min()
    high = drawn.max()
    if front["low"][name].notna().any():
        # Any point's interval is seen whole when it is picked, unless the front would be lost in
        # it.
        low = max(min(low, front["low"][name].min()), low - reach)
        high = min(max(high, front["high"][name].max()), high + reach)
    rises = name in front.attrs.get("higher_is_better", ())
    way = "higher is better" if rises else "lower is better"
    return style_axis(
        nticks=6,
        automargin=True,
        range=[float(low - pad), float(high + pad)],
        title=style_title(f"{escape_plotly(name)} ({way})"),
    )


def _draw_intervals(
    front: pd.DataFrame, names: Sequence[str], rows: Sequence[int]
) -> list[dict[str, Any]]:
    """Return error bars to the right and upwards; none without intervals."""
    low, high, losses = (
        front[part][list(names[:2])].to_numpy(np.float64)[rows]
        for part in ("low", "high", "predicted")
    )
    style = {
        "type": "data",
        "symmetric": False,
        "color": PICKED,
        "thickness": 1.6,
        "width": 0,
        "visible": bool(np.isfinite(low).all()),
    }
    above = high - losses
    below = losses - low
    return [style | {"array": above[:, i], "arrayminus": below[:, i]} for i in (0, 1)]


def _draw_line(losses: Array, names: Sequence[str]) -> go.Scatter:
    # With three targets neighbours in the table are none in the picture.
    shown = losses if len(names) == 2 else np.empty((0, 2))
    return go.Scatter(
        x=shown[:, 0],
        y=shown[:, 1],
        mode="lines",
        line={"color": FRONT, "width": 1.2},
        opacity=0.5,
        hoverinfo="skip",
        name="front",
    )


def _draw_points(front: pd.DataFrame, names: Sequence[str], losses: Array) -> go.Scatter:
    hollow = find_outside(front)
    marker: dict[str, Any] = {
        "size": 10,
        "color": FRONT,
        "symbol": np.where(hollow, "circle-open", "circle").tolist(),
        "line": {"width": np.where(hollow, 1.6, 0)},
    }
    if len(names) == 3:
        marker |= _color_by_target(names[2], losses[:, 2])
    return go.Scatter(
        x=losses[:, 0],
        y=losses[:, 1],
        mode="markers",
        marker=marker,
        name="mixtures",
        text=[describe_point(front, row) for row in range(len(front))],
        hovertemplate="%{text}<extra></extra>",
    )


def _color_by_target(name: str, losses: Array) -> dict[str, Any]:
    shades = build_ramp()[np.linspace(0, 255, 9).astype(int)]
    scale = [[i / 8, f"rgb({r},{g},{b})"] for i, (r, g, b) in enumerate(shades)]
    bar = {
        "title": style_title(escape_plotly(name, 24)),
        "thickness": 10,
        "outlinewidth": 0,
        "tickfont": SMALL,
    }
    return {"color": losses, "colorscale": scale, "showscale": True, "colorbar": bar}


def _draw_references(front: pd.DataFrame, names: Sequence[str], losses: Array) -> go.Scatter:
    hovers = []
    titles = []
    for title, reference in front.attrs.get("references", {}).items():
        predicted = reference["predicted"]
        lines = [f"{escape_plotly(name, 28)} {predicted[name]:.3f}" for name in names]
        hovers.append("<br>".join([f"<b>{escape_plotly(title)}</b>", *lines]))
        titles.append(escape_plotly(title, 24))
    return go.Scatter(
        x=losses[:, 0],
        y=losses[:, 1],
        mode="markers+text",
        marker={"symbol": "diamond", "size": 9, "color": MUTED},
        text=titles,
        textposition="top center",
        textfont=SMALL | {"color": MUTED},
        hovertext=hovers,
        hovertemplate="%{hovertext}<extra></extra>",
        name="references",
        cliponaxis=False,
    )
