"""Columns of a corpus: text as Arrow strings, numbers as arrays; each checked as it comes in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.types import COLUMNS, kind_of

__all__ = [
    "STRINGS",
    "Column",
    "as_column",
    "as_lists",
    "as_strings",
    "check_complete",
    "combine_digests",
    "digest",
    "is_matrix",
    "join_rows",
    "take_rows",
    "to_arrow",
]


Column: TypeAlias = Any  # NDArray or pa.ChunkedArray; pyarrow ships no types
STRINGS = ("id", "text", "domain")
"""Columns of text, of which no document may lack one."""


def as_column(name: str, values: ArrayLike, rows: int) -> Column:
    """Return values as the column of a name: strings, or an array (N, ...) that none may write to.

    Raises:
        ReweightvizError: it has not a row a document, or not the shape of its kind, or a document
            lacks what every document needs.
    """
    column: Column
    if name in STRINGS or _is_text(values):
        column = as_strings(values)
    elif _is_lists(values):
        column = as_lists(values)
    else:
        # A view is locked, and the caller's own array stays as it is.
        column = np.asarray(values).view()
    if len(column) != rows:
        raise ReweightvizError(
            f"column {name!r} must have a row a document, {rows}; got {len(column)}."
        )
    if isinstance(column, np.ndarray):
        shape = "(N,)"
        if kind_of(name) in COLUMNS:
            shape = COLUMNS[kind_of(name)].shape
        dimensions = len(re.findall(r"\w+", shape))
        if column.ndim != dimensions:
            raise InvalidValue(name=f"column {name!r}", value=column.shape, expected=shape)
        column.setflags(write=False)
    check_complete(name, column)
    return column


def as_strings(values: Any) -> pa.ChunkedArray:
    """Return text as Arrow's strings of 64 bits: a corpus may hold more than 2 GB."""
    if isinstance(values, pa.ChunkedArray) and values.type == pa.large_string():
        return values
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        values = pa.array(values, from_pandas=True)
    strings = values.cast(pa.large_string())
    if isinstance(strings, pa.ChunkedArray):
        return strings
    return pa.chunked_array([strings])


def as_lists(values: Any) -> pa.ChunkedArray:
    """Return a list of numbers a document as Arrow's lists, with offsets of 64 bits."""
    if isinstance(values, pa.Array):
        values = pa.chunked_array([values])
    return values.cast(pa.large_list(values.type.value_type))


def check_complete(name: str, column: Column) -> None:
    """Refuse a column in which a document lacks its id, text, domain or length."""
    if name in STRINGS and column.null_count:
        raise ReweightvizError(
            f"every document needs its {name}; {column.null_count} of {len(column)} rows "
            "have none: drop or fill them."
        )
    if name == "tokens":
        _check_lengths(column)


def _check_lengths(column: Column) -> None:
    if isinstance(column, np.ndarray) and column.dtype.kind in "iuf":
        _refuse_length(~(np.isfinite(column) & (column >= 0)), column, "a number >= 0")
        # Whole numbers are read from it: a part of a token would be cut off, 0.7 to 0.
        is_whole = (column < 2.0**63) & (column == np.floor(column))
        _refuse_length(~is_whole, column, "a whole number")
    else:
        _refuse_length(np.ones(len(column), bool), column, "a number >= 0")


def _refuse_length(bad: NDArray[np.bool_], column: Column, expected: str) -> None:
    """Refuse the first row of a column that is bad (N,)."""
    if bad.any():
        row = int(np.argmax(bad))
        raise InvalidValue(
            name=f"row {row} of column 'tokens'",
            value=column[row],
            expected=expected,
            got=str(column[row]),
        )


def take_rows(column: Column, rows: NDArray[np.int64]) -> Column:
    """Return some rows of a column."""
    if isinstance(column, pa.ChunkedArray):
        return column.take(pa.array(rows))
    return column[rows]


def join_rows(first: Column, second: Column) -> Column:
    """Return the rows of two columns, one after the other; the second takes the first's type."""
    if isinstance(first, pa.ChunkedArray):
        return pa.chunked_array([*first.chunks, *second.cast(first.type).chunks], first.type)
    return np.concatenate([first, np.asarray(second).astype(first.dtype, copy=False)])


def to_arrow(column: Column) -> pa.Array | pa.ChunkedArray:
    """Return a column as Arrow holds it; a matrix (N, D) becomes lists of length D."""
    if isinstance(column, pa.ChunkedArray):
        return column
    column = column.astype(column.dtype.newbyteorder("="), copy=False)  # Arrow has no other
    if column.ndim == 1:
        return pa.array(column)
    flat = pa.array(np.ascontiguousarray(column).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, column.shape[1])


def is_matrix(column: Column) -> bool:
    """Return whether a column has more than one number a document."""
    return isinstance(column, np.ndarray) and column.ndim > 1


def digest(column: Column) -> bytes:
    """Return a hash of a column's content."""
    total = hashlib.blake2b(digest_size=16)
    if isinstance(column, np.ndarray):
        total.update(repr((column.dtype.str, column.shape)).encode())
        # As bytes, since dates have no buffer of their own kind.
        total.update(np.ascontiguousarray(column).view(np.uint8).data)
        return total.digest()
    if _is_lists(column):
        lists = column.combine_chunks()
        total.update(lists.value_lengths().to_numpy(zero_copy_only=False).tobytes())
        total.update(np.ascontiguousarray(lists.flatten()).view(np.uint8).data)
        return total.digest()
    for value in column.to_pylist():
        # Half a character of UTF-16 may stand in a text; the length keeps neighbours apart.
        data = str(value).encode("utf-8", "surrogatepass")
        total.update(len(data).to_bytes(8, "little") + data)
    return total.digest()


def combine_digests(digests: Iterable[bytes]) -> str:
    """Return one short hash of the hashes of columns."""
    total = hashlib.blake2b(digest_size=12)
    for part in digests:
        total.update(part)
    return total.hexdigest()


def _is_lists(values: Any) -> bool:
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        return False
    return bool(pa.types.is_list(values.type) or pa.types.is_large_list(values.type))


def _is_text(values: Any) -> bool:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return bool(pa.types.is_string(values.type) or pa.types.is_large_string(values.type))
    return np.asarray(values).dtype.kind in "OUS"
