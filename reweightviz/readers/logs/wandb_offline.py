"""The file that Weights & Biases writes as a run goes, offline or not: ``wandb/offline-run-*/run-*.wandb``.

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
from reweightviz.readers.logs._log_reader import LogReader, head_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._series import number_of

MAGIC = b":W&B"
BLOCK, HEADER = 1 << 15, struct.Struct("<IHB")
WHOLE, FIRST, LAST = 1, 2, 4


class WandbOffline(LogReader):
    """One run's own file."""

    name = "wandb_offline"
    title = "W&B's .wandb files"
    needs = "wandb"
    files: ClassVar[tuple[str, ...]] = ("*.wandb",)

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._record = _record_class()
        self._read, self._part = 7, b""

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Every such file at or below the path."""
        files = [path] if path.is_file() else sorted(path.rglob("*.wandb"))
        return {
            file.stem.removeprefix("run-"): file
            for file in files
            if head_of(file).startswith(MAGIC)
        }

    def poll(self, records: Records) -> bool:
        """Feed the history that is new; what is not whole yet waits."""
        if not self.where.is_file():
            return False
        rows, steps, times, news = [], [], [], False
        for content in self._contents():
            news = True
            record = self._record.FromString(content)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                records.name = record.run.display_name or records.name
                records.extend_meta(run_id=record.run.run_id, project=record.run.project)
            elif kind == "exit":
                records.ended = True
            elif kind == "history":
                row = {
                    "/".join(item.nested_key) or item.key: _value(item)
                    for item in record.history.item
                }
                steps.append(
                    record.history.step.num
                    if record.history.HasField("step")
                    else int(row.get("_step") or 0)
                )
                times.append(row.pop("_timestamp", None))
                rows.append(
                    {tag: value for tag, value in row.items() if tag not in ("_step", "_runtime")}
                )
        if rows:
            self.series.rows(records, rows, steps, times)
        return news

    def _contents(self) -> Iterator[bytes]:
        """The whole records that are new."""
        with self.where.open("rb") as file:
            file.seek(self._read)
            content = file.read()
        at, base = 0, self._read
        while True:
            room = BLOCK - (base + at) % BLOCK
            if room < HEADER.size:  # the end of a block is filled up
                at += room
                continue
            if at + HEADER.size > len(content):
                return
            _, length, kind = HEADER.unpack_from(content, at)
            end = at + HEADER.size + length
            if kind == 0 or end > len(content):
                return
            part = content[at + HEADER.size : end]
            at = end
            self._read = base + at
            self._part = part if kind in (WHOLE, FIRST) else self._part + part
            if kind in (WHOLE, LAST):
                yield self._part


def _record_class() -> Any:
    try:
        from wandb.proto.wandb_internal_pb2 import Record
    except ImportError as error:
        raise MissingPackage(package="wandb", extra="wandb", who="a .wandb file") from error
    return Record


def _value(item: Any) -> float | None:
    """The number of a history item: typed in newer versions, JSON in older ones."""
    for field in ("number", "integer"):
        if field in item.DESCRIPTOR.fields_by_name and item.HasField(field):
            return number_of(getattr(item, field))
    try:
        return number_of(json.loads(item.value_json)) if item.value_json else None
    except ValueError:
        return None
