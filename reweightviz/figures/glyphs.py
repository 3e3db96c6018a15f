"""Words drawn into a picture by letters of our own, for a server may have no font.

``tools/draw_glyphs.py`` made them, of Latin, Greek and Cyrillic; any other is drawn as a box.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["HEIGHT", "draw_words", "measure_words", "shorten_words"]


HEIGHT = 16
"""Pixels of a line."""
_FILE = Path(__file__).parent / "glyphs.npz"
_BOX = "□"


class _Glyphs(NamedTuple):
    places: dict[str, int]
    advances: NDArray[np.uint8]
    coverage: NDArray[np.uint8]


@cache
def _load() -> _Glyphs:
    with np.load(_FILE) as file:
        places = {chr(code): place for place, code in enumerate(file["codes"].tolist())}
        return _Glyphs(places, file["advances"], file["coverage"])


def _find_places(words: str) -> list[int]:
    known = _load().places
    return [known.get(letter, known[_BOX]) for letter in words]


def measure_words(words: str) -> int:
    """Return the pixels that words are wide."""
    return int(_load().advances[_find_places(words)].sum(dtype=int))


def shorten_words(words: str, width: int) -> str:
    """Return words as they are, or as much of them as fits into ``width`` pixels with an ellipsis.

    >>> shorten_words("web", 100), shorten_words("a name that goes on", 60)
    ('web', 'a name…')
    """
    if measure_words(words) <= width:
        return words
    while words and measure_words(f"{words}…") > width:
        words = words[:-1]
    return f"{words.rstrip()}…"


def draw_words(words: str) -> NDArray[np.uint8]:
    """Return how far each pixel is covered, (HEIGHT, width) from 0 to 255."""
    glyphs = _load()
    places = _find_places(words)
    across = glyphs.coverage.shape[2]
    line = np.zeros((HEIGHT, measure_words(words) + across), np.uint8)
    left = 0
    for place in places:
        under = line[:, left : left + across]
        # A letter may reach over into the room of the next.
        np.maximum(under, glyphs.coverage[place], out=under)
        left += int(glyphs.advances[place])
    return line
