"""Curves without JavaScript: a figure's lines as a plain SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from reweightviz.widgets.figures import MUTED

Floats = NDArray[np.float64]
_Drawn = tuple[Any, Floats, Floats]  # a trace, its x and its y
FONTS = "Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', 'Noto Sans', sans-serif"
"""Names too, because what draws an SVG outside of a browser may know no font by the name sans-serif."""
_DASHES = {"solid": "", "dot": "1.5 4", "dash": "7 4", "dashdot": "7 4 1.5 4", "longdash": "12 5", "longdashdot": "12 5 1.5 5"}
_LINE = 13.0  # pixels from one name at the right to the next


class _Scale(NamedTuple):
    """From data (low to high) to pixels (start to end)."""

    low: float
    high: float
    start: float
    end: float

    def at(self, values: Floats | float) -> Any:
        return self.start + (self.end - self.start) * (values - self.low) / (self.high - self.low)

    def ticks(self, suffix: str | None = None) -> list[tuple[float, str]]:
        """Pixel and words of round numbers, as many as there is room for."""
        found = round_numbers(self.low, self.high, max(int(abs(self.end - self.start) // (70 if self.end > self.start else 30)), 2))
        return [(self.at(value), words + (suffix or "")) for value, words in zip(found, _numbers(found), strict=True)]


def round_numbers(low: float, high: float, most: int) -> list[float]:
    """Round numbers from low to high, 1, 2 or 5 times a power of ten apart, about so many at most.

    >>> round_numbers(1.74, 5.44, most=6)
    [2.0, 3.0, 4.0, 5.0]
    """
    least = (high - low) / most
    size = 10.0 ** math.floor(math.log10(least))
    step = size * next(factor for factor in (1, 2, 5, 10) if size * factor >= least)
    return [n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def svg_of(figure: go.Figure, width: int = 720, height: int = 300, *, ends: str = "domain") -> str:
    """The figure's lines as a plain SVG, transparent, with grey words.

    Args:
        figure: as :func:`reweightviz.widgets.figures.framed` makes it.
        width: pixels.
        height: pixels.
        ends: whose name stands at a line's end: the ``"domain"``'s, beside a key of the runs' dashes where there are several; the
            ``"run"``'s; nobody's (``""``).
    """
    drawn = [(trace, np.asarray(trace.x, float), np.asarray(trace.y, float)) for trace in figure.data if trace.visible]
    if stacked := bool(figure.layout.meta["stacked"]):
        # Bands from the bottom up: each line is the sum of all before it.
        sums = np.cumsum([np.nan_to_num(y) for _, _, y in drawn], axis=0)
        drawn = [(trace, x, y) for (trace, x, _), y in zip(drawn, sums, strict=True)]
    unit, note = [words.text for words in figure.layout.annotations]
    parts = [words_at(60, 14, unit), words_at(width / 2, height / 2, note, "middle")]
    if drawn:
        xs, ys = (np.concatenate([row[i] for row in drawn]) for i in (1, 2))
        across = _scale(xs, figure.layout.xaxis, 60, width - (170 if ends else 16))
        down = _scale(ys, figure.layout.yaxis, height - 44, 24, room=0.04)
        parts += _axes(figure, across, down) + _shapes(figure, across, down) + (_runs(drawn, down.start + 34) if ends == "domain" else [])
        floor = np.full(len(drawn[0][1]), down.start)
        for trace, x, y in drawn:
            if stacked:
                parts.append(_band(trace, across.at(x), down.at(y), floor))
                floor = down.at(y)
            parts += _line(trace, across.at(x), down.at(y)) + _marks(trace, across.at(x), down.at(y))
        parts += _names(drawn, ends, down, (across.end + 10, height)) if ends else []
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="{FONTS}" font-size="11" fill="none">{"".join(parts)}</svg>')


def _scale(values: Floats, axis: Any, start: float, end: float, *, room: float = 0.0) -> _Scale:
    """From the least to the greatest and a share of room around; from 0 where the axis begins there; a lone value in the middle."""
    if axis.range:
        return _Scale(*axis.range, start, end)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if from_zero := axis.rangemode == "tozero" and low >= 0:
        low = 0.0
    around = room * (high - low) if high > low else max(1.0, 0.1 * abs(low))
    return _Scale(low if from_zero else low - around, high + around, start, end)


def _axes(figure: go.Figure, across: _Scale, down: _Scale) -> list[str]:
    """Rules, numbers, and what stands on x."""
    x, y = figure.layout.xaxis, figure.layout.yaxis
    parts = [words_at(across.end, down.start + 34, x.title.text or "", "end")]
    for at, words in down.ticks(y.ticksuffix):
        parts += [f'<path d="M{across.start} {at:.1f}H{across.end}" stroke="{MUTED}" stroke-opacity=".25"/>',
                  words_at(across.start - 6, at + 4, words, "end")]
    parts += [words_at(at, down.start + 16, words, "middle") for at, words in across.ticks(x.ticksuffix)]
    return parts


def _shapes(figure: go.Figure, across: _Scale, down: _Scale) -> list[str]:
    """The figure's own lines with their words: down through a change of the mixture, across at a limit."""
    parts = []
    for shape in figure.layout.shapes:
        text, upright = shape.label.text or "", shape.x0 == shape.x1
        place, scale = (shape.x0, across) if upright else (shape.y0, down)
        at = scale.at(place)
        if upright and scale.low <= place <= scale.high:
            parts += [f'<path d="M{at:.1f} {down.start}V{down.end}" stroke="{MUTED}"{_dashed("dot")}/>',
                      words_at(at + 3, down.end + 9, text)]
        elif scale.low <= place <= scale.high:
            parts += [f'<path d="M{across.start} {at:.1f}H{across.end}" stroke="{MUTED}"/>',
                      words_at(across.start + 4, at + (13 if at < down.end + 12 else -4), text)]
    return parts


