"""Numbers as a log writes them: seven digits, whole numbers whole, gaps as None."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.types import Array

__all__ = ["DIGITS", "round_table", "round_to_write"]


DIGITS = 7
"""Of a number in a log."""
_WHOLE = 2.0**53  # whole numbers below it are exact
_POWERS = np.array([float(f"1e{power}") for power in range(23)])  # those that are exact
_LEAST = 10.0 ** (DIGITS - 1)  # whole number of that many digits
_UNSURE = 1e-6  # from the middle of two numbers of seven digits, where floats may round wrong


def round_to_write(value: float) -> float:
    """Return a number with the seven digits that a log holds; whole numbers stay whole."""
    if value.is_integer() and abs(value) < _WHOLE:
        return value
    return float(f"{value:.{DIGITS}g}")


def round_table(values: Array) -> list[Any]:
    """Return :func:`round_to_write` of each number, as lists; None where it is not finite.

    >>> round_table(np.array([[1 / 3, np.nan], [2.0**50, 123456789.5]]))
    [[0.3333333, None], [1125899906842624.0, 123456800.0]]
    """
    is_finite = np.isfinite(values)
    numbers = np.where(is_finite, values, 0.0)
    rounded, is_sure = _round_at_once(numbers)
    is_whole = (numbers == np.floor(numbers)) & (np.abs(numbers) < _WHOLE)
    rounded = np.where(is_whole, numbers, rounded)
    unsure = ~(is_sure | is_whole)
    rounded[unsure] = [round_to_write(value) for value in numbers[unsure].tolist()]
    cells = rounded.astype(object)
    cells[~is_finite] = None
    return list(cells.tolist())


def _round_at_once(numbers: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return numbers rounded to seven digits, and where that is sure to be exact.

    A whole number of seven digits and a power of ten up to 22 are exact as floats, so their
    quotient is the float nearest to the decimal, as Python reads it.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        power = DIGITS - 1 - np.floor(np.log10(np.abs(numbers)))
        is_near = np.abs(power) < len(_POWERS)
        scale = _POWERS[np.where(is_near, np.abs(power), 0.0).astype(np.intp)]
        scaled = np.where(power < 0, numbers / scale, numbers * scale)
        whole = np.rint(scaled)
        has_digits = (np.abs(scaled) >= _LEAST) & (np.abs(scaled) < 10 * _LEAST)
        is_sure = np.abs(np.abs(scaled - np.trunc(scaled)) - 0.5) > _UNSURE
        rounded = np.where(power < 0, whole * scale, whole / scale)
    return rounded, is_near & has_digits & is_sure
