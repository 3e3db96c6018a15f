"""Convex and concave functions of one number: values, tangents, and the cone of each.

A tangent is chosen by its slope, not by the point where it touches: where a weight is tiny its
slope is known well and itself hardly. The intercepts are those of Fenchel's conjugates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.types import Array

__all__ = ["Affine", "Entropy", "Exponential", "Function", "InversePower", "Root", "Values"]


class Affine:
    """``sum_b blocks[b] @ variables[b] + offset``, (n,), of blocks of variables by number."""

    __array_ufunc__ = None
    """NumPy then leaves ``array @ affine`` to ``__rmatmul__`` instead of taking it element-wise."""

    def __init__(self, blocks: Mapping[int, Array], offset: Array) -> None:
        self.blocks = dict(blocks)
        self.offset = offset

    def __rmatmul__(self, matrix: Array) -> Affine:
        blocks = {b: matrix @ block for b, block in self.blocks.items()}
        return Affine(blocks, matrix @ self.offset)

    def __add__(self, other: Affine | Array | float) -> Affine:
        if not isinstance(other, Affine):
            return Affine(self.blocks, self.offset + other)
        blocks = dict(self.blocks)
        for b, block in other.blocks.items():
            blocks[b] = blocks.get(b, 0.0) + block
        return Affine(blocks, self.offset + other.offset)

    def __neg__(self) -> Affine:
        return Affine({b: -block for b, block in self.blocks.items()}, -self.offset)

    def rows(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> Affine:
        """Return some of its parts."""
        return Affine({b: block[which] for b, block in self.blocks.items()}, self.offset[which])

    @property
    def varies(self) -> NDArray[np.bool_]:
        """Mark the parts (n,) that are no constants."""
        varies = np.zeros(len(self.offset), bool)
        for block in self.blocks.values():
            varies |= (block != 0).any(1)
        return varies

    def at(self, variables: list[Array]) -> Array:
        """Return its value (n,) where each block of variables has these values."""
        total = self.offset
        for b, block in self.blocks.items():
            total = total + block @ variables[b]
        return np.asarray(total, np.float64)


class Values:
    """The values (n,) of a function: a block of variables where its argument ``varies``.

    The other values are constants. A matrix makes it affine, as in ``matrix @ values``.
    """

    __array_ufunc__ = None

    def __init__(self, block: int, varies: NDArray[np.bool_], constant: Array) -> None:
        self._block = block
        self._varies = varies
        self._constant = constant

    def __rmatmul__(self, matrix: Array) -> Affine:
        return Affine({self._block: matrix[:, self._varies]}, matrix @ self._constant)


class Function(ABC):
    """A function f of the n parts of an argument r.

    A cone of three rows holds it: ``argument`` and ``own`` are the rows of r and of the variable
    that stands for f(r), the third is ``constant``. ``sign`` is -1 where the cone holds the
    variable's negative, ``slopes`` are the least and the largest slope of f, or of -f where it is
    concave.
    """

    argument: ClassVar[int]
    own: ClassVar[int]
    sign: ClassVar[float] = 1.0
    concave: ClassVar[bool] = False
    slopes: ClassVar[tuple[float, float]] = (-np.inf, 0.0)

    def __init__(self, r: Affine, parameter: Array) -> None:
        self.r = r
        self.parameter = parameter

    @property
    def constant(self) -> Array:
        """Return the cone's third row (n,)."""
        return np.ones(len(self.r.offset))

    @property
    def powers(self) -> Array | None:
        """Return exponents (n,) of power cones; None for exponential cones."""
        return None

    @abstractmethod
    def values(self, r: Array) -> Array:
        """Return f(r), (n,)."""

    @abstractmethod
    def touching(self, weight: Array, slope: Array) -> Array:
        """Return where (n,) a line of a ``slope`` (n,) touches the function.

        That is ``weight * f`` from below, or ``-weight * f`` of a concave f.

        Weights are above 0, slopes within ``slopes``.
        """

    def intercepts(self, weight: Array, slope: Array) -> Array:
        """Return the intercepts (n,) of the same lines.

        Minus infinity where no line of that slope lies below.
        """
        r = self.touching(weight, slope)
        # A line of slope 0 may touch at infinity, and 0 times infinity is no number.
        at_r = np.where(slope == 0, 0.0, slope * r)
        if self.concave:
            weight = -weight
        return weight * self.values(r) - at_r


class Exponential(Function):
    """``exp(r)``."""

    argument = 0
    own = 2
    slopes = (0.0, np.inf)

    def values(self, r: Array) -> Array:
        """Return ``exp(r)``."""
        return np.asarray(np.exp(r), np.float64)

    def touching(self, weight: Array, slope: Array) -> Array:
        """Return ``log(s / w)``."""
        return np.asarray(np.log(slope / weight), np.float64)


class Entropy(Function):
    """``r log(r / q)``, with q the parameter."""

    argument = 1
    own = 0
    sign = -1.0
    slopes = (-np.inf, np.inf)

    @property
    def constant(self) -> Array:
        """Return q."""
        return self.parameter

    def values(self, r: Array) -> Array:
        """Return ``r log(r / q)``, 0 at 0."""
        some = r > 0
        return np.where(some, r * np.log(np.where(some, r, 1.0) / self.parameter), 0.0)

    def touching(self, weight: Array, slope: Array) -> Array:
        """Return ``q exp(s / w - 1)``."""
        return np.asarray(self.parameter * np.exp(slope / weight - 1), np.float64)


class InversePower(Function):
    """``r ** -a``, with a > 0 the parameter."""

    argument = 1
    own = 0

    @property
    def powers(self) -> Array:
        """Return ``1 / (1 + a)``, the power of the variable."""
        return np.asarray(1 / (1 + self.parameter), np.float64)

    def values(self, r: Array) -> Array:
        """Return ``r ** -a``, infinite at 0 and below."""
        return np.asarray(np.maximum(r, 0.0) ** -self.parameter, np.float64)

    def touching(self, weight: Array, slope: Array) -> Array:
        """Return ``(a w / -s) ** (1 / (1 + a))``."""
        return np.asarray((self.parameter * weight / -slope) ** self.powers, np.float64)


class Root(Function):
    """``r ** a``, with 0 < a < 1 the parameter; concave."""

    argument = 0
    own = 2
    concave = True

    @property
    def powers(self) -> Array:
        """Return a, the power of the argument."""
        return self.parameter

    def values(self, r: Array) -> Array:
        """Return ``r ** a``, 0 below 0."""
        return np.asarray(np.maximum(r, 0.0) ** self.parameter, np.float64)

    def touching(self, weight: Array, slope: Array) -> Array:
        """Return ``(a w / -s) ** (1 / (1 - a))``."""
        a = self.parameter
        return np.asarray((a * weight / -slope) ** (1 / (1 - a)), np.float64)
