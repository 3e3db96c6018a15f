"""TensorBoard event files: a file, the folder of a run, or a folder of runs.

Martín Abadi et al., "TensorFlow: A System for Large-Scale Machine Learning", OSDI 2016,
https://www.usenix.org/conference/osdi16/technical-sessions/presentation/abadi. An event file is a
    sequence of TFRecords (length,
checksum, bytes, checksum), each an ``Event`` of ``tensorboard/compat/proto/event.proto``.
TensorFlow itself is not needed.
"""

from __future__ import annotations

import math
import os
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from reweightviz.core.errors import MissingPackage
from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, head_of
from reweightviz.readers.logs._naming import Pattern

Point: TypeAlias = tuple[float, int, str, float]
"""Unix seconds, step, tag, value."""
MARK = "tfevents"
MANY = 200_000  # values that wait at once
OTHER_STEPS = (" vs samples", " vs tokens")
"""How the tags end that Megatron-LM writes a second time, with samples or tokens in place of the step."""
LENGTH = struct.Struct("<Q")


class TensorBoard(LogReader):
    """The scalars of one run, of all its event files, as they grow."""

    name = "tensorboard"
    title = "TensorBoard event files"
    needs = "tensorboard"
    files: ClassVar[tuple[str, ...]] = (f"*{MARK}*",)

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._read: dict[Path, int] = defaultdict(int)
        self._event = _event_class()
        self._bad: set[Path] = set()

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """A run is a folder with event files; what ``add_scalars`` puts into folders of its own belongs to the run above."""
        if path.is_file():
            return (
                {path.parent.name or path.stem: path}
                if MARK in path.name and _is_events(path)
                else {}
            )
        found = (
            sorted({file.parent for file in path.rglob(f"*{MARK}*") if file.is_file()})
            if path.is_dir()
            else []
        )
        own = [folder for folder in found if not any(above in folder.parents for above in found)]
        return {
            folder.relative_to(path).as_posix() if folder != path else path.resolve().name: folder
            for folder in own
        }

    def poll(self, records: Records) -> bool:
        """Feed the events that are new. An event that is not whole yet waits; a file that cannot be read on is left, and said."""
        files = (
            [self.where]
            if self.where.is_file()
            else sorted(self.where.rglob(f"*{MARK}*"), key=lambda file: file.name)
        )
        news = False
        for time, step, tag, number in self._points(files, records):
            self.series.point(tag, step, number, time)
            if len(self.series) >= MANY:
                news = self.series.flush(records)
        return self.series.flush(records) or news

    def _points(self, files: list[Path], records: Records) -> Iterable[Point]:
        """The new values of all files, by the time at which they were logged; those of one file as they were written."""
        each = [self._points_of(file, records) for file in files]
        return (
            each[0]
            if len(each) == 1
            else sorted(chain.from_iterable(each), key=lambda point: point[0])
        )

    def _points_of(self, file: Path, records: Records) -> Iterator[Point]:
        prefix = file.parent.relative_to(self.where).as_posix() if self.where.is_dir() else "."
        for event in self._events(file, records):
            for value in event.summary.value:
                if not value.tag.endswith(OTHER_STEPS) and (number := _number(value)) is not None:
                    yield event.wall_time, event.step, _tag(value.tag, prefix), number

    def _events(self, file: Path, records: Records) -> Iterator[Any]:
        if file in self._bad:
            return
        with file.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size < self._read[file]:
                self._read[file] = 0
            stream.seek(self._read[file])
            content = stream.read()
        at, start = 0, self._read[file]
        while at + 12 <= len(content):
            end = at + 16 + LENGTH.unpack_from(content, at)[0]
            if end > len(content):
                break
            try:
                event = self._event.FromString(content[at + 12 : end - 4])
            except ValueError:  # protobuf's DecodeError
                self._bad.add(file)
                records.extend_meta(
                    notes=[
                        f"{file.name} cannot be read from byte {start + at:,} on; what "
                        "stands there is left out."
                    ]
                )
                break
            at = end
            self._read[file] = start + at
            yield event


def _event_class() -> Any:
    try:
        from tensorboard.compat.proto.event_pb2 import Event
    except ImportError as error:
        raise MissingPackage(
            package="tensorboard", extra="tensorboard", who="a TensorBoard log"
        ) from error
    return Event


def _is_events(file: Path) -> bool:
    """Whether the first record's length is one that the first event, the version of the file, has; an empty file is still to be written."""
    head = head_of(file)
    return not head or (len(head) >= 12 and LENGTH.unpack_from(head)[0] < 1 << 20)


def _tag(tag: str, prefix: str) -> str:
    """``add_scalars("loss", {"web": ...})`` writes the tag "loss" into a folder "loss_web"."""
    if prefix == ".":
        return tag
    main = tag.replace("/", "_") + "_"
    return f"{tag}/{prefix[len(main) :]}" if prefix.startswith(main) else f"{prefix}/{tag}"


def _number(value: Any) -> float | None:
    """The scalar of a summary, as old writers (a float) and new ones (a tensor) give it; None of histograms, pictures and texts."""
    if value.HasField("simple_value"):
        number = value.simple_value
    elif value.HasField("tensor") and not value.tensor.tensor_shape.dim:
        from tensorboard.util.tensor_util import make_ndarray

        array = make_ndarray(value.tensor)
        if array.dtype.kind not in "fiu":
            return None
        number = float(array)
    else:
        return None
    return number if math.isfinite(number) else math.inf
