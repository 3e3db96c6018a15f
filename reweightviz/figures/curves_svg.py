"""Curves without JavaScript: a figure's lines as a plain SVG."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from scipy.optimize import isotonic_regression

from reweightviz.core.types import Array
from reweightviz.figures.curves import STROKES
from reweightviz.figures.svg_plane import (
    Scale,
    assemble_svg,
    draw_axes,
    draw_rule,
    draw_text,
    fit_scale,
)

_Drawn = tuple[Any, Array, Array]  # a trace, its x and its y
_LINE = 13.0  # pixels from one name at the right to the next


def draw_svg(
    figure: go.Figure, width: int = 720, height: int = 300, *, ends: str = "domain"
) -> str:
    """The figure's lines as a plain SVG, transparent, with grey words.

    Args:
        figure: as :func:`reweightviz.figures.curves.frame_lines` makes it.
        width: pixels.
        height: pixels.
        ends: whose name stands at a line's end: the ``"domain"``'s, beside a key of the runs'
            dashes where there are several; the ``"run"``'s; nobody's (``""``).
    """
    drawn = [
        (trace, np.asarray(trace.x, float), np.asarray(trace.y, float))
        for trace in figure.data
        if trace.visible
    ]
    if stacked := bool(figure.layout.meta["stacked"]):
        # Bands from the bottom up: each line is the sum of all before it.
        sums = np.cumsum([np.nan_to_num(y) for _, _, y in drawn], axis=0)
        drawn = [(trace, x, y) for (trace, x, _), y in zip(drawn, sums, strict=True)]
    unit, note = [words.text for words in figure.layout.annotations]
    parts = [draw_text(60, 14, unit), draw_text(width / 2, height / 2, note, "middle")]
    if drawn:
        xs, ys = (np.concatenate([row[i] for row in drawn]) for i in (1, 2))
        x_axis, y_axis = figure.layout.xaxis, figure.layout.yaxis
        across, down = (
            _fit_axis(xs, x_axis, 60, width - (170 if ends else 16)),
            _fit_axis(ys, y_axis, height - 44, 24, room=0.04),
        )
        parts += draw_axes(
            across,
            down,
            title=x_axis.title.text or "",
            suffixes=(x_axis.ticksuffix, y_axis.ticksuffix),
        )
        parts += _draw_shapes(figure, across, down) + (
            _draw_key(drawn, down.start + 34) if ends == "domain" else []
        )
        floor = np.full(len(drawn[0][1]), down.start)
        for trace, x, y in drawn:
            if stacked:
                parts.append(_draw_band(trace, across.at(x), down.at(y), floor))
                floor = down.at(y)
            parts += _draw_line(trace, across.at(x), down.at(y)) + _draw_markers(
                trace, across.at(x), down.at(y)
            )
        parts += _draw_names(drawn, ends, down, (across.end + 10, height)) if ends else []
    return assemble_svg(width, height, parts)


def _fit_axis(values: Array, axis: Any, start: float, end: float, *, room: float = 0.0) -> Scale:
    """The range that the figure sets, or else that of the values."""
    return (
        Scale(*axis.range, start, end)
        if axis.range
        else fit_scale(values, start, end, room=room, from_zero=axis.rangemode == "tozero")
    )


def _draw_shapes(figure: go.Figure, across: Scale, down: Scale) -> list[str]:
    """The figure's own lines with their words: down through a change of the mixture, across at a limit."""
    parts = []
    for shape in figure.layout.shapes:
        text, upright = shape.label.text or "", shape.x0 == shape.x1
        place, scale = (shape.x0, across) if upright else (shape.y0, down)
        at = scale.at(place)
        if upright and scale.low <= place <= scale.high:
            parts += [
                draw_rule(at, down.start, f"V{down.end}", dash=STROKES["dot"]),
                draw_text(at + 3, down.end + 9, text),
            ]
        elif scale.low <= place <= scale.high:
            parts += [
                draw_rule(across.start, at, f"H{across.end}"),
                draw_text(across.start + 4, at + (13 if at < down.end + 12 else -4), text),
            ]
    return parts


