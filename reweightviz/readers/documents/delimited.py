"""CSV and TSV -> Arrow tables of documents."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from reweightviz.core.errors import WrongContent
from reweightviz.readers.documents._columns import ROW, TEXTS, check_columns, parse_tokens
from reweightviz.readers.documents._faults import Faults
from reweightviz.readers.documents._find_files import PACKINGS, DocumentFile
from reweightviz.readers.documents._open_bounded import LONGEST_LINE, open_bounded

__all__ = ["SUFFIXES", "read"]


_DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*_DELIMITERS, *(plain + packed for packed in PACKINGS for plain in _DELIMITERS))
_ROWS = 4096
_LETTERS = 1 << 25
"""Of one table, whichever comes first."""
_KINDS = (pa.int64(), pa.float64(), pa.large_string())
"""Of a column of numbers or text, the first that fits."""


def read(file: DocumentFile, columns: Mapping[str, str], faults: Faults) -> Iterator[pa.Table]:
    """Yield the named columns of a file under their roles, with line numbers, some rows at a time.

    An empty cell of text is a text without letters; any other empty cell holds nothing.

    Args:
        file: .csv or .tsv, or one of these compressed, its first row the names.
        columns: role ("text", "domain", "id", "tokens" or any other) to name.
        faults: counts the rows that are not UTF-8, or of too few or too many cells.
    """
    mark = next(mark for plain, mark in _DELIMITERS.items() if plain in file.suffixes)
    with open_bounded(file) as stream:
        # Bytes that are no text stay apart from text, so that they are one row's fault.
        text = io.TextIOWrapper(stream, "utf-8-sig", "surrogateescape", newline="")
        rows = csv.reader(_lines(text, file), delimiter=mark)
        head = _take(rows, 1)
        if not head:
            raise WrongContent(path=file, reason="is empty")
        names = head[0][1]
        check_columns(str(file), columns, names)
        places = {role: names.index(name) for role, name in columns.items()}
        while some := _take(rows, _ROWS):
            yield _to_table(file, some, len(names), places, faults)


def _lines(text: io.TextIOWrapper, file: DocumentFile) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise WrongContent(
                path=file, reason=f"has a line of more than {LONGEST_LINE >> 20} MiB"
            )
        yield line


def _take(rows: Any, count: int) -> list[tuple[int, list[str]]]:
    """Return the next rows, each with the number of its last line; empty lines are passed over."""
    taken: list[tuple[int, list[str]]] = []
    size = 0
    # The limit is of the whole process: it is as it was when a caller goes on.
    before = csv.field_size_limit(LONGEST_LINE)
    try:
        while len(taken) < count and size < _LETTERS:
            cells = next(rows)
            size += sum(map(len, cells))
            if cells:
                taken.append((rows.line_num, cells))
    except StopIteration:
        pass
    finally:
        csv.field_size_limit(before)
    return taken


def _to_table(
    file: DocumentFile,
    rows: list[tuple[int, list[str]]],
    width: int,
    places: Mapping[str, int],
    faults: Faults,
) -> pa.Table:
    numbers: list[int] = []
    values: dict[str, list[str | None]] = {role: [] for role in places}
    for number, cells in rows:
        reason = _find_fault(cells, width, places)
        if reason:
            faults.add_line(file, reason, number)
            continue
        numbers.append(number)
        for role, place in places.items():
            values[role].append(cells[place] if role == "text" else cells[place] or None)
    arrays = {role: _to_array(role, column) for role, column in values.items()}
    return pa.table({ROW: pa.array(numbers, pa.int64())} | arrays)


def _find_fault(cells: list[str], width: int, places: Mapping[str, int]) -> str:
    if len(cells) != width:
        return f"{len(cells)} cells under {width} names"
    for role, place in places.items():
        try:
            cells[place].encode("utf-8")
        except UnicodeEncodeError:
            return f"not UTF-8 in its {role}"
        if role == "tokens" and cells[place] and parse_tokens(cells[place]) is None:
            return f"tokens must be a whole number, not {cells[place][:40]!r}"
    return ""


def _to_array(role: str, column: list[str | None]) -> pa.Array:
    if role == "tokens":
        return pa.array([parse_tokens(cell) for cell in column], pa.int64())
    text = pa.array(column, pa.large_string())
    if role in TEXTS:
        return text
    for kind in _KINDS:
        try:
            return text.cast(kind)
        except pa.ArrowInvalid:
            continue
    return text
