"""JSON lines -> an Arrow table of documents, with every broken line named by file and number."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm.auto import tqdm

from reweightviz.core.errors import UnreadableFile, WrongContent
from reweightviz.readers.documents._columns import ROW, TEXTS, check_columns
from reweightviz.readers.documents._faults import Faults

__all__ = ["SUFFIXES", "read"]


_PLAIN = (".jsonl", ".ndjson", ".json")
SUFFIXES = (*_PLAIN, *(suffix + ".gz" for suffix in _PLAIN))


def read(path: Path, columns: Mapping[str, str], faults: Faults) -> pa.Table:
    """Return the named columns of a file under their roles, with line numbers.

    Args:
        path: .jsonl, .ndjson or .json, or one of these with .gz: one object a line; empty lines
            are passed over.
        columns: role ("text", "domain", "id", "tokens" or any other) to key; null where a line
            lacks it.
        faults: counts lines that are no UTF-8, no JSON object, or whose text is no text.
    """
    values: dict[str, list[Any]] = {role: [] for role in columns}
    numbers: list[int] = []
    keys: dict[str, None] = {}
    for number, record in _records(path, faults):
        keys |= dict.fromkeys(record)
        try:
            row = {role: _parse(role, record.get(name)) for role, name in columns.items()}
        except _UnusableValue as reason:
            faults.add_line(path, str(reason), number)
            continue
        numbers.append(number)
        for role, value in row.items():
            values[role].append(value)
    if keys:
        check_columns(str(path), columns, keys)
    if not numbers and not faults.count:
        raise WrongContent(path=path, reason="is empty")
    try:
        arrays = {role: pa.array(column, _kind_of(role)) for role, column in values.items()}
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise UnreadableFile(
            path=path, reason=f"a column mixes kinds of values: {error}"
        ) from error
    return pa.table({ROW: pa.array(numbers, pa.int64())} | arrays)


class _UnusableValue(ValueError):
    pass


def _parse(role: str, value: Any) -> Any:
    """Return a value as its role needs it."""
    if value is None:
        return None
    if role == "tokens":
        return _parse_count(value)
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


def _parse_count(value: Any) -> int:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # NaN and infinity are not equal to their floor, so they are refused with the fractions.
    if not is_number or value != value // 1:
        raise _UnusableValue(f"tokens must be a whole number, not {str(value)[:40]!r}")
    return int(value)


def _kind_of(role: str) -> pa.DataType | None:
    """Return the type of a column; None where its values decide."""
    if role == "tokens":
        return pa.int64()
    if role in TEXTS:
        return pa.large_string()
    return None


def _records(path: Path, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a file with the numbers of their lines, from 1."""
    lines = _lines(path, faults)
    for number, line in tqdm(lines, desc=path.name, unit=" lines", delay=1, leave=False):
        try:
            # A byte order mark may stand in front of the first line only.
            record = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            faults.add_line(path, f"not UTF-8 (byte {error.start + 1} of the line)", number)
        except json.JSONDecodeError as error:
            # Not the whole error: it counts lines of its own, from the start of this one.
            faults.add_line(path, f"no JSON ({error.msg})", number)
        except (ValueError, RecursionError) as error:
            faults.add_line(path, f"no JSON ({error})", number)
        else:
            if isinstance(record, dict):
                yield number, record
            else:
                faults.add_line(path, f"no JSON object but a {type(record).__name__}", number)


def _lines(path: Path, faults: Faults) -> Iterator[tuple[int, bytes]]:
    # Bytes are split at line feeds only: JSON text may hold U+2028, where str.splitlines would cut.
    number = 0
    is_gzip = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path, "rb") if is_gzip else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        faults.add_line(path, f"broken gzip after line {number} ({error})")
    except OSError as error:
        raise UnreadableFile(path=path, reason=error.strerror or error) from error
