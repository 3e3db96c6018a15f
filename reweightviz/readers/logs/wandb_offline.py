"""W&B's own file of a run as it goes, offline or not: ``wandb/offline-run-*/run-*.wandb``.

Lukas Biewald, "Experiment Tracking with Weights and Biases", 2020, https://www.wandb.com. The file
is a log of LevelDB (blocks of 32 KiB, records with checksum, length and kind),
https://github.com/google/leveldb/blob/main/doc/log_format.md, behind seven bytes of its own; a
record is a message of ``wandb/proto/wandb_internal.proto``, which the installed wandb reads.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from reweightviz.core.errors import MissingPackage
from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, head_of, name_files
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._table import feed_rows

__all__ = [
    "BLOCK",
    "FIRST",
    "HEADER",
    "LAST",
    "MAGIC",
    "NOTHING",
    "PREAMBLE",
    "WHOLE",
    "WandbOffline",
]


MAGIC = b":W&B"
PREAMBLE = 7  # bytes
BLOCK = 1 << 15  # bytes
HEADER = struct.Struct("<IHB")
# Kinds of records; a fourth stands between the first and the last part.
NOTHING = 0
WHOLE = 1
FIRST = 2
LAST = 4


class WandbOffline(LogReader):
    """One run's own file."""

    name = "wandb_offline"
    title = "W&B's .wandb files"
    needs = "wandb"
    files: ClassVar[tuple[str, ...]] = ("*.wandb",)

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._record = _record_class()
        self._read = PREAMBLE
        self._parts = b""

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Return every such file at or below the path."""
        files = [path] if path.is_file() else sorted(path.rglob("*.wandb"))
        found = [file for file in files if head_of(file).startswith(MAGIC)]
        return name_files({file: file.stem.removeprefix("run-") for file in found}, path)

    def poll(self, records: Records) -> bool:
        """Feed the history that is new; what is not whole yet waits."""
        if not self.where.is_file():
            return False
        rows: list[dict[str, Any]] = []
        steps: list[Any] = []
        times: list[Any] = []
        has_news = False
        for content in self._contents():
            has_news = True
            record = self._record.FromString(content)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                records.name = record.run.display_name or records.name
                records.extend_meta(run_id=record.run.run_id, project=record.run.project)
            elif kind == "exit":
                records.ended = True
            elif kind == "history":
                row = _row_of(record.history)
                step = row.pop("_step", None)
                if record.history.HasField("step"):
                    step = record.history.step.num
                steps.append(step or 0)
                times.append(row.pop("_timestamp", None))
                row.pop("_runtime", None)
                rows.append(row)
        if rows:
            feed_rows(self.series, records, rows, steps=steps, times=times)
        return has_news

    def _contents(self) -> Iterator[bytes]:
        """Yield the whole records that are new."""
        with self.where.open("rb") as file:
            file.seek(self._read)
            content = file.read()
        base = self._read
        at = 0
        while True:
            room = BLOCK - (base + at) % BLOCK
            if room < HEADER.size:  # the end of a block is filled up
                at += room
                continue
            if at + HEADER.size > len(content):
                return
            _, length, kind = HEADER.unpack_from(content, at)
            end = at + HEADER.size + length
            # LevelDB fills space that is reserved and not written yet with zeros.
            if kind == NOTHING or end > len(content):
                return
            part = content[at + HEADER.size : end]
            at = end
            self._read = base + at
            # The parts of a record that a killed writer never finished are dropped.
            if kind in (WHOLE, FIRST):
                self._parts = b""
            self._parts += part
            if kind in (WHOLE, LAST):
                yield self._parts


def _record_class() -> Any:
    try:
        from wandb.proto.wandb_internal_pb2 import Record
    except ImportError as error:
        raise MissingPackage(package="wandb", extra="wandb", who="a .wandb file") from error
    return Record


def _row_of(history: Any) -> dict[str, Any]:
    return {"/".join(item.nested_key) or item.key: _value_of(item) for item in history.item}


def _value_of(item: Any) -> Any:
    """Return the value of a history item: typed in newer versions, JSON in older ones."""
    for field in ("number", "integer"):
        if field in item.DESCRIPTOR.fields_by_name and item.HasField(field):
            return getattr(item, field)
    if not item.value_json:
        return None
    try:
        return json.loads(item.value_json)
    except (ValueError, RecursionError):
        return None
