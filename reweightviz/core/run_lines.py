"""Our own JSON lines, read as they grow: many at once through pyarrow, what is odd line by line."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json

from reweightviz.core.errors import ReweightvizError, UnreadableFile, WrongContent
from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.core.types import LOG_SIGNALS, Array

_MANY = 1 << 16  # bytes from which a block is worth pyarrow
_TABLES = ("weights", *LOG_SIGNALS)
_SCHEMA = pa.schema(
    [
        *((name, pa.float64()) for name in ("step", "time", "tokens")),
        *((name, pa.list_(pa.float64())) for name in _TABLES),
    ]
)


class RunLineReader:
    r"""The reader of the lines that :meth:`reweightviz.core.runlog.RunLog.save` and ``rv.training.RunLogger`` write.

    Args:
        path: the file.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "run.jsonl"
        >>> _ = path.write_text('{"domains": ["web", "code"]}\n{"step": 1, "loss": [3.0, null]}\n{"step": 2, "lo')
        >>> records = Records()
        >>> RunLineReader(path).poll(records), len(records)
        (True, 1)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._lines = LineTail(path)
        self._rotation = -1
        self._order: tuple[str, ...] | None = None

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
        """Feed the new lines into the records; True when there were some.

        Raises:
            ReweightvizError: the file, the number of the line and what is wrong with it, of the
                first such line; all others are read.
        """
        news, faults = False, list[ReweightvizError]()
        for block in self._lines.blocks():
            if self._rotation != self._lines.rotations:
                self._rotation, self._lines.number = self._lines.rotations, 0
            faults += self._block(block, records)
            news = True
        # A JSON object is whole when its last brace is there, with or without the line's end.
        if self._lines.rest.rstrip().endswith(b"}") and _is_json(self._lines.rest):
            faults += self._each(self._lines.take_rest() + b"\n", records)
            self._lines.number -= 1  # its end is still to come
            news = True
        if faults:
            raise faults[0]
        return news

    def _block(self, block: bytes, records: Records) -> list[ReweightvizError]:
        """At once as far as it goes: around an odd line it is halved until the rest is small."""
        if len(block) < _MANY:
            return self._each(block, records)
        if self._many(block, records):
            return []
        middle = block.rfind(b"\n", 0, len(block) // 2) + 1
        return (
            self._block(block[:middle], records) + self._block(block[middle:], records)
            if middle
            else self._each(block, records)
        )

    def _each(self, block: bytes, records: Records) -> list[ReweightvizError]:
        """Line by line; what was wrong comes back, so that the other lines are not lost."""
        faults = []
        for line in block.split(b"\n")[:-1]:
            self._lines.number += 1
            try:
                if line.strip():
                    self._one(line, records)
            except ReweightvizError as fault:
                faults.append(fault)
        return faults

    def _one(self, line: bytes, records: Records) -> None:
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
        if self._order is None or (
            "step" not in content and not content.keys().isdisjoint({"domains", "ended"})
        ):
            self._told(content, records)
        else:
            self._step(content, records)

    def _told(self, content: Mapping[str, Any], records: Records) -> None:
        """A header, domains that come late, or the end."""
        if "domains" in content or self._order is None:
            domains = content.get("domains")
            if not isinstance(domains, list):
                raise self._no_header()
            anew = self._order is None or "format" in content
            self._order = tuple(
                dict.fromkeys([*(() if anew else self._order or ()), *map(str, domains)])
            )
            records.add_domains(self._order)
            records.name = str(content.get("name", records.name))
            meta = content.get("meta") or {}
            if not isinstance(meta, dict) or not isinstance(meta.get("notes", []), list):
                raise UnreadableFile(
                    path=self.path,
                    line=self._lines.number,
                    reason=f"meta must be an object, and its notes a list; got {meta!r:.60}",
                )
            records.extend_meta(**meta | {"notes": [str(note) for note in meta.get("notes", ())]})
        records.ended = bool(content.get("ended"))

    def _step(self, content: Mapping[str, Any], records: Records) -> None:
        order = self._order or ()
        try:
            tables = {
                name: self._cells(content[name], records)
                for name in _TABLES
                if content.get(name) is not None
            }
            scalars = {
                str(name): None if value is None else float(value)
                for name, value in (content.get("scalars") or {}).items()
            }
            clocks = {
                name: float(content[name])
                for name in ("time", "tokens")
                if content.get(name) is not None
            }
            records.add(
                int(content["step"]),
                weights=tables.pop("weights", None),
                signals=tables,
                scalars=scalars,
                **clocks,
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            where = f"{self.path}, line {self._lines.number}"
            needs = f"a step needs 'step', 'weights', and {len(order)} numbers a name"
            raise ReweightvizError(f"{where}: {needs}; got {dict(content)!r:.80}.") from error
        records.ended = False

    def _cells(self, values: Any, records: Records) -> Any:
        order = self._order or ()
        if isinstance(values, Mapping):
            return values
        if len(values) != len(order):
            raise ValueError
        return values if order == records.domains else dict(zip(order, values, strict=True))

    def _many(self, block: bytes, records: Records) -> bool:
        """A whole block at once; False where a line of it is no plain step."""
        if (
            self._order is None or self._order != records.domains or b"NaN" in block
        ):  # which pyarrow would take for "not measured"
            return False
        options = pa.json.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="infer")
        try:
            table = pa.json.read_json(
                io.BytesIO(block),
                pa.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
                options,
            )
            step = table["step"]
            if step.null_count or not {"scalars", *_SCHEMA.names}.issuperset(table.column_names):
                return False
            tables = {
                name: values
                for name in _TABLES
                if (values := _rows(table[name], len(self._order))) is not None
            }
            scalars = (
                table["scalars"].combine_chunks().flatten()
                if "scalars" in table.column_names
                else []
            )
            names = (
                [field.name for field in table.schema.field("scalars").type] if len(scalars) else []
            )
            columns = {
                name: values.to_numpy(zero_copy_only=False).astype(np.float64)
                for name, values in zip(names, scalars, strict=True)
            }
            clocks = {
                name: table[name].to_numpy()
                for name in ("time", "tokens")
                if table[name].null_count < len(table)
            }
            if not (np.abs(step.to_numpy()) < 2**53).all():
                return False
            steps = step.to_numpy().astype(np.int64)
        except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError, TypeError):
            return False
        records.extend(
            steps, weights=tables.pop("weights", None), signals=tables, scalars=columns, **clocks
        )
        records.ended = False
        self._lines.number += block.count(b"\n")
        return True

    def _no_header(self) -> ReweightvizError:
        return WrongContent(
            path=self.path,
            reason="is no run log: its first line must be a JSON header with 'domains'",
        )


def _rows(column: pa.ChunkedArray, K: int) -> Array | None:
    """Lists as (T, K), NaN where there is none; None where all are missing."""
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
