"""The ground of every picture without JavaScript: two scales with round numbers, words, the SVG."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from reweightviz.core.token_counts import POWERS
from reweightviz.core.types import Array
from reweightviz.figures.theme import MUTED

__all__ = [
    "FONTS",
    "Scale",
    "assemble_svg",
    "choose_ticks",
    "draw_axes",
    "draw_rule",
    "draw_text",
    "fit_scale",
]


FONTS = "Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', 'Noto Sans', sans-serif"
"""Names too: outside of a browser, no font may go by the name sans-serif."""
_APART = {True: 70, False: 30}  # pixels from one number to the next, at least: across, down


class Scale(NamedTuple):
    """From data (low to high) to pixels (start to end)."""

    low: float
    high: float
    start: float
    end: float

    def at(self, values: Array | float) -> Any:
        """Return the places of values, in pixels."""
        return self.start + (self.end - self.start) * (values - self.low) / (self.high - self.low)

    def ticks(self, suffix: str | None = None) -> list[tuple[float, str]]:
        """Return place and words of round numbers, as many as there is room for."""
        room = abs(self.end - self.start) // _APART[self.end > self.start]
        values = choose_ticks(self.low, self.high, max(int(room), 2))
        return [
            (self.at(value), words + (suffix or ""))
            for value, words in zip(values, _format_ticks(values), strict=True)
        ]


def fit_scale(
    values: Array, start: float, end: float, *, room: float = 0.0, from_zero: bool = False
) -> Scale:
    """Return the scale of values, with room around them.

    Args:
        values: numbers; a lone one stands in the middle.
        start: pixels of the low end.
        end: pixels of the high end.
        room: around the values, as a share of their range.
        from_zero: begin with 0 where all are above.
    """
    low = float(np.nanmin(values))
    high = float(np.nanmax(values))
    at_zero = from_zero and low >= 0
    if at_zero:
        low = 0.0
    around = room * (high - low) if high > low else max(1.0, 0.1 * abs(low))
    return Scale(low if at_zero else low - around, high + around, start, end)


def choose_ticks(low: float, high: float, most: int) -> list[float]:
    """Return round numbers, 1, 2 or 5 times a power of ten apart, about so many at most.

    >>> choose_ticks(1.74, 5.44, most=6)
    [2.0, 3.0, 4.0, 5.0]
    """
    least = (high - low) / most
    size = 10.0 ** math.floor(math.log10(least))
    step = size * next(factor for factor in (1, 2, 5, 10) if size * factor >= least)
    # A hair to either side, or rounding would lose a number that stands on the end.
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def draw_axes(
    across: Scale,
    down: Scale,
    *,
    title: str = "",
    suffixes: tuple[str | None, str | None] = (None, None),
) -> list[str]:
    """Draw rules with their numbers, the numbers below, and the title of x."""
    parts = [draw_text(across.end, down.start + 34, title, "end")]
    for at, words in down.ticks(suffixes[1]):
        parts += [
            draw_rule(across.start, at, f"H{across.end}", opacity=0.25),
            draw_text(across.start - 6, at + 4, words, "end"),
        ]
    return parts + [
        draw_text(at, down.start + 16, words, "middle") for at, words in across.ticks(suffixes[0])
    ]


def draw_rule(x: float, y: float, to: str, *, opacity: float = 1.0, dash: str = "none") -> str:
    """Draw a thin grey line from a point on, by the commands of a path."""
    style = f'stroke="{MUTED}" stroke-opacity="{opacity:g}" stroke-dasharray="{dash}"'
    return f'<path d="M{x:.1f} {y:.1f}{to}" {style}/>'


def draw_text(x: float, y: float, text: str, anchor: str = "start", fill: str = MUTED) -> str:
    """Draw a line of text, escaped already."""
    style = f'text-anchor="{anchor}" fill="{html.escape(fill)}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{text}</text>'


def assemble_svg(width: float, height: float, parts: Iterable[str]) -> str:
    """Return the SVG of parts: transparent, and nothing filled unless a part is."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" '
        f'font-family="{FONTS}" font-size="11" fill="none">{"".join(parts)}</svg>'
    )


def _format_ticks(values: Sequence[float]) -> list[str]:
    """Return numbers as short as they go, all in one way.

    >>> _format_ticks([0.1, 0.1 + 0.2]), _format_ticks([500, 1000])
    (['0.1', '0.3'], ['500', '1,000'])
    >>> _format_ticks([5e8, 1e9]), _format_ticks([0, 5e-5, 1e-4])
    (['0.5B', '1B'], ['0', '0.5e-4', '1e-4'])
    """
    largest = max(map(abs, values), default=0.0)
    unit, word = _choose_unit(largest)
    return [f"{value / unit:,.6g}{word}" if value else "0" for value in values]


def _choose_unit(largest: float) -> tuple[float, str]:
    """Return the unit of numbers up to the largest, and the letters behind them."""
    if 0 < largest < 1e-3:
        exponent = math.floor(math.log10(largest) + 1e-9)
        return 10.0**exponent, f"e{exponent}"
    for letter, power in reversed(POWERS.items()):
        if power > 3 and largest >= 10**power:
            return 10.0**power, letter
    return 1.0, ""
