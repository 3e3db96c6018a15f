"""The front between targets as a plotly figure, and as a plain SVG."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, listed
from reweightviz.core.types import Array
from reweightviz.figures.curves import escape_plotly
from reweightviz.figures.palette import build_ramp, choose_colors
from reweightviz.figures.svg_plane import assemble_svg, draw_axes, draw_text, fit_scale
from reweightviz.figures.theme import (
    CLEAR,
    MUTED,
    SMALL,
    style_axis,
    style_layout,
    style_title,
    style_words,
)

OUTSIDE = 0.01
"""Share of tokens outside the runs' hull from which a point is drawn hollow."""
LEFT = 54
"""Pixels left of the plot."""
FRONT, PICKED = choose_colors(2)


def front_figure(front: pd.DataFrame, *, picked: int | None = None, height: int = 380) -> go.Figure:
    """Predictions of two targets against each other, the third as colour; the picked one has the 90 % interval of a new run.

    Args:
        front: what ``rv.pareto`` gave.
        picked: the row that is ringed, and whose interval is drawn.
        height: pixels.

    Raises:
        ReweightvizError: a table that ``rv.pareto`` did not give.
    """
    names = list_targets(front)
    values = front["predicted"].to_numpy(np.float64)
    references = front.attrs.get("references", {})
    figure = go.Figure(
        [
            _draw_line(values, names),
            _draw_points(front, names, values),
            _draw_references(references, names),
            draw_ring(front, picked),
        ]
    )
    x, y = [
        _style_target_axis(
            front,
            names[i],
            values[:, i],
            [each["predicted"][names[i]] for each in references.values()],
        )
        for i in (0, 1)
    ]
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
            xaxis=x,
            yaxis=y,
            annotations=[note],
        )
    )
    return figure


def list_targets(front: pd.DataFrame) -> list[str]:
    """The targets of a front."""
    needed = ("weight", "predicted", "low", "high")
    there = (
        set(front.columns.get_level_values(0))
        if isinstance(front, pd.DataFrame) and front.columns.nlevels == 2
        else set()
    )
    absent = [part for part in needed if part not in there]
    if absent or not len(front):
        raise ReweightvizError(
            "a ParetoFront draws what rv.pareto(law, targets) gives, with columns "
            f"{listed(needed)}; "
            f"{'it has no rows' if not absent else f'there is no {listed(absent)}'}."
        )
    return list(front["predicted"].columns)


def describe_front(front: pd.DataFrame) -> str:
    """What a reader of the picture should know: hollow points, and intervals wider than the whole front."""
    parts = []
    values = front["predicted"].to_numpy(np.float64)
    width = (
        np.nanmedian((front["high"] - front["low"]).to_numpy(np.float64), axis=0)
        if front["low"].notna().any(axis=None)
        else None
    )
    if width is not None and (width > np.ptp(values, axis=0)).any():
        wide = [
            name
            for name, each, span in zip(
                list_targets(front), width, np.ptp(values, axis=0), strict=True
            )
            if each > span
        ]
        parts.append(
            f"a new run's 90 % interval is wider than the whole front for {', '.join(wide)}"
        )
    if find_outside(front).any():
        parts.append("hollow: outside the hull of the runs")
    return "; ".join(parts)


