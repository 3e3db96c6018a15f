"""Our own JSON lines, read as they grow: many at once through pyarrow, odd ones line by line."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.json
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, UnreadableFile, WrongContent
from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.core.types import LOG_SIGNALS, Array

__all__ = ["RunLineReader"]


_MANY = 1 << 16  # bytes from which a block is worth pyarrow
_TABLES = ("weights", *LOG_SIGNALS)
_CLOCKS = ("time", "tokens")
_SCHEMA = pa.schema(
    [
        *((name, pa.float64()) for name in ("step", *_CLOCKS)),
        *((name, pa.list_(pa.float64())) for name in _TABLES),
    ]
)
_EXACT = 2**53  # whole numbers below it are exact as float64


class RunLineReader:
    r"""The reader of the lines that ``RunLog.save`` and ``rv.training.RunLogger`` write.

    Args:
        path: the file.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.jsonl"
        >>> header = '{"domains": ["web", "code"]}\n'
        >>> _ = path.write_text(header + '{"step": 1, "loss": [3.0, null]}\n{"step": 2, "lo')
        >>> records = Records()
        >>> RunLineReader(path).poll(records), len(records)
        (True, 1)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lines = LineTail(path)
        self._rotation = -1
        self._order: tuple[str, ...] | None = None  # domains of the last header, as lists hold them

    def read(self) -> Records:
        """Return all there is now.

        Raises:
            ReweightvizError: the file, the number of the line and what is wrong with it.
        """
        records = Records(name=self.path.stem)
        self.poll(records)
        if self._lines.gone:
            raise UnreadableFile(path=self.path, reason="No such file or directory")
        if self._order is None:
            raise self._no_header()
        return records

    def poll(self, records: Records) -> bool:
        """Feed the new lines into the records; return whether there were some.

        Raises:
            ReweightvizError: the file, the number of the line and what is wrong with it, of the
                first such line; all others are read.
        """
        has_news = False
        faults: list[ReweightvizError] = []
        for block in self._lines.blocks():
            if self._rotation != self._lines.rotations:
                self._rotation = self._lines.rotations
                self._lines.number = 0
            faults += self._feed_block(block, records)
            has_news = True
        # A JSON object is whole when its last brace is there, with or without the line's end.
        if self._lines.rest.rstrip().endswith(b"}") and _is_json(self._lines.rest):
            faults += self._feed_each(self._lines.take_rest() + b"\n", records)
            self._lines.number -= 1  # its end is still to come
            has_news = True
        if faults:
            raise faults[0]
        return has_news

    def _feed_block(self, block: bytes, records: Records) -> list[ReweightvizError]:
        """Feed as much at once as goes: around an odd line a block is halved until small."""
        if len(block) < _MANY:
            return self._feed_each(block, records)
        if self._feed_at_once(block, records):
            return []
        middle = block.rfind(b"\n", 0, len(block) // 2) + 1
        if not middle:
            return self._feed_each(block, records)
        first = self._feed_block(block[:middle], records)
        return first + self._feed_block(block[middle:], records)

    def _feed_at_once(self, block: bytes, records: Records) -> bool:
        """Feed a whole block; return False where a line of it is no plain step."""
        # A bare NaN would be "not measured" to pyarrow; here it is a gap that counts.
        if self._order is None or self._order != records.domains or b"NaN" in block:
            return False
        columns = _parse_block(block, len(self._order))
        if columns is None:
            return False
        weights = columns.tables.pop("weights", None)
        records.extend(
            columns.steps,
            weights=weights,
            signals=columns.tables,
            scalars=columns.scalars,
            **columns.clocks,
        )
        records.ended = False
        self._lines.number += block.count(b"\n")
        return True

    def _feed_each(self, block: bytes, records: Records) -> list[ReweightvizError]:
        """Feed line by line; return the faults, so that the other lines are not lost."""
        faults = []
        for line in block.split(b"\n")[:-1]:
            self._lines.number += 1
            try:
                if line.strip():
                    self._feed_line(line, records)
            except ReweightvizError as fault:
                faults.append(fault)
        return faults

    def _feed_line(self, line: bytes, records: Records) -> None:
        number = self._lines.number
        try:
            content = json.loads(line)
        except (ValueError, RecursionError) as error:
            if self._order is None:
                raise self._no_header() from error
            raise WrongContent(
                path=self.path,
                reason=f"is no run log: line {number} is not JSON; got {line[:60]!r}",
            ) from error
        if not isinstance(content, dict):
            raise WrongContent(
                path=self.path,
                reason=f"is no run log: line {number} must be a JSON object; got {content!r:.60}",
            )
        is_step = "step" in content or content.keys().isdisjoint({"domains", "ended"})
        if self._order is not None and is_step:
            self._feed_step(content, records)
        else:
            self._feed_header(content, records)

    def _feed_header(self, content: Mapping[str, Any], records: Records) -> None:
        """Take up a header, domains that come late, or the end."""
        if "domains" in content or self._order is None:
            domains = content.get("domains")
            if not isinstance(domains, list):
                raise self._no_header()
            begins_anew = self._order is None or "format" in content
            before = () if begins_anew else self._order or ()
            self._order = tuple(dict.fromkeys([*before, *map(str, domains)]))
            records.add_domains(self._order)
            records.name = str(content.get("name", records.name))
            records.extend_meta(**self._meta_of(content))
        records.ended = bool(content.get("ended"))

    def _meta_of(self, header: Mapping[str, Any]) -> dict[str, Any]:
        meta = header.get("meta") or {}
        if not isinstance(meta, dict) or not isinstance(meta.get("notes", []), list):
            raise UnreadableFile(
                path=self.path,
                line=self._lines.number,
                reason=f"meta must be an object, and its notes a list; got {meta!r:.60}",
            )
        return meta | {"notes": [str(note) for note in meta.get("notes", ())]}

    def _feed_step(self, content: Mapping[str, Any], records: Records) -> None:
        present = {name: value for name, value in content.items() if value is not None}
        try:
            tables = {
                name: self._cells(present[name], records) for name in _TABLES if name in present
            }
            scalars = {
                str(name): None if value is None else float(value)
                for name, value in (content.get("scalars") or {}).items()
            }
            clocks = {name: float(present[name]) for name in _CLOCKS if name in present}
            records.add(
                int(content["step"]),
                weights=tables.pop("weights", None),
                signals=tables,
                scalars=scalars,
                **clocks,
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            where = f"{self.path}, line {self._lines.number}"
            needs = f"a step needs 'step', 'weights', and {len(self._order or ())} numbers a name"
            raise ReweightvizError(f"{where}: {needs}; got {dict(content)!r:.80}.") from error
        records.ended = False

    def _cells(self, values: Any, records: Records) -> Any:
        """Return one value a domain: by name where this file's order is another one."""
        order = self._order or ()
        if isinstance(values, Mapping):
            return values
        if len(values) != len(order):
            raise ValueError
        return values if order == records.domains else dict(zip(order, values, strict=True))

    def _no_header(self) -> ReweightvizError:
        return WrongContent(
            path=self.path,
            reason="is no run log: its first line must be a JSON header with 'domains'",
        )


class _Columns(NamedTuple):
    """A block of n steps: steps (n,), tables (n, K), scalars and clocks (n,)."""

    steps: NDArray[np.int64]
    tables: dict[str, Array]
    scalars: dict[str, Array]
    clocks: dict[str, Array]


def _parse_block(block: bytes, K: int) -> _Columns | None:
    """Return the columns of whole lines; None where a line of them is no plain step."""
    try:
        table = pa.json.read_json(
            io.BytesIO(block),
            # One block, as pyarrow refuses a line longer than its block.
            pa.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
            pa.json.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="infer"),
        )
        step = table["step"]
        is_plain = not step.null_count and {"scalars", *_SCHEMA.names} >= {*table.column_names}
        if not is_plain or not (np.abs(step.to_numpy()) < _EXACT).all():
            return None
        tables = {name: _rows(table[name], K) for name in _TABLES}
        return _Columns(
            steps=step.to_numpy().astype(np.int64),
            tables={name: rows for name, rows in tables.items() if rows is not None},
            scalars=_scalars(table),
            clocks={
                name: table[name].to_numpy()
                for name in _CLOCKS
                if table[name].null_count < len(table)
            },
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, TypeError):
        return None


def _scalars(table: pa.Table) -> dict[str, Array]:
    if "scalars" not in table.column_names:
        return {}
    kind = table.schema.field("scalars").type
    if not pa.types.is_struct(kind):
        raise TypeError  # null in every line
    columns = table["scalars"].combine_chunks().flatten()
    return {
        field.name: values.to_numpy(zero_copy_only=False).astype(np.float64)
        for field, values in zip(kind, columns, strict=True)
    }


def _rows(column: pa.ChunkedArray, K: int) -> Array | None:
    """Return lists as (T, K), NaN where there is none; None where all are missing."""
    lists = column.combine_chunks()
    if lists.null_count == len(lists):
        return None
    there = lists.is_valid().to_numpy(zero_copy_only=False)
    if not (lists.value_lengths().drop_null().to_numpy(zero_copy_only=False) == K).all():
        raise ValueError
    rows = np.full((len(lists), K), np.nan)
    rows[there] = lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, K)
    return rows


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
