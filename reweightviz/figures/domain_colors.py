"""One colour a domain, the same in every picture and widget of a session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from reweightviz.figures.palette import SIZE, choose_colors

__all__ = ["color_names", "forget_names"]


_PLACES: dict[str, int] = {}
"""Name to the place on the palette that it was given when it was first seen."""


def color_names(names: Iterable[str]) -> dict[str, str]:
    """Return name to hex colour, whatever the order of the names.

    A name keeps the colour that it was first given. New ones take, sorted by name, the first
    colours that no name has yet, so that the same domains have the same colours in any session, and
    one that comes later takes no one's away. Past sixty names in a session colours come again, but
    not twice in one call before the sixty-first.

    >>> color_names(["web", "code"]) == color_names(["code", "web"])
    True
    """
    wanted = list(dict.fromkeys(names))
    here: Counter[int] = Counter()
    places: dict[str, int] = {}
    # Those that were seen before come first.
    for name in sorted(wanted, key=lambda name: (name not in _PLACES, name)):
        place = _PLACES.get(name, -1)
        if place < 0 or (here[place] and len(wanted) <= SIZE):
            place = _find_free(here)
        places[name] = place
        here[place] += 1
        _PLACES.setdefault(name, place)
    palette = choose_colors(SIZE)
    return {name: palette[places[name]] for name in wanted}


def _find_free(here: Counter[int]) -> int:
    """Return the place that is used least in this picture, then in this session, then the first."""
    ever = Counter(_PLACES.values())
    return min(range(SIZE), key=lambda place: (here[place], ever[place], place))


def forget_names() -> None:
    """Let every name be seen for the first time again."""
    _PLACES.clear()
