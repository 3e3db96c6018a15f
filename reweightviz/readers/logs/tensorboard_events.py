"""TensorBoard event files: a file, the folder of a run, or a folder of runs.

Martín Abadi et al., "TensorFlow: A System for Large-Scale Machine Learning", OSDI 2016,
https://www.usenix.org/conference/osdi16/technical-sessions/presentation/abadi. An event file is a
sequence of TFRecords (length, checksum, bytes, checksum), each an ``Event`` of
``tensorboard/compat/proto/event.proto``. TensorFlow itself is not needed.
"""

from __future__ import annotations

import math
import os
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

from reweightviz.core.errors import MissingPackage
from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, head_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._series import Point

__all__ = [
    "AFTER",
    "BEFORE",
    "LENGTH",
    "LONGEST_FIRST",
    "MANY",
    "MARK",
    "OTHER_STEPS",
    "TensorBoard",
]


MARK = "tfevents"
MANY = 200_000  # values that wait at once
OTHER_STEPS = (" vs samples", " vs tokens")
"""Endings of tags that Megatron-LM writes a second time, by samples or tokens instead of steps."""
LENGTH = struct.Struct("<Q")
BEFORE = 12  # bytes of a TFRecord before its content: the length and its checksum
AFTER = 4  # bytes behind it: the content's checksum
LONGEST_FIRST = 1 << 20
"""More bytes than the first event of a file, its version, ever has."""


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
        self._broken: set[Path] = set()

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Return the folders with event files.

        Folders that ``add_scalars`` made inside one belong to the run above them.
        """
        if path.is_file():
            if MARK not in path.name or not _is_events(path):
                return {}
            return {path.parent.name or path.stem: path}
        folders = sorted({file.parent for file in path.rglob(f"*{MARK}*") if file.is_file()})
        runs = [run for run in folders if not any(above in run.parents for above in folders)]
        if runs == [path]:
            return {path.resolve().name: path}
        return {run.relative_to(path).as_posix(): run for run in runs}

    def poll(self, records: Records) -> bool:
        """Feed the events that are new.

        An event that is not whole yet waits; a file that is broken is read up to there, and noted.
        """
        has_news = False
        for point in self._points(records):
            self.series.add_point(*point)
            if len(self.series) >= MANY:
                has_news = self.series.flush(records)
        return self.series.flush(records) or has_news

    def _points(self, records: Records) -> Iterable[Point]:
        """Return the new values: of several files by their time, of one file as written."""
        if self.where.is_file():
            return self._points_of(self.where, records)
        files = sorted(self.where.rglob(f"*{MARK}*"), key=lambda file: file.name)
        each = [self._points_of(file, records) for file in files]
        if len(each) == 1:
            return each[0]
        # A run that was started again has a further file, whose steps go back: time orders them.
        return sorted(chain.from_iterable(each), key=lambda point: point.time)

    def _points_of(self, file: Path, records: Records) -> Iterator[Point]:
        prefix = "."
        if file != self.where:
            prefix = file.parent.relative_to(self.where).as_posix()
        for event in self._events(file, records):
            for value in event.summary.value:
                number = _number_of(value)
                if number is not None and not value.tag.endswith(OTHER_STEPS):
                    yield Point(_join(prefix, value.tag), event.step, number, event.wall_time)

    def _events(self, file: Path, records: Records) -> Iterator[Any]:
        if file in self._broken:
            return
        with file.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size < self._read[file]:
                # Shorter than before, so it was begun anew.
                self._read[file] = 0
            stream.seek(self._read[file])
            content = stream.read()
        start = self._read[file]
        at = 0
        while at + BEFORE <= len(content):
            first = at + BEFORE
            last = first + LENGTH.unpack_from(content, at)[0]
            if last + AFTER > len(content):
                break
            try:
                event = self._event.FromString(content[first:last])
            except ValueError:  # protobuf's DecodeError
                self._broken.add(file)
                records.extend_meta(
                    notes=[
                        f"{file.name} cannot be read from byte {start + at:,} on; what "
                        "stands there is left out."
                    ]
                )
                break
            at = last + AFTER
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
    """Return whether the first record may be a version; an empty file is still to be written."""
    head = head_of(file)
    if not head:
        return True
    return len(head) >= BEFORE and LENGTH.unpack_from(head)[0] < LONGEST_FIRST


def _join(prefix: str, tag: str) -> str:
    """Return the tag of a value in the folder ``prefix`` of a run.

    ``add_scalars("loss", {"web": ...})`` writes the tag "loss" into a folder "loss_web".

    >>> _join("loss_web", "loss"), _join("rank0", "loss"), _join(".", "loss")
    ('loss/web', 'rank0/loss', 'loss')
    """
    if prefix == ".":
        return tag
    main = tag.replace("/", "_") + "_"
    if prefix.startswith(main):
        return f"{tag}/{prefix.removeprefix(main)}"
    return f"{prefix}/{tag}"


def _number_of(value: Any) -> float | None:
    """Return the scalar of a summary; None for histograms, pictures and texts.

    Old writers give a float, new ones a tensor.
    """
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
