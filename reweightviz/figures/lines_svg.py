"""Curves without JavaScript: a figure's lines as a plain SVG."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from scipy.optimize import isotonic_regression

from reweightviz.core.types import Array
from reweightviz.figures.lines import STROKES
from reweightviz.figures.svg_plane import (
    Scale,
    assemble_svg,
    draw_axes,
    draw_rule,
    draw_text,
    fit_scale,
)

__all__ = ["draw_svg"]


_LEFT, _TOP, _BOTTOM = 60, 24, 44  # pixels around the plot
_NAMES, _EDGE = 170, 16  # pixels right of the plot, with and without names
_SPACING = 13.0  # pixels from one name at the right to the next


class _Line(NamedTuple):
    """A trace, and its points in data or pixels."""

    trace: Any
    x: Array
    y: Array


def draw_svg(
    figure: go.Figure, width: int = 720, height: int = 300, *, ends: str = "domain"
) -> str:
    """Draw a figure's lines as a plain SVG, transparent, with grey words.

    Args:
        figure: as :func:`reweightviz.figures.lines.frame_lines` returns it.
        width: pixels.
        height: pixels.
        ends: whose name stands at a line's end: the ``"domain"``'s, beside a key of the runs'
            dashes where there are several; the ``"run"``'s; nobody's (``""``).
    """
    stacked = bool(figure.layout.meta["stacked"])
    lines = _read_lines(figure, stacked=stacked)
    unit, note = [words.text for words in figure.layout.annotations]
    parts = [draw_text(_LEFT, 14, unit), draw_text(width / 2, height / 2, note, "middle")]
    if not lines:
        return assemble_svg(width, height, parts)
    x_axis = figure.layout.xaxis
    y_axis = figure.layout.yaxis
    right = width - (_NAMES if ends else _EDGE)
    across = _fit_axis(np.concatenate([line.x for line in lines]), x_axis, _LEFT, right)
    down = _fit_axis(
        np.concatenate([line.y for line in lines]), y_axis, height - _BOTTOM, _TOP, room=0.04
    )
    suffixes = (x_axis.ticksuffix, y_axis.ticksuffix)
    parts += draw_axes(across, down, title=x_axis.title.text or "", suffixes=suffixes)
    parts += _draw_shapes(figure, across, down)
    if ends == "domain":
        parts += _draw_key(lines, down.start + 34)
    placed = [_Line(line.trace, across.at(line.x), down.at(line.y)) for line in lines]
    floor = np.full(len(lines[0].x), down.start)
    for line in placed:
        if stacked:
            parts.append(_draw_band(line, floor))
            floor = line.y
        parts += _draw_line(line)
        parts += _draw_markers(line)
    if ends:
        parts += _draw_names(placed, ends, down, across.end + 10, height)
    return assemble_svg(width, height, parts)


def _read_lines(figure: go.Figure, *, stacked: bool) -> list[_Line]:
    """Return the visible lines; of bands, from the bottom up, the sum of all before each."""
    lines = [
        _Line(trace, np.asarray(trace.x, float), np.asarray(trace.y, float))
        for trace in figure.data
        if trace.visible
    ]
    if stacked:
        sums = np.cumsum([np.nan_to_num(line.y) for line in lines], axis=0)
        lines = [line._replace(y=y) for line, y in zip(lines, sums, strict=True)]
    return lines


def _fit_axis(values: Array, axis: Any, start: float, end: float, *, room: float = 0.0) -> Scale:
    """Return the range that the figure sets, or else that of the values."""
    if axis.range:
        low, high = axis.range
        return Scale(low, high, start, end)
    return fit_scale(values, start, end, room=room, from_zero=axis.rangemode == "tozero")


# ---- the frame


def _draw_shapes(figure: go.Figure, across: Scale, down: Scale) -> list[str]:
    """Draw the figure's own lines: down through a change of the mixture, across at a limit."""
    parts = []
    for shape in figure.layout.shapes:
        text = shape.label.text or ""
        upright = shape.x0 == shape.x1
        place, scale = (shape.x0, across) if upright else (shape.y0, down)
        if not scale.low <= place <= scale.high:
            continue
        at = scale.at(place)
        if upright:
            parts.append(draw_rule(at, down.start, f"V{down.end}", dash=STROKES["dot"]))
            parts.append(draw_text(at + 3, down.end + 9, text))
        else:
            # Above the line, or below where it is at the upper edge.
            words = at + 13 if at < down.end + 12 else at - 4
            parts.append(draw_rule(across.start, at, f"H{across.end}"))
            parts.append(draw_text(across.start + 4, words, text))
    return parts


