"""Numbers in the cells of a table, where an empty cell is not one that holds something else."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError
from reweightviz.readers._commas import find_comma, write_point

__all__ = ["Cells", "check_cells", "read_cells"]


_NUMBER = re.compile(
    r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?inf(inity)?", re.IGNORECASE
)
EMPTY = frozenset({"", "-", "na", "n/a", "nan", "none", "null"})
"""What stands for no number, in small letters."""


class Cells(NamedTuple):
    """Numbers (R, C) of a table, NaN where there is none, and which cells hold something else.

    ``source`` (R, C) is the table as it was read.
    """

    numbers: pd.DataFrame
    is_other: NDArray[np.bool_]
    source: pd.DataFrame

    def take(self, rows: NDArray[np.bool_]) -> Cells:
        """Return some of the rows."""
        return Cells(self.numbers[rows], self.is_other[rows], self.source[rows])


def read_cells(table: pd.DataFrame) -> Cells:
    """Return the numbers of a table; text such as "1,234.5" is one.

    "2,345" is one where another cell of its column tells what the comma is.

    >>> read_cells(pd.DataFrame({"loss": ["1,234.5", "", "diverged"]})).numbers["loss"].tolist()
    [1234.5, nan, nan]
    """
    numbers = {}
    is_other = np.zeros(table.shape, bool)
    for at, name in enumerate(table):
        numbers[name], is_other[:, at] = _read_column(table[name])
    return Cells(pd.DataFrame(numbers, index=table.index), is_other, table)


def check_cells(role: str, cells: Cells, hint: str) -> None:
    """Refuse a table of numbers with a cell that holds something else.

    Args:
        role: of the table, in the sentence.
        cells: of the table, whose index counts its rows from 0.
        hint: what would do.
    """
    if cells.is_other.any():
        row, column = np.argwhere(cells.is_other)[0]
        table = cells.source
        raise ReweightvizError(
            f"column {table.columns[column]!r} of {role} must hold numbers; row "
            f"{table.index[row] + 1} has {str(table.iat[row, column])[:40]!r} "
            f"({cells.is_other.sum()} such cells): {hint}."
        )


def _read_column(column: pd.Series) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    kind = column.dtype
    is_number = pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind)
    if is_number and not pd.api.types.is_bool_dtype(kind):
        return column.to_numpy(np.float64, na_value=np.nan), np.zeros(len(column), bool)
    cells = column.astype(object)
    comma = find_comma(cells[cells.map(lambda cell: isinstance(cell, str))].astype(str).str.strip())
    found = [_read_cell(cell, comma) for cell in cells]
    numbers = np.array([math.nan if one is None else one for one in found], np.float64)
    return numbers, np.array([one is None for one in found], bool)


def _read_cell(cell: Any, comma: str) -> float | None:
    """Return the number of a cell, NaN where it is empty, None where it holds something else."""
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return math.nan
    if isinstance(cell, str):
        return _read_text(cell.strip(), comma)
    # A yes or no counts as no number, though Python would add it up.
    if isinstance(cell, bool | np.bool_) or not isinstance(cell, Real | Decimal):
        return None
    try:
        return float(cell)
    except OverflowError:  # a whole number of 400 digits
        return math.inf


def _read_text(text: str, comma: str) -> float | None:
    if text.lower() in EMPTY:
        return math.nan
    plain = write_point(text, comma)
    return float(plain) if _NUMBER.fullmatch(plain) else None
