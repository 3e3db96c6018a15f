"""The legend of the map's picture: the right colours in the right order, legible, and honest of what it leaves out."""

from __future__ import annotations

import importlib.util
import struct
import zlib

import numpy as np
import pytest

import reweightviz as rv
from reweightviz.figures.glyphs import HEIGHT, draw_words, measure_words, shorten_words
from reweightviz.figures.map_legend import INK, LegendEntry, draw_legend
from reweightviz.figures.palette import choose_colors, parse_hex


def decoded(png):
    width, height = struct.unpack(">II", png[16:24])
    start = png.index(b"IDAT") + 4
    lines = np.frombuffer(zlib.decompress(png[start:-12]), np.uint8).reshape(height, -1)
    return lines[:, 1:].reshape(height, width, 4)


def entries(k, **options):
    return [LegendEntry(f"domain {i}", choose_colors(k)[i], **options) for i in range(k)]


def dots(image, least=200):
    """The colours of a legend's dots, down each column, and how strong each is."""
    found = {}
    for x in range(image.shape[1]):
        for y in range(image.shape[0]):
            color = tuple(image[y, x, :3].tolist())
            if image[y, x, 3] >= least and color != INK:
                found.setdefault(color, (x // 60, y))
    return [color for color, _ in sorted(found.items(), key=lambda item: item[1])]


def test_every_domain_has_its_dot_and_name_in_order():
    image = draw_legend(entries(5), 300, 400)
    assert dots(image) == [parse_hex(color) for color in choose_colors(5)]
    assert (image[..., :3] == INK).all(axis=2).any()
    assert image.shape[0] == 400
    # As wide as the names need, no more.
    assert image.shape[1] < 100


def test_many_take_two_columns_and_the_rest_is_counted():
    image = draw_legend(entries(60), 300, 400)
    down = (400 - 12) // 19
    shown = 2 * down - 1
    assert dots(image) == [parse_hex(color) for color in choose_colors(60)[:shown]]
    last = draw_words(f"and {60 - shown} more")
    top = 6 + (down - 1) * 19
    left = 12 + (image.shape[1] - 12) // 2
    words = image[top : top + HEIGHT, left : left + last.shape[1], 3]
    np.testing.assert_array_equal(words, last[:, : words.shape[1]])
    assert draw_legend(entries(2 * down), 300, 400).shape == image.shape


def test_what_is_not_drawn_is_faint():
    assert dots(draw_legend(entries(3, is_drawn=False), 300, 400)) == []
    assert len(dots(draw_legend(entries(3, is_drawn=False), 300, 400), 60)) == 3


@pytest.mark.parametrize(("width", "height"), [(10, 400), (300, 5), (0, 0), (1, 1), (40, 400)])
def test_without_room_there_is_no_legend(width, height):
    image = draw_legend(entries(3), width, height)
    assert image.shape == (height, image.shape[1], 4)
    assert image.shape[1] <= width
    assert draw_legend([], 300, 400).shape[1] == 0


def test_the_picture_of_the_map_says_which_colour_is_which_domain():
    widget = rv.Map(np.eye(4, 2), domains=["web", "code", "math", "github/c++ 日本語"])
    widget.hidden = ["code"]
    image = decoded(widget.picture(400, 200))
    assert image.shape == (200, 400, 4)
    colors = dict(zip(widget.domains, map(parse_hex, widget.palette), strict=True))
    legend = image[:, 260:]
    drawn = [colors[name] for name in widget.domains if name != "code"]
    assert [color for color in dots(legend) if color in colors.values()] == drawn
    assert colors["code"] in dots(legend, 60)
    # No room for a name: the map alone.
    assert decoded(widget.picture(60, 40)).shape == (40, 60, 4)


def test_words_are_cut_where_they_end():
    assert shorten_words("a long name", 1000) == "a long name"
    assert measure_words(shorten_words("a long name", 50)) <= 50
    assert shorten_words("abc", 0) == "…"
    assert measure_words("日本") == 2 * measure_words("□")
    assert not draw_words("   ").any()
    assert draw_words("web").any()


@pytest.mark.parametrize("letter", ["g", "Á", "Ж", "λ", "…"])
def test_letters_differ_and_stand_inside_their_line(letter):
    drawn = draw_words(letter)
    assert drawn.any()
    assert drawn.shape[0] == HEIGHT
    assert not np.array_equal(drawn, draw_words("□"))


def test_the_letters_are_of_the_package():
    spec = importlib.util.find_spec("reweightviz.figures.glyphs")
    assert spec.origin.replace(".py", ".npz").endswith("reweightviz/figures/glyphs.npz")