def _draw_key(lines: Sequence[_Line], y: float) -> list[str]:
    """Draw which run has which dash, where there are several."""
    runs = {line.trace.meta[3]: line.trace.line.dash for line in lines}
    if len(runs) < 2:
        return []
    width = min(480 / len(runs), 160)
    parts = []
    for n, (run, dash) in enumerate(runs.items()):
        left = _LEFT + n * width
        parts.append(draw_rule(left, y - 4, "h26", dash=STROKES[dash]))
        parts.append(draw_text(left + 32, y, run))
    return parts


def _draw_names(
    lines: Sequence[_Line], of: str, down: Scale, left: float, height: float
) -> list[str]:
    """Draw every name as near to where its line ends as the others let it."""
    ends = {}
    for trace, _, y in lines:
        if "lines" in trace.mode:
            name = trace.meta[3] if of == "run" else trace.name
            ends[name] = (y[np.isfinite(y)][-1], trace.line.color)
    rows = sorted((end, name, color) for name, (end, color) in ends.items())
    steps = min(_SPACING, (height - 12) / len(rows)) * np.arange(len(rows))
    # Places that keep their distance are those that rise once the distance is taken off: the
    # nearest ones are an isotonic regression.
    last = max(down.start, 6 + steps[-1]) - steps[-1]
    rising = isotonic_regression([end for end, _, _ in rows] - steps).x
    places = np.clip(rising, min(down.end, last), last) + steps
    return [
        draw_text(left, place + 4, name, fill=color)
        for place, (_, name, color) in zip(places, rows, strict=True)
    ]


# ---- lines, in pixels


def _draw_band(line: _Line, floor: Array) -> str:
    top = zip(line.x, line.y, strict=True)
    bottom = zip(line.x[::-1], floor[::-1], strict=True)
    path = "L".join(f"{across:.1f} {down:.1f}" for across, down in [*top, *bottom])
    color = html.escape(line.trace.line.color)
    return f'<path d="M{path}Z" fill="{color}" fill-opacity=".6"/>'


def _draw_line(line: _Line) -> list[str]:
    trace, x, y = line
    if "lines" not in trace.mode:
        return []
    gaps = np.flatnonzero(~np.isfinite(y))
    path = ""
    for piece in np.split(np.arange(len(y)), gaps):
        rows = piece[np.isfinite(y[piece])]
        if len(rows):
            # A piece of one point still leaves a mark: a line to itself, with round ends.
            path += "M" + "L".join(f"{x[i]:.1f} {y[i]:.1f}" for i in [*rows, rows[-1]])
    style = (
        f'stroke="{html.escape(trace.line.color)}" stroke-width="1.5" stroke-linecap="round" '
        f'stroke-opacity="{trace.opacity:.2f}" stroke-dasharray="{STROKES[trace.line.dash]}"'
    )
    return [f'<path d="{path}" {style}/>']


def _draw_markers(line: _Line) -> list[str]:
    """Draw the figure's own marks: dots, rings, crosses."""
    trace, x, y = line
    if "markers" not in trace.mode:
        return []
    color = html.escape(trace.line.color)
    parts = []
    symbols = trace.marker.symbol or "circle"
    for left, top, size, symbol in np.broadcast(x, y, trace.marker.size, symbols):
        if not size or not np.isfinite(top):
            continue
        r = size / 2
        if symbol == "x":
            cross = f"l{size} {size}m0 {-size}l{-size} {size}"
            shape = f'<path d="M{left - r:.1f} {top - r:.1f}{cross}"'
        else:
            shape = f'<circle cx="{left:.1f}" cy="{top:.1f}" r="{r}"'
        paint = "fill" if symbol == "circle" else "stroke"
        parts.append(f'{shape} {paint}="{color}" opacity="{trace.opacity:.2f}"/>')
    return parts
