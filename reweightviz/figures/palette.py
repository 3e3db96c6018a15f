"""Colours: one list for what has names, one ramp for numbers.

The first eight keep an OKLab distance of at least 0.09 under protanopia, deuteranopia and
tritanopia (Machado, Oliveira, Fernandes 2009), 0.15 under normal sight; all stand on white and on
#111. They were searched for once; later ones were added farthest first.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import UnmetNeed

__all__ = ["MISSING", "SIZE", "build_ramp", "choose_colors", "parse_hex"]


_COLORS = (
    "#60a7ff",
    "#ee4c21",
    "#db9f1a",
    "#116d8a",
    "#e160bd",
    "#639c6f",
    "#9442d9",
    "#b52b5b",
    "#c8a9bc",
    "#935105",
    "#2a5efb",
    "#8f7890",
    "#77c565",
    "#a47ce3",
    "#c41aad",
    "#fd8298",
    "#2d9404",
    "#6467be",
    "#1798bf",
    "#be7f53",
    "#4b693a",
    "#3ac2d6",
    "#f98be3",
    "#934f98",
    "#cf5cfc",
    "#cb5982",
    "#5282fa",
    "#f77c3d",
    "#653de9",
    "#795a65",
    "#c91e0f",
    "#9fa02c",
    "#82774b",
    "#fd4275",
    "#dc0183",
    "#18856f",
    "#b558ca",
    "#c581a7",
    "#aca9fa",
    "#8ab598",
    "#bd5a42",
    "#0466c6",
    "#09b856",
    "#cf8cfd",
    "#f762ef",
    "#e89f7f",
    "#7a60fd",
    "#ee063f",
    "#8b96cc",
    "#1ec4a4",
    "#03741d",
    "#327fc7",
    "#9f2ca7",
    "#6d8205",
    "#b21b83",
    "#e86e72",
    "#916eb8",
    "#794aba",
    "#f134a4",
    "#a18220",
)
SIZE = len(_COLORS)
MISSING = (150, 150, 150)
"""The grey of NaN and of documents in no category."""


def choose_colors(k: int) -> list[str]:
    """Return hex colours of ``k`` things, in their order; they repeat after sixty.

    >>> choose_colors(2)
    ['#60a7ff', '#ee4c21']
    """
    if k < 0:
        raise UnmetNeed(name="choose_colors(k)", value=k, expected="a count of 0 or more")
    return [_COLORS[i % len(_COLORS)] for i in range(k)]


def parse_hex(color: str) -> tuple[int, int, int]:
    """Return the three bytes of a hex colour.

    >>> parse_hex("#60a7ff")
    (96, 167, 255)
    """
    red, green, blue = bytes.fromhex(color.removeprefix("#"))
    return red, green, blue


@cache
def build_ramp() -> NDArray[np.uint8]:
    """Return a ramp (256, 3) for numbers, low to high: indigo, rose, amber.

    Lightness and hue of OKLCH rise evenly (B. Ottosson, "A perceptual color space for image
    processing"), so that equal steps look equal and order survives colour blindness.
    """
    t = np.linspace(0, 1, 256)
    lightness = 0.43 + 0.40 * t
    hue = np.radians(275 + 170 * t)
    chroma = np.full(256, 0.2)
    # As colourful as a screen can show at that lightness and hue.
    for _ in range(60):
        linear = _convert_to_rgb(lightness, chroma, hue)
        outside = ((linear < 0) | (linear > 1)).any(axis=1)
        chroma = np.where(outside, chroma * 0.97, chroma)
    # Smoothed, or the edge of what a screen can show would be seen as a band.
    linear = np.clip(_convert_to_rgb(lightness, _smooth(chroma), hue), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    table: NDArray[np.uint8] = np.rint(255 * encoded).astype(np.uint8)
    table.setflags(write=False)
    return table


def _smooth(values: NDArray[np.float64], width: int = 41) -> NDArray[np.float64]:
    padded = np.pad(values, width // 2, mode="edge")
    return np.convolve(padded, np.ones(width) / width, mode="valid")


def _convert_to_rgb(
    lightness: NDArray[np.float64], chroma: NDArray[np.float64], hue: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return linear sRGB (n, 3) of OKLCH, by the matrices of OKLab's author."""
    a = chroma * np.cos(hue)
    b = chroma * np.sin(hue)
    l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return np.stack(
        [
            4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
            -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
            -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
        ],
        axis=1,
    )
