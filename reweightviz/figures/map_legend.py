"""The legend of the map's static picture: which colour is which domain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.figures.glyphs import HEIGHT, draw_words, measure_words, shorten_words
from reweightviz.figures.palette import parse_hex

__all__ = ["LegendEntry", "draw_legend"]


INK = (117, 117, 117)
"""Of the words: legible on white and on #111, for the picture is transparent."""
_ROW = HEIGHT + 3
_SWATCH = 18
"""Pixels from the left of a dot to its name."""
_WIDEST = 150
"""Pixels of a name; a longer one is cut."""
_NARROWEST = 25
"""Pixels of an entry that still tells one name from another."""
_GAP = 12
"""Pixels between two columns, and around the legend."""
_MOST_COLUMNS = 2
_FAINT = 0.35


class LegendEntry(NamedTuple):
    """One domain of a legend.

    Args:
        name: of the domain.
        color: in hex.
        is_drawn: whether the picture shows its documents; without, the entry is faint.
    """

    name: str
    color: str
    is_drawn: bool = True


def draw_legend(entries: Sequence[LegendEntry], width: int, height: int) -> NDArray[np.uint8]:
    """Return RGBA (height, at most width, 4) of dots and names, in two columns where it takes two.

    What has no room is counted in a last line. Where there is no room for one name, the picture
    has a width of 0.
    """
    down = (height - _GAP) // _ROW
    if down < 1 or not entries:
        return np.zeros((height, 0, 4), np.uint8)
    columns = min(_MOST_COLUMNS, -(-len(entries) // down))
    entry_width = _SWATCH + max(measure_words(entry.name) for entry in entries)
    entry_width = min(entry_width, _SWATCH + _WIDEST, (width - _GAP) // columns - _GAP)
    if entry_width < _NARROWEST:
        return np.zeros((height, 0, 4), np.uint8)
    room = columns * down
    image = np.zeros((height, columns * (entry_width + _GAP) + _GAP, 4), np.uint8)
    for place, entry in enumerate(entries[:room]):
        top = _GAP // 2 + place % down * _ROW
        left = _GAP + place // down * (entry_width + _GAP)
        if place == room - 1 and len(entries) > room:
            rest = shorten_words(f"and {len(entries) - place} more", entry_width)
            _put(image, draw_words(rest), INK, top, left)
        else:
            _draw_entry(image, entry, top, left, entry_width)
    return image


def _draw_entry(
    image: NDArray[np.uint8], entry: LegendEntry, top: int, left: int, width: int
) -> None:
    strength = 1.0 if entry.is_drawn else _FAINT
    across = np.arange(HEIGHT) - (HEIGHT - 1) / 2
    distance = np.hypot(across[:, None], across[None, :])
    dot = np.rint(255 * strength * np.clip(5.5 - distance, 0, 1)).astype(np.uint8)
    _put(image, dot, parse_hex(entry.color), top, left - 3)
    words = draw_words(shorten_words(entry.name, width - _SWATCH))
    _put(image, np.rint(strength * words).astype(np.uint8), INK, top, left + _SWATCH - 3)


def _put(
    image: NDArray[np.uint8],
    cover: NDArray[np.uint8],
    color: tuple[int, int, int],
    top: int,
    left: int,
) -> None:
    """Paint a colour where it covers, on what is still empty there."""
    room = image[top : top + len(cover), left : left + cover.shape[1]]
    seen = cover[:, : room.shape[1]]
    room[seen > 0] = [*color, 0]
    room[..., 3] = np.maximum(room[..., 3], seen)
