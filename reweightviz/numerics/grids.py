"""Density grids of the map, and the effect of a weight on a point.

The ink of domain k under weights w is linear, ``e_k * C_k`` with the emphasis ``e_k = w_k /
natural_k``: a point's area times its opacity equals e below neutral. widgets/scales.js holds the
same formulas.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["LARGEST", "density_grids", "emphasis", "opacity", "quantise", "size_factor"]


LARGEST = 2.5
"""A point grows to at most this factor of its neutral diameter."""


def emphasis(weights: ArrayLike, natural: ArrayLike) -> NDArray[np.float64]:
    """Return the expected passes (K,) relative to the natural mixture: ``w / natural``.

    A domain with weight but no natural share counts as far above neutral (1e6); without weight it
    is 0.

    >>> emphasis([0.5, 0.5, 0.0], [0.25, 0.25, 0.5]).tolist()
    [2.0, 2.0, 0.0]
    """
    w = np.asarray(weights, np.float64)
    n = np.asarray(natural, np.float64)
    top = 1e6
    return np.where(n > 0, np.minimum(w / np.where(n > 0, n, 1), top), np.where(w > 0, top, 0.0))


def size_factor(e: ArrayLike) -> NDArray[np.float64]:
    """Return diameters (K,) relative to neutral: the cube root of the emphasis, at most 2.5.

    >>> size_factor([0, 1, 8, 1000]).tolist()
    [0.0, 1.0, 2.0, 2.5]
    """
    return np.minimum(np.cbrt(np.asarray(e, np.float64)), LARGEST)


def opacity(e: ArrayLike, neutral: float) -> NDArray[np.float64]:
    """Return opacities (K,): ``neutral`` at e = 1, 0 at 0, towards 1 above.

    >>> opacity([0, 1, 8], 0.6).round(2).tolist()
    [0.0, 0.6, 0.8]
    """
    root = np.cbrt(np.asarray(e, np.float64))
    return np.where(root <= 1, neutral * root, 1 - (1 - neutral) / np.maximum(root, 1))


def quantise(xy: ArrayLike) -> NDArray[np.uint16]:
    """Place points (N, 2) on a square of 65,536 steps a side; one scale for both axes, centred.

    >>> quantise([[0, 0], [2, 1]]).tolist()
    [[0, 16384], [65535, 49151]]
    """
    xy = np.asarray(xy, np.float64)
    low = xy.min(axis=0)
    high = xy.max(axis=0)
    middle = low / 2 + high / 2
    span = float((high / 2 - low / 2).max()) * 2
    unit = (xy - middle) / (span or 1.0) + 0.5
    steps: NDArray[np.uint16] = np.rint(np.clip(unit, 0, 1) * 65535).astype(np.uint16)
    return steps


def density_grids(
    pixels: ArrayLike, codes: ArrayLike, k: int, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Count the documents of each domain in each cell: C (K, height, width).

    Args:
        pixels: (N, 2) x to the right and y downwards, in cells; what lies outside is left out.
        codes: (N,) domain of each document, 0 to k - 1.
        k: number of domains.
        shape: height and width.

    >>> density_grids([[0.5, 0.5], [1.2, 0.9]], [0, 1], 2, (1, 2)).tolist()
    [[[1.0, 0.0]], [[0.0, 1.0]]]
    """
    height, width = shape
    column, row = np.floor(np.asarray(pixels, np.float64)).astype(np.int64).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    cell = (np.asarray(codes, np.int64) * height + row) * width + column
    counts = np.bincount(cell[inside], minlength=k * height * width)
    return counts.reshape(k, height, width).astype(np.float32)
