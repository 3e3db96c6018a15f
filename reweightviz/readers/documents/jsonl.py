"""JSON lines -> Arrow tables of documents, with every broken line named by file and number."""

from __future__ import annotations

import json
import lzma
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any

import pyarrow as pa

from reweightviz.core.errors import UnreadableFile, WrongContent
from reweightviz.core.json_text import parse_json
from reweightviz.core.progress import tqdm
from reweightviz.readers.documents._columns import ROW, TEXTS, check_columns, parse_tokens
from reweightviz.readers.documents._faults import Faults
from reweightviz.readers.documents._find_files import PACKINGS, DocumentFile
from reweightviz.readers.documents._json_list import BrokenList, read_list
from reweightviz.readers.documents._nested import find_value, list_keys
from reweightviz.readers.documents._open_bounded import LONGEST_LINE, open_bounded

__all__ = ["SUFFIXES", "read"]


_PLAIN = (".jsonl", ".ndjson", ".json")
SUFFIXES = (*_PLAIN, *(plain + packed for packed in PACKINGS for plain in _PLAIN))
_ROWS = 10_000
_BYTES = 1 << 25
"""Of lines, whichever comes first, in one table."""
_ROWS_OF_KEYS = 100
"""Objects whose keys a sentence may choose from."""
_START = 64
"""Bytes in which the first letter of a file is looked for."""


def read(file: DocumentFile, columns: Mapping[str, str], faults: Faults) -> Iterator[pa.Table]:
    """Yield the named columns of a file under their roles, with line numbers, some rows at a time.

    Args:
        file: .jsonl, .ndjson or .json, or one of these compressed: one object a line, where empty
            lines are passed over, or one list of objects.
        columns: role ("text", "domain", "id", "tokens" or any other) to key, dotted for one
            inside another; null where a line lacks it.
        faults: counts lines that are no UTF-8, no JSON object, or whose text is no text.
    """
    batch = _Batch(file, columns)
    for number, size, record in _records(file, faults):
        try:
            batch.add(number, size, record)
        except _UnusableValue as reason:
            faults.add_line(file, str(reason), number)
        if batch.is_full:
            yield batch.take()
    if not batch.seen and not faults.count:
        raise WrongContent(path=file, reason="is empty")
    yield batch.take()


class _Batch:
    """Rows of some lines, on their way into a table."""

    def __init__(self, file: DocumentFile, columns: Mapping[str, str]) -> None:
        self._file = file
        self._columns = columns
        self._keys: dict[str, None] = {}
        self._found: set[str] = set()
        self.seen = 0
        self._clear()

    def _clear(self) -> None:
        self._values: dict[str, list[Any]] = {role: [] for role in self._columns}
        self._numbers: list[int] = []
        self._size = 0

    @property
    def is_full(self) -> bool:
        return len(self._numbers) >= _ROWS or self._size >= _BYTES

    def add(self, number: int, size: int, record: dict[str, Any]) -> None:
        """Keep what the roles need of one object; ``size`` is that of its line in bytes."""
        self.seen += 1
        if self.seen <= _ROWS_OF_KEYS:
            self._keys |= dict.fromkeys(list_keys(record))
        row = {}
        for role, name in self._columns.items():
            value = find_value(record, name)
            if value is not None or name in record:
                self._found.add(name)
            row[role] = _parse(role, value)
        self._numbers.append(number)
        self._size += size
        for role, value in row.items():
            self._values[role].append(value)

    def take(self) -> pa.Table:
        """Return the rows since the last call.

        Raises:
            ReweightvizError: no object so far has one of the keys.
        """
        if self._keys:
            check_columns(str(self._file), self._columns, self._keys | dict.fromkeys(self._found))
        try:
            arrays = {
                role: pa.array(column, _kind_of(role)) for role, column in self._values.items()
            }
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise UnreadableFile(
                path=self._file, reason=f"a column mixes kinds of values: {error}"
            ) from error
        numbers = pa.array(self._numbers, pa.int64())
        self._clear()
        return pa.table({ROW: numbers} | arrays)


class _UnusableValue(ValueError):
    pass


def _parse(role: str, value: Any) -> Any:
    """Return a value as its role needs it."""
    if value is None:
        return None
    if role == "tokens":
        count = None if isinstance(value, str) else parse_tokens(value)
        if count is None:
            raise _UnusableValue(f"tokens must be a whole number, not {str(value)[:40]!r}")
        return count
    if role not in TEXTS:
        return value
    if role != "text" and isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        raise _UnusableValue(f"{role} must be text, not {type(value).__name__}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise _UnusableValue(f"{role} holds half of a surrogate pair") from None
    return value


def _kind_of(role: str) -> pa.DataType | None:
    """Return the type of a column; None where its values decide."""
    if role == "tokens":
        return pa.int64()
    if role in TEXTS:
        return pa.large_string()
    return None


def _records(file: DocumentFile, faults: Faults) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield line numbers from 1, sizes of lines in bytes, and the objects there."""
    lines = _entries(file, faults)
    for number, size, record in tqdm(lines, desc=file.base, unit=" lines", delay=1, leave=False):
        if isinstance(record, dict):
            yield number, size, record
        else:
            faults.add_line(file, f"no JSON object but a {type(record).__name__}", number)


def _entries(file: DocumentFile, faults: Faults) -> Iterator[tuple[int, int, Any]]:
    """Yield what stands on each line, or in each place of one list."""
    number = 0
    try:
        with open_bounded(file) as stream:
            if stream.peek(_START).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
                yield from read_list(file, stream)
                return
            for number, line in _lines(stream, file, faults):
                if line.strip():
                    yield from _parse_line(number, line, file, faults)
    except BrokenList as error:
        faults.add_line(file, str(error))
    except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        packing = file.packing
        if not packing:
            raise
        faults.add_line(file, f"broken {packing} after line {number} ({error})")


def _lines(stream: IO[bytes], file: DocumentFile, faults: Faults) -> Iterator[tuple[int, bytes]]:
    """Yield the lines with their numbers, those left out that are too long to hold."""
    # Bytes are split at line feeds only: JSON text may hold U+2028, where str.splitlines would cut.
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        if len(line) < LONGEST_LINE or line.endswith(b"\n"):
            yield number, line
            continue
        faults.add_line(file, f"more than {LONGEST_LINE >> 20} MiB", number)
        while line and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE)


def _parse_line(
    number: int, line: bytes, file: DocumentFile, faults: Faults
) -> Iterator[tuple[int, int, Any]]:
    """Yield what stands on a line, or nothing where that is no JSON."""
    try:
        # A byte order mark may stand in front of the first line only.
        entry = parse_json(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except UnicodeDecodeError as error:
        faults.add_line(file, f"not UTF-8 (byte {error.start + 1} of the line)", number)
    except json.JSONDecodeError as error:
        # Not the whole error: it counts lines of its own, from the start of this one.
        faults.add_line(file, f"no JSON ({error.msg})", number)
    except (ValueError, RecursionError) as error:
        faults.add_line(file, f"no JSON ({error})", number)
    else:
        yield number, len(line), entry
