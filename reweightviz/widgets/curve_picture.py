"""Curves without JavaScript: a figure's lines as a plain SVG."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from reweightviz.widgets.figures import MUTED


def svg_of(figure: go.Figure, width: int = 720, height: int = 300) -> str:
    """The figure's lines as a plain SVG, each domain's name at its line's end; transparent, grey text."""
    drawn = [(trace, np.asarray(trace.x, float), np.asarray(trace.y, float))
             for trace in figure.data if trace.visible]
    stacked, below = bool(figure.layout.meta["stacked"]), 0.0
    if stacked:
        # Bands from the bottom up: each line is the sum of all before it.
        drawn = [(trace, x, below := below + np.nan_to_num(y)) for trace, x, y in drawn]
    unit, note = [words.text for words in figure.layout.annotations]
    parts = [_svg_text(60, 14, unit), _svg_text(width / 2, height / 2, note, "middle")]
    if drawn:
        parts += _svg_lines(drawn, width - 160, height, x_title=figure.layout.xaxis.title.text, stacked=stacked)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="sans-serif" font-size="11" fill="none">{"".join(parts)}</svg>')


def _svg_lines(drawn: Sequence[tuple[Any, Any, Any]], right: float, height: float, *, x_title: str,
               stacked: bool) -> list[str]:
    left, top, bottom = 60, 22, height - 34
    xs, ys = np.concatenate([x for _, x, _ in drawn]), np.concatenate([y for _, _, y in drawn])
    (x0, x1), (y0, y1) = (np.nanmin(xs), np.nanmax(xs)), (0.0 if stacked else np.nanmin(ys), np.nanmax(ys))
    parts, ends, floor = [], {}, np.full(len(drawn[0][1]), float(bottom))
    for value in np.linspace(y0, y1, 5 if y1 > y0 else 1):
        y = bottom - (bottom - top) * (value - y0) / ((y1 - y0) or 1)
        parts += [f'<path d="M{left} {y:.1f}H{right}" stroke="{MUTED}" stroke-opacity=".25"/>',
                  _svg_text(left - 6, y + 4, f"{value:.3g}", "end")]
    parts += [_svg_text(left, height - 16, f"{x0:,.0f}"),
              _svg_text(right, height - 16, f"{x_title} {x1:,.0f}", "end")]
    for trace, at, values in drawn:
        x = left + (right - left) * (at - x0) / ((x1 - x0) or 1)
        y = bottom - (bottom - top) * (values - y0) / ((y1 - y0) or 1)
        if stacked:
            parts.append(_svg_band(trace, x, y, floor))
            floor = y
        parts.append(_svg_line(trace, x, y))
        ends.setdefault(trace.name, (y[np.isfinite(y)][-1], trace.name, trace.line.color))
    rows = sorted(ends.values())
    gap = min(13.0, (height - 12) / len(rows))
    place = -np.inf
    for i, (y, name, color) in enumerate(rows):
        # Low enough for the name above, high enough for all those below.
        place = max(min(y, height - 6 - gap * (len(rows) - 1 - i)), place + gap)
        parts.append(_svg_text(right + 10, place + 4, name, fill=color))
    return parts


def _svg_band(trace: go.Scatter, x: NDArray[np.float64], y: NDArray[np.float64], floor: NDArray[np.float64]) -> str:
    corners = [*zip(x, y, strict=True), *zip(x[::-1], floor[::-1], strict=True)]
    path = "L".join(f"{across:.1f} {down:.1f}" for across, down in corners)
    return f'<path d="M{path}Z" fill="{html.escape(trace.line.color)}" fill-opacity=".6"/>'


def _svg_line(trace: go.Scatter, x: NDArray[np.float64], y: NDArray[np.float64]) -> str:
    gaps = np.flatnonzero(~np.isfinite(y))
    pieces = [piece[np.isfinite(y[piece])] for piece in np.split(np.arange(len(y)), gaps)]
    # A piece of one point still leaves a mark: a line to itself, with round ends.
    path = "".join("M" + "L".join(f"{x[i]:.1f} {y[i]:.1f}" for i in [*piece, piece[-1]])
                   for piece in pieces if len(piece))
    dash = "" if trace.line.dash == "solid" else ' stroke-dasharray="5 3"'
    return (f'<path d="{path}" stroke="{html.escape(trace.line.color)}" stroke-width="1.5" '
            f'stroke-linecap="round" stroke-opacity="{trace.opacity:.2f}"{dash}/>')


def _svg_text(x: float, y: float, text: str, anchor: str = "start", fill: str = MUTED) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{html.escape(fill)}">{text}</text>'