def find_outside(front: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows (n,) lie outside the hull of the runs."""
    if "outside" not in front.columns.get_level_values(0):
        return np.zeros(len(front), bool)
    return np.asarray(front["outside"]["hull"] > OUTSIDE)


def _style_target_axis(
    front: pd.DataFrame, name: str, values: Array, others: list[float]
) -> dict[str, Any]:
    drawn = np.concatenate([values, np.array(others, np.float64)])
    pad, reach = 0.08 * (np.ptp(drawn) or 1.0), np.ptp(drawn)
    low, high = drawn.min(), drawn.max()
    if (
        front["low"][name].notna().any()
    ):  # the interval of whichever is picked is seen whole, unless the front would be lost in it
        low, high = (
            max(min(low, front["low"][name].min()), low - reach),
            min(max(high, front["high"][name].max()), high + reach),
        )
    rises = name in front.attrs.get("higher_is_better", ())
    way = "higher is better" if rises else "lower is better"
    return style_axis(
        nticks=6,
        automargin=True,
        range=[float(low - pad), float(high + pad)],
        title=style_title(f"{escape_plotly(name)} ({way})"),
    )


def _draw_intervals(front: pd.DataFrame, names: list[str], rows: list[int]) -> list[dict[str, Any]]:
    """Error bars to the right and upwards; none without intervals."""
    low, high, at = (
        front[part][names[:2]].to_numpy(np.float64)[rows] for part in ("low", "high", "predicted")
    )
    style = {
        "type": "data",
        "symmetric": False,
        "color": PICKED,
        "thickness": 1.6,
        "width": 0,
        "visible": bool(np.isfinite(low).all()),
    }
    return [
        style | {"array": high[:, i] - at[:, i], "arrayminus": at[:, i] - low[:, i]} for i in (0, 1)
    ]


def _draw_line(values: Array, names: list[str]) -> go.Scatter:
    shown = values if len(names) == 2 else np.empty((0, 2))
    return go.Scatter(
        x=shown[:, 0],
        y=shown[:, 1],
        mode="lines",
        line={"color": FRONT, "width": 1.2},
        opacity=0.5,
        hoverinfo="skip",
        name="front",
    )


def _draw_points(front: pd.DataFrame, names: list[str], values: Array) -> go.Scatter:
    hollow = find_outside(front)
    shapes = np.where(hollow, "circle-open", "circle").tolist()
    marker: dict[str, Any] = {
        "size": 10,
        "color": FRONT,
        "symbol": shapes,
        "line": {"width": np.where(hollow, 1.6, 0)},
    }
    if len(names) == 3:
        ramp = [
            [i / 8, f"rgb({r},{g},{b})"]
            for i, (r, g, b) in enumerate(build_ramp()[np.linspace(0, 255, 9).astype(int)])
        ]
        bar = {
            "title": style_title(escape_plotly(names[2], 24)),
            "thickness": 10,
            "outlinewidth": 0,
            "tickfont": SMALL,
        }
        marker |= {"color": values[:, 2], "colorscale": ramp, "showscale": True, "colorbar": bar}
    return go.Scatter(
        x=values[:, 0],
        y=values[:, 1],
        mode="markers",
        marker=marker,
        name="mixtures",
        text=[describe_point(front, row) for row in range(len(front))],
        hovertemplate="%{text}<extra></extra>",
    )


def describe_point(front: pd.DataFrame, row: int) -> str:
    """A point in words: predictions with their intervals, the largest weights."""
    lines = []
    for name in list_targets(front):
        value, low, high = (
            float(front[part][name].iloc[row]) for part in ("predicted", "low", "high")
        )
        between = f" ({low:.3f} to {high:.3f})" if np.isfinite(low) else ""
        lines.append(f"<b>{escape_plotly(name, 28)}</b> {value:.3f}{between}")
    weights = front["weight"].iloc[row].sort_values(ascending=False)
    lines += [
        f"{escape_plotly(str(domain), 28)} {100 * weight:.1f} %"
        for domain, weight in weights.head(6).items()
        if weight >= 0.0005
    ]
    if find_outside(front)[row]:
        lines.append(
            f"{100 * float(front['outside']['hull'].iloc[row]):.1f} % of the tokens "
            "outside the runs' hull"
        )
    return "<br>".join(lines)


def _draw_references(references: Mapping[str, Any], names: list[str]) -> go.Scatter:
    at = np.array(
        [[each["predicted"][name] for name in names[:2]] for each in references.values()]
    ).reshape(-1, 2)
    words = [
        "<br>".join(
            [
                f"<b>{escape_plotly(name)}</b>",
                *(f"{escape_plotly(n, 28)} {each['predicted'][n]:.3f}" for n in names),
            ]
        )
        for name, each in references.items()
    ]
    return go.Scatter(
        x=at[:, 0],
        y=at[:, 1],
        mode="markers+text",
        marker={"symbol": "diamond", "size": 9, "color": MUTED},
        text=[escape_plotly(name, 24) for name in references],
        textposition="top center",
        textfont=SMALL | {"color": MUTED},
        hovertext=words,
        hovertemplate="%{hovertext}<extra></extra>",
        name="references",
        cliponaxis=False,
    )


def draw_ring(front: pd.DataFrame, picked: int | None) -> go.Scatter:
    """A ring around the picked point, and its interval."""
    rows, names = [] if picked is None else [picked], list_targets(front)
    at = front["predicted"].to_numpy(np.float64)[rows]
    across, up = _draw_intervals(front, names, rows)
    return go.Scatter(
        x=at[:, 0],
        y=at[:, 1],
        mode="markers",
        hoverinfo="skip",
        name="picked",
        error_x=across,
        error_y=up,
        marker={"symbol": "circle-open", "size": 19, "color": PICKED, "line": {"width": 2.4}},
    )


def front_svg(
    front: pd.DataFrame, picked: int | None = None, width: int = 640, height: int = 360
) -> str:
    """The front as a plain SVG: transparent, grey text."""
    names, values = list_targets(front), front["predicted"].to_numpy(np.float64)[:, :2]
    references = front.attrs.get("references", {})
    marks = np.array(
        [[each["predicted"][name] for name in names[:2]] for each in references.values()]
    ).reshape(-1, 2)
    xs, ys = np.vstack([values, marks]).T
    across, down = (
        fit_scale(xs, 64, width - 24, room=0.04),
        fit_scale(ys, height - 44, 40, room=0.04),
    )
    parts = [
        draw_text(64, 14, html.escape(describe_front(front))),
        *draw_axes(across, down, title=html.escape(names[0])),
        draw_text(64, 29, html.escape(names[1])),
    ]
    if len(names) == 2:
        path = "L".join(f"{across.at(x):.1f} {down.at(y):.1f}" for x, y in values)
        parts.append(f'<path d="M{path}" stroke="{FRONT}" stroke-opacity=".5"/>')
    for row, ((x, y), hollow) in enumerate(zip(values, find_outside(front), strict=True)):
        place = f'cx="{across.at(x):.1f}" cy="{down.at(y):.1f}"'
        parts.append(
            f'<circle {place} r="4.5" stroke="{FRONT}" fill="{"none" if hollow else FRONT}"/>'
        )
        if row == picked:
            parts.append(f'<circle {place} r="9" stroke="{PICKED}" stroke-width="2"/>')
    for name, (x, y) in zip(references, marks, strict=True):
        left, top = across.at(x), down.at(y)
        parts += [
            f'<path d="M{left:.1f} {top - 6:.1f}l5 6l-5 6l-5 -6Z" fill="{MUTED}"/>',
            draw_text(left, top - 9, html.escape(name), "middle"),
        ]
    return assemble_svg(width, height, parts)
