"""Numbers as loggers and spreadsheets write them: one reader for the cells of every format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reweightviz.core.types import Array
from reweightviz.readers._commas import find_comma, write_point

__all__ = ["LARGEST_STEP", "Cells", "flatten", "number_of", "read_numbers", "step_of_cell"]


LARGEST_STEP = 2**53
"""Whole numbers up to it are exact as floats."""
_DEEPEST = 50  # mappings in a row's mappings


class Cells(NamedTuple):
    """The cells of a column: numbers (n,), and the text of those that are none.

    A number is NaN where nothing was logged, infinite where what was logged is not finite.
    """

    numbers: Array
    unread: list[str]


def number_of(value: Any, comma: str = "") -> float | None:
    """Return a number, infinite where it is not finite; None where it is none.

    Args:
        value: a number, or its text.
        comma: what it is in a text as "1,234", "thousands" or "decimal"; unknown, that is no
            number.

    Example:
        >>> number_of("NaN"), number_of(True), number_of("0.5"), number_of(2), number_of(10**400)
        (inf, None, 0.5, 2.0, inf)
        >>> number_of("1,234.5"), number_of("2,5"), number_of("1,234")
        (1234.5, 2.5, None)
    """
    # To Python a bool is a number, in a log it is a flag.
    if isinstance(value, bool | np.bool_) or value is None:
        return None
    if isinstance(value, str):
        value = write_point(value.strip(), comma)
    try:
        number = float(value)
    except OverflowError:
        return np.inf
    except (TypeError, ValueError):
        return None
    # NaN is kept for what was not logged.
    return number if np.isfinite(number) else np.inf


def step_of_cell(value: Any) -> int | None:
    """Return a step, a whole number within 2**53; None for anything else.

    >>> step_of_cell("1,000"), step_of_cell(20.0), step_of_cell(2.7), step_of_cell(1e30)
    (1000, 20, None, None)
    """
    number = number_of(value, comma="thousands")
    if number is None or abs(number) > LARGEST_STEP or not number.is_integer():
        return None
    return int(number)


def read_numbers(column: pd.Series) -> Cells:
    """Read the cells of a column, of numbers or their texts.

    >>> cells = read_numbers(pd.Series(["999.5", "1,234", "", "n/a", "nan"], dtype=object))
    >>> cells.numbers.tolist(), cells.unread
    ([999.5, 1234.0, nan, nan, inf], ['n/a'])
    """
    numbers = np.array(pd.to_numeric(column, errors="coerce"), np.float64)
    odd = np.flatnonzero(~np.isfinite(numbers) & column.notna().to_numpy())
    texts = [str(column.iloc[row]).strip() for row in odd]
    comma = ""
    if any("," in text for text in texts):
        comma = find_comma(column.astype(str).str.strip())
    unread = []
    for row, text in zip(odd.tolist(), texts, strict=True):
        number = number_of(text, comma)
        numbers[row] = np.nan
        if number is not None:
            numbers[row] = number
        elif text:
            unread.append(text)
    return Cells(numbers, unread)


def flatten(row: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the cells of a row, with the names of nested ones joined; what is null is left out.

    A number that is not finite comes as infinite, all that is no number as its text.

    >>> list(flatten({"step": 1, "loss": {"web": 2.5, "code": float("nan")}, "ok": True}))
    [('step', 1.0), ('loss/web', 2.5), ('loss/code', inf), ('ok', 'True')]
    """
    for name, value in row.items():
        if isinstance(value, Mapping) and depth < _DEEPEST:
            yield from flatten(value, f"{prefix}{name}/", depth + 1)
        elif isinstance(value, str):
            yield f"{prefix}{name}", value
        elif value is not None:
            number = number_of(value)
            yield f"{prefix}{name}", str(value)[:200] if number is None else number