def _draw_key(drawn: Sequence[_Drawn], y: float) -> list[str]:
    """Which run has which dash, where there are several."""
    runs = {trace.meta[3]: trace.line.dash for trace, _, _ in drawn}
    if len(runs) < 2:
        return []
    width = min(480 / len(runs), 160)
    return [
        part
        for n, (run, dash) in enumerate(runs.items())
        for part in (
            draw_rule(60 + n * width, y - 4, "h26", dash=STROKES[dash]),
            draw_text(92 + n * width, y, run),
        )
    ]


def _draw_names(
    drawn: Sequence[_Drawn], of: str, down: Scale, corner: tuple[float, float]
) -> list[str]:
    """Every name as near to where its line ends as the others let it."""
    left, height = corner
    ends = {
        trace.meta[3] if of == "run" else trace.name: (
            down.at(y[np.isfinite(y)][-1]),
            trace.line.color,
        )
        for trace, _, y in drawn
        if "lines" in trace.mode
    }
    rows = sorted((end, name, color) for name, (end, color) in ends.items())
    steps = min(_LINE, (height - 12) / len(rows)) * np.arange(len(rows))
    last = max(down.start, 6 + steps[-1]) - steps[-1]
    places = (
        np.clip(
            isotonic_regression([end for end, _, _ in rows] - steps).x, min(down.end, last), last
        )
        + steps
    )
    return [
        draw_text(left, place + 4, name, fill=color)
        for place, (_, name, color) in zip(places, rows, strict=True)
    ]


def _draw_band(trace: go.Scatter, x: Array, y: Array, floor: Array) -> str:
    corners = [*zip(x, y, strict=True), *zip(x[::-1], floor[::-1], strict=True)]
    path = "L".join(f"{across:.1f} {down:.1f}" for across, down in corners)
    return f'<path d="M{path}Z" fill="{html.escape(trace.line.color)}" fill-opacity=".6"/>'


def _draw_line(trace: go.Scatter, x: Array, y: Array) -> list[str]:
    if "lines" not in trace.mode:
        return []
    gaps = np.flatnonzero(~np.isfinite(y))
    pieces = [piece[np.isfinite(y[piece])] for piece in np.split(np.arange(len(y)), gaps)]
    # A piece of one point still leaves a mark: a line to itself, with round ends.
    path = "".join(
        "M" + "L".join(f"{x[i]:.1f} {y[i]:.1f}" for i in [*piece, piece[-1]])
        for piece in pieces
        if len(piece)
    )
    style = f'stroke="{html.escape(trace.line.color)}" stroke-width="1.5" stroke-linecap="round" stroke-opacity="{trace.opacity:.2f}"'
    return [f'<path d="{path}" {style} stroke-dasharray="{STROKES[trace.line.dash]}"/>']


def _draw_markers(trace: go.Scatter, x: Array, y: Array) -> list[str]:
    """The figure's own marks: dots, rings, crosses."""
    if "markers" not in trace.mode:
        return []
    color, marks = html.escape(trace.line.color), []
    for left, top, size, symbol in np.broadcast(
        x, y, trace.marker.size, trace.marker.symbol or "circle"
    ):
        if size and np.isfinite(top):
            r = size / 2
            shape = (
                f'<path d="M{left - r:.1f} {top - r:.1f}l{size} {size}m0 {-size}l{-size} {size}"'
                if symbol == "x"
                else f'<circle cx="{left:.1f}" cy="{top:.1f}" r="{r}"'
            )
            marks.append(
                f'{shape} {"fill" if symbol == "circle" else "stroke"}="{color}" '
                f'opacity="{trace.opacity:.2f}"/>'
            )
    return marks
