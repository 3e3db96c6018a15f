"""The map as a PNG, drawn from the density grids, for pages where no widget runs."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reweightviz.figures.map_legend import LegendEntry, draw_legend
from reweightviz.figures.palette import parse_hex
from reweightviz.numerics.grids import density_grids, emphasis

__all__ = ["MARGIN", "blend_ink", "choose_dot_diameter", "draw_map", "encode_png", "fit_to_picture"]


MARGIN = 0.04


def draw_map(
    xy: NDArray[np.uint16],
    codes: NDArray[np.int32],
    palette: Sequence[str],
    *,
    weights: NDArray[np.float64],
    natural: NDArray[np.float64],
    width: int,
    height: int,
    names: Sequence[str] = (),
) -> bytes:
    """Return a transparent PNG of the map under ``weights``, a legend at its right.

    Args:
        xy: (N, 2) quantised places, y upwards.
        codes: (N,) domain of each document.
        palette: (K,) hex colours.
        weights: (K,) shares of training tokens.
        natural: (K,) the shares that draw every domain neutrally.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        names: (K,) of the domains, for the legend; it takes at most two fifths of the width, and
            is left out where that holds no name.
    """
    e = emphasis(weights, natural)
    legend = draw_legend(_list_entries(names, palette, e), 2 * width // 5, height)
    across = width - legend.shape[1]
    pixels = fit_to_picture(xy, across, height)
    grids = density_grids(pixels, codes, len(palette), (height, across))
    ink = blend_ink(grids, e, palette, dot=choose_dot_diameter(len(xy), across, height))
    return encode_png(np.concatenate([ink, legend], axis=1))


def _list_entries(
    names: Sequence[str], palette: Sequence[str], e: NDArray[np.float64]
) -> list[LegendEntry]:
    """Return a legend's entries, those that are drawn first."""
    entries = [
        LegendEntry(name, color, bool(strength > 0))
        for name, color, strength in zip(names, palette, e, strict=False)
    ]
    return sorted(entries, key=lambda entry: not entry.is_drawn)


def fit_to_picture(xy: NDArray[np.uint16], width: int, height: int) -> NDArray[np.float64]:
    """Return pixel positions (N, 2) that fit the points' box into the picture, y downwards."""
    low = xy.min(axis=0).astype(float)
    high = xy.max(axis=0).astype(float)
    room = np.array([width, height]) * (1 - 2 * MARGIN)
    scale = (room / np.maximum(high - low, 1)).min()
    centred = (xy - (low + high) / 2) * scale
    return np.asarray(centred * [1, -1] + [width / 2, height / 2], np.float64)


def choose_dot_diameter(n: int, width: int, height: int) -> float:
    """Return the pixels across a neutral point: n of them cover about a third of the picture."""
    return float(np.clip(np.sqrt(0.4 * width * height / max(n, 1)), 1.0, 6.0))


def blend_ink(
    grids: NDArray[np.float32], e: NDArray[np.float64], palette: Sequence[str], *, dot: float
) -> NDArray[np.uint8]:
    """Return RGBA (height, width, 4) of the ink ``e_k C_k``, opaque where it is much."""
    colours = np.array([(*parse_hex(color), 1) for color in palette], np.float32)
    per_domain = np.asarray(e, np.float32)[:, None] * colours
    ink = np.tensordot(grids, per_domain, axes=(0, 0))
    ink = _spread(ink, dot)
    total = ink[..., 3:]
    colour = np.divide(ink[..., :3], total, out=np.zeros_like(ink[..., :3]), where=total > 0)
    # As layers of thin paint: each covers the same share of what is still seen through.
    alpha = 255 * (1 - np.exp(-1.6 * total))
    rgba: NDArray[np.uint8] = np.rint(np.concatenate([colour, alpha], axis=2)).astype(np.uint8)
    return rgba


def _spread(ink: NDArray[np.float32], dot: float) -> NDArray[np.float32]:
    """Give every document the area of its dot: a small round kernel, its peak 1."""
    reach = int(np.ceil(dot / 2))
    out = np.zeros_like(ink)
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            cover = float(np.clip(dot / 2 + 0.5 - np.hypot(dx, dy), 0, 1))
            if cover > 0:
                out += cover * _shift(ink, dy, dx)
    return out


def _shift(ink: NDArray[np.float32], dy: int, dx: int) -> NDArray[np.float32]:
    moved = np.zeros_like(ink)
    height, width = ink.shape[:2]
    moved[_clip(dy, height), _clip(dx, width)] = ink[_clip(-dy, height), _clip(-dx, width)]
    return moved


def _clip(by: int, length: int) -> slice:
    """Return the part of an axis that is still there after a shift."""
    return slice(max(by, 0), length + min(by, 0))


def encode_png(rgba: NDArray[np.uint8]) -> bytes:
    """Return a PNG of (height, width, 4) bytes."""
    height, width = rgba.shape[:2]
    # Transparent pixels carry no colour: long runs of zeros compress well.
    rgba = np.where(rgba[..., 3:] > 0, rgba, 0)
    lines = np.concatenate([np.zeros((height, 1), np.uint8), rgba.reshape(height, -1)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