def _runs(drawn: Sequence[_Drawn], y: float) -> list[str]:
    """Which run has which dash, where there are several."""
    runs = {trace.meta[3]: trace.line.dash for trace, _, _ in drawn}
    if len(runs) < 2:
        return []
    width = min(480 / len(runs), 160)
    return [part for n, (run, dash) in enumerate(runs.items()) for part in (
        f'<path d="M{60 + n * width:.1f} {y - 4}h26" stroke="{MUTED}" stroke-width="1.5"{_dashed(dash)}/>',
        words_at(92 + n * width, y, run))]


def _names(drawn: Sequence[_Drawn], of: str, down: _Scale, corner: tuple[float, float]) -> list[str]:
    """Every name as near to where its line ends as the others let it."""
    left, height = corner
    ends = {trace.meta[3] if of == "run" else trace.name: (down.at(y[np.isfinite(y)][-1]), trace.line.color)
            for trace, _, y in drawn if "lines" in trace.mode}
    rows = sorted((end, name, color) for name, (end, color) in ends.items())
    steps = min(_LINE, (height - 12) / len(rows)) * np.arange(len(rows))
    last = max(down.start, 6 + steps[-1]) - steps[-1]
    places = np.clip(isotonic_regression([end for end, _, _ in rows] - steps).x, min(down.end, last), last) + steps
    return [words_at(left, place + 4, name, fill=color) for place, (_, name, color) in zip(places, rows, strict=True)]


def _band(trace: go.Scatter, x: Floats, y: Floats, floor: Floats) -> str:
    corners = [*zip(x, y, strict=True), *zip(x[::-1], floor[::-1], strict=True)]
    path = "L".join(f"{across:.1f} {down:.1f}" for across, down in corners)
    return f'<path d="M{path}Z" fill="{html.escape(trace.line.color)}" fill-opacity=".6"/>'


def _line(trace: go.Scatter, x: Floats, y: Floats) -> list[str]:
    if "lines" not in trace.mode:
        return []
    gaps = np.flatnonzero(~np.isfinite(y))
    pieces = [piece[np.isfinite(y[piece])] for piece in np.split(np.arange(len(y)), gaps)]
    # A piece of one point still leaves a mark: a line to itself, with round ends.
    path = "".join("M" + "L".join(f"{x[i]:.1f} {y[i]:.1f}" for i in [*piece, piece[-1]])
                   for piece in pieces if len(piece))
    style = f'stroke="{html.escape(trace.line.color)}" stroke-width="1.5" stroke-linecap="round" stroke-opacity="{trace.opacity:.2f}"'
    return [f'<path d="{path}" {style}{_dashed(trace.line.dash)}/>']


def _marks(trace: go.Scatter, x: Floats, y: Floats) -> list[str]:
    """The figure's own marks: dots, rings, crosses."""
    if "markers" not in trace.mode:
        return []
    color, marks = html.escape(trace.line.color), []
    for left, top, size, symbol in np.broadcast(x, y, trace.marker.size, trace.marker.symbol or "circle"):
        if size and np.isfinite(top):
            r = size / 2
            shape = (f'<path d="M{left - r:.1f} {top - r:.1f}l{size} {size}m0 {-size}l{-size} {size}"' if symbol == "x"
                     else f'<circle cx="{left:.1f}" cy="{top:.1f}" r="{r}"')
            marks.append(f'{shape} {"fill" if symbol == "circle" else "stroke"}="{color}" opacity="{trace.opacity:.2f}"/>')
    return marks


def _dashed(dash: str | None) -> str:
    return f' stroke-dasharray="{_DASHES[dash]}"' if dash and dash != "solid" else ""


def _numbers(values: Sequence[float]) -> list[str]:
    """As short as they go, all in one way.

    >>> _numbers([0.1, 0.1 + 0.2]), _numbers([500, 1000]), _numbers([5e8, 1e9]), _numbers([0, 5e-5, 1e-4])
    (['0.1', '0.3'], ['500', '1,000'], ['0.5B', '1B'], ['0', '0.5e-4', '1e-4'])
    """
    largest = max(map(abs, values), default=0.0)
    power, words = next(((p, word) for p, word in ((1e12, "T"), (1e9, "B"), (1e6, "M")) if largest >= p), (1.0, ""))
    if 0 < largest < 1e-3:
        power, words = (size := 10.0 ** math.floor(math.log10(largest) + 1e-9)), f"e{math.log10(size):.0f}"
    return [f"{value / power:,.6g}{words}" if value else "0" for value in values]


def words_at(x: float, y: float, text: str, anchor: str = "start", fill: str = MUTED) -> str:
    """A line of plotly's escaped text as SVG."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{html.escape(fill)}">{text}</text>'
