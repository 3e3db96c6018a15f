"""Columns of a table of documents under their roles, each of its kind."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reweightviz.core.errors import MissingColumn, ReweightvizError
from reweightviz.readers.documents._faults import Faults
from reweightviz.readers.documents._nested import find_column

__all__ = ["ROW", "TEXTS", "check_columns", "parse_tokens", "pick_columns"]


ROW = "__row__"
"""Column of line or row numbers, counted from 1."""
TEXTS = ("text", "domain", "id")
"""Roles whose columns hold text."""
_HINTS = {
    "text": "text= names another.",
    "domain": "domain= names another, domain=None takes the file's name.",
}
_IS_TEXT = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_null,
)


def check_columns(where: str, columns: Mapping[str, str], present: Iterable[str]) -> None:
    """Refuse a table that lacks a column, or has it twice.

    Args:
        where: the table, in a sentence.
        columns: role to name.
        present: names of the table's columns.
    """
    names = list(present)
    for role, name in columns.items():
        if name not in names:
            raise MissingColumn(
                column=name, available=names, who=f"reading {where}", hint=_HINTS.get(role, "")
            )
        if names.count(name) > 1:
            raise ReweightvizError(
                f"{where} has {names.count(name)} columns named {name!r}; rename all but one."
            )


def pick_columns(
    where: str, table: pa.Table, columns: Mapping[str, str], faults: Faults, first: int = 1
) -> pa.Table:
    """Return the columns under their roles, with row numbers.

    Args:
        where: the table, in a sentence.
        table: any number of columns.
        columns: role to name, dotted for the field of a struct.
        faults: counts the rows that are not UTF-8, which are left out.
        first: number of the first row.
    """
    numbers = pa.array(np.arange(first, first + len(table)))
    found: dict[str, Any] = {ROW: pa.chunked_array([numbers])}
    good = np.ones(len(table), bool)
    for role, name in columns.items():
        column = find_column(table, name)
        sentence = f"column {name!r} of {where}"
        if role in TEXTS:
            _check_kind(sentence, column.type, may_be_numbers=role != "text")
            column, is_utf8 = _decode(where, column, faults, first)
            good &= is_utf8
        elif role == "tokens":
            column = _to_whole_numbers(sentence, column)
        found[role] = column
    return pa.table(found).filter(pa.array(good))


def parse_tokens(value: Any) -> int | None:
    """Return a whole number that 64 bits hold, from a number or its digits; None for what is none.

    >>> parse_tokens(3.0), parse_tokens("12"), parse_tokens("2.0"), parse_tokens(2.5)
    (3, 12, 2, None)
    """
    number = value
    if isinstance(value, str):
        try:
            number = int(value)
        except ValueError:
            number = _parse_float(value)
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    # NaN and infinity are not equal to their floor, so they are refused with the fractions.
    if number != number // 1 or abs(number) >= 1 << 63:
        return None
    return int(number)


def _parse_float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _check_kind(what: str, kind: pa.DataType, *, may_be_numbers: bool) -> None:
    # Arrow makes a dictionary of a category of pandas.
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_text = any(check(kind) for check in _IS_TEXT)
    if not is_text and not (may_be_numbers and pa.types.is_primitive(kind)):
        raise ReweightvizError(f"{what} must hold text; it holds {kind}.")


def _decode(
    where: str, column: pa.ChunkedArray, faults: Faults, first: int
) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Return the column as large_string, and the rows (N,) that are UTF-8."""
    good = np.ones(len(column), bool)
    try:
        # Arrow does not look whether text is UTF-8 until it is asked to.
        column.validate(full=True)
        return column.cast(pa.large_string()), good
    except pa.ArrowInvalid:
        values = column.cast(pa.large_binary()).to_pylist()
    for row, data in enumerate(values):
        if data is None:
            continue
        try:
            values[row] = data.decode("utf-8")
        except UnicodeDecodeError as error:
            faults.add(
                f"{where}, row {first + row}: not UTF-8 (byte {error.start + 1} of the value)"
            )
            values[row] = ""
            good[row] = False
    return pa.chunked_array([pa.array(values, pa.large_string())]), good


def _to_whole_numbers(what: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ReweightvizError(f"{what} must hold whole numbers of tokens: {error}.") from error
