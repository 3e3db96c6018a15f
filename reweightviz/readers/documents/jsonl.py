"""JSON lines -> an Arrow table, with every broken line named by file and number."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from tqdm.auto import tqdm

from reweightviz.core.errors import ReweightvizError, UnreadableFile

ROW = "__row__"
"""Column of line or row numbers, counted from 1."""

SKIPPING = "on_error='skip' leaves such rows out"


@dataclass
class Faults:
    """Rows that cannot be used: the first one stops the reading, or all are counted."""

    skip: bool
    count: int = 0
    first: str = ""

    def add(self, sentence: str) -> None:
        """Raise, or count one more row of a table."""
        self._count(ReweightvizError(f"{sentence}; {SKIPPING}."), sentence)

    def add_line(self, path: Path, reason: str, line: int | None = None) -> None:
        """Raise, or count one more line of a file."""
        error = UnreadableFile(path=path, line=line, reason=f"{reason}; {SKIPPING}")
        place = path if line is None else f"{path}, line {line}"
        self._count(error, f"{place}: {reason}")

    def _count(self, error: ReweightvizError, sentence: str) -> None:
        if not self.skip:
            raise error
        self.first = self.first or sentence
        self.count += 1


def read(path: Path, columns: Mapping[str, str], faults: Faults) -> tuple[pa.Table, list[str]]:
    """The named columns and the line numbers of a file, and all keys that stand in it.

    Args:
        path: .jsonl or .jsonl.gz, one object a line; empty lines are passed over.
        columns: role ("text", "domain", "id", "tokens" or any other) to key; null where a line
            lacks it.
        faults: told of lines that are no UTF-8, no JSON object, or whose text is no text.
    """
    values: dict[str, list[Any]] = {role: [] for role in columns}
    rows: list[int] = []
    keys: dict[str, None] = {}
    for number, record in _records(path, faults):
        keys |= dict.fromkeys(record)
        found = {role: _value(role, record.get(name)) for role, name in columns.items()}
        fault = next((value for value in found.values() if isinstance(value, _Fault)), None)
        if fault:
            faults.add_line(path, fault.why, number)
            continue
        rows.append(number)
        for role, value in found.items():
            values[role].append(value)
    try:
        arrays = {role: _array(role, column) for role, column in values.items()}
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise UnreadableFile(
            path=path, reason=f"a column mixes kinds of values: {error}"
        ) from error
    return pa.table({ROW: pa.array(rows, pa.int64())} | arrays), list(keys)


@dataclass
class _Fault:
    why: str


def _value(role: str, value: Any) -> Any:
    if value is None or role not in ("text", "domain", "id", "tokens"):
        return value
    if role == "tokens":
        whole = (
            isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
        )
        return (
            int(value)
            if whole
            else _Fault(f"tokens must be a whole number, not {str(value)[:40]!r}")
        )
    if role != "text" and isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        return _Fault(f"{role} must be text, not {type(value).__name__}")
    return value if _is_unicode(value) else _Fault(f"{role} holds half of a surrogate pair")


def _is_unicode(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _array(role: str, column: list[Any]) -> pa.Array:
    text = pa.large_string()
    return pa.array(
        column, {"text": text, "domain": text, "id": text, "tokens": pa.int64()}.get(role)
    )


def _records(path: Path, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in tqdm(
        _lines(path, faults), desc=path.name, unit=" lines", delay=1, leave=False
    ):
        try:
            record = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            faults.add_line(path, f"not UTF-8 (byte {error.start + 1} of the line)", number)
        except (ValueError, RecursionError) as error:
            why = (
                error.msg if isinstance(error, json.JSONDecodeError) else error
            )  # its own text counts lines anew
            faults.add_line(path, f"no JSON ({why})", number)
        else:
            if isinstance(record, dict):
                yield number, record
            else:
                faults.add_line(path, f"no JSON object but a {type(record).__name__}", number)


def _lines(path: Path, faults: Faults) -> Iterator[tuple[int, bytes]]:
    # Bytes are split at line feeds only: JSON text may hold U+2028, where str.splitlines would cut.
    number = 0
    try:
        with (
            gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")
        ) as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        faults.add_line(path, f"broken gzip after line {number} ({error})")
    except OSError as error:
        raise UnreadableFile(path=path, reason=error.strerror or error) from error
