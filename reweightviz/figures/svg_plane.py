"""What every picture without JavaScript stands on: two scales with round numbers, words, the document."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from reweightviz.core.token_counts import POWERS
from reweightviz.core.types import Array
from reweightviz.figures.theme import MUTED

FONTS = "Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', 'Noto Sans', sans-serif"
"""Names too, because what draws an SVG outside of a browser may know no font by the name sans-serif."""
_APART = {True: 70, False: 30}  # pixels from one number to the next, at least: across, down


class Scale(NamedTuple):
    """From data (low to high) to pixels (start to end)."""

    low: float
    high: float
    start: float
    end: float

    def at(self, values: Array | float) -> Any:
        """Where values stand, in pixels."""
        return self.start + (self.end - self.start) * (values - self.low) / (self.high - self.low)

    def ticks(self, suffix: str | None = None) -> list[tuple[float, str]]:
        """Pixel and words of round numbers, as many as there is room for."""
        found = choose_ticks(
            self.low,
            self.high,
            max(int(abs(self.end - self.start) // _APART[self.end > self.start]), 2),
        )
        return [
            (self.at(value), words + (suffix or ""))
            for value, words in zip(found, _format_ticks(found), strict=True)
        ]


def fit_scale(
    values: Array, start: float, end: float, *, room: float = 0.0, from_zero: bool = False
) -> Scale:
    """From the least to the greatest and a share of room around; from 0 where all are above; a lone value in the middle."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if from_zero := from_zero and low >= 0:
        low = 0.0
    around = room * (high - low) if high > low else max(1.0, 0.1 * abs(low))
    return Scale(low if from_zero else low - around, high + around, start, end)


def choose_ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers from low to high, 1, 2 or 5 times a power of ten apart, about so many at most.

    >>> choose_ticks(1.74, 5.44, most=6)
    [2.0, 3.0, 4.0, 5.0]
    """
    least = (high - low) / most
    size = 10.0 ** math.floor(math.log10(least))
    step = size * next(factor for factor in (1, 2, 5, 10) if size * factor >= least)
    return [
        n * step for n in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def draw_axes(
    across: Scale,
    down: Scale,
    *,
    title: str = "",
    suffixes: tuple[str | None, str | None] = (None, None),
) -> list[str]:
    """Rules with their numbers, the numbers below, and what stands on x."""
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
    """A thin grey line from a point ``to`` where the path says."""
    return f'<path d="M{x:.1f} {y:.1f}{to}" stroke="{MUTED}" stroke-opacity="{opacity:g}" stroke-dasharray="{dash}"/>'


def draw_text(x: float, y: float, text: str, anchor: str = "start", fill: str = MUTED) -> str:
    """A line of text, escaped already."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{html.escape(fill)}">{text}</text>'


def assemble_svg(width: float, height: float, parts: Iterable[str]) -> str:
    """The SVG of its parts: transparent, and nothing filled that does not say so."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" '
        f'font-family="{FONTS}" font-size="11" fill="none">{"".join(parts)}</svg>'
    )


def _format_ticks(values: Sequence[float]) -> list[str]:
    """As short as they go, all in one way.

    >>> _format_ticks([0.1, 0.1 + 0.2]), _format_ticks([500, 1000]), _format_ticks([5e8, 1e9]), _format_ticks([0, 5e-5, 1e-4])
    (['0.1', '0.3'], ['500', '1,000'], ['0.5B', '1B'], ['0', '0.5e-4', '1e-4'])
    """
    largest = max(map(abs, values), default=0.0)
    unit, words = next(
        ((10.0**p, letter) for letter, p in reversed(POWERS.items()) if p > 3 and largest >= 10**p),
        (1.0, ""),
    )
    if 0 < largest < 1e-3:
        unit, words = (
            (size := 10.0 ** math.floor(math.log10(largest) + 1e-9)),
            f"e{math.log10(size):.0f}",
        )
    return [f"{value / unit:,.6g}{words}" if value else "0" for value in values]
