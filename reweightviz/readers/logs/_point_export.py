"""The parts that files of single points share: a tag, a step and a value each, in any order.

Such a file is written anew when it grows, or lies in an archive: it is read whole, and what was fed
already is left out.
"""

from __future__ import annotations

import io
import json
import zipfile
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from reweightviz.core.records import Records
from reweightviz.core.unfolding import Allowance
from reweightviz.readers.logs._log_reader import LogReader, files_of, stamp_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._numbers import number_of, step_of_cell
from reweightviz.readers.logs._series import Point
from reweightviz.readers.logs._times import seconds_of

__all__ = ["PointExport", "json_lines", "member_of", "members_of", "point_of"]


class PointExport(LogReader):
    """One run in a file that is read whole."""

    files: ClassVar[tuple[str, ...]]

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._stamp: tuple[int, int] | None = None
        self._fed: Counter[str] = Counter()

    @classmethod
    @abstractmethod
    def is_one(cls, file: Path) -> bool:
        """Return whether a file is of this format, by a look at it."""

    @abstractmethod
    def points(self, file: Path) -> Iterator[Point | None]:
        """Yield the points in the order in which they were logged; None for one without a step."""

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Return every file of this format, by its name."""
        found = files_of(path, *cls.files)
        return {name: file for name, file in found.items() if cls.is_one(file)}

    def poll(self, records: Records) -> bool:
        """Feed the points that are new in a file that was written anew."""
        if not self.where.is_file():
            return False
        stamp = stamp_of(self.where)
        if stamp == self._stamp:
            return False
        seen: Counter[str] = Counter()
        left_out = 0
        for point in self.points(self.where):
            if point is None:
                left_out += 1
                continue
            seen[point.tag] += 1
            if seen[point.tag] > self._fed[point.tag]:
                self.series.add_point(*point)
        if left_out and self._stamp is None:
            records.extend_meta(notes=[f"Values without a step, left out: {left_out:,}."])
        self._stamp = stamp
        self._fed |= seen
        return self.series.flush(records)


def point_of(tag: object, step: Any, value: Any, time: Any = None) -> Point | None:
    """Return a point; None without a step or where the value is no number.

    >>> point_of("loss", 10, "2.5", 1700000000000)
    Point(tag='loss', step=10, value=2.5, time=1700000000.0)
    """
    whole = step_of_cell(step)
    number = number_of(value)
    if whole is None or number is None:
        return None
    seconds = seconds_of(time)
    if seconds is None:
        seconds = float("nan")
    return Point(str(tag), whole, number, seconds)


def members_of(file: Path) -> set[str]:
    """Return the names of the files in an archive; none where it is no archive."""
    if file.suffix != ".zip" or not zipfile.is_zipfile(file):
        return set()
    try:
        with zipfile.ZipFile(file) as archive:
            return set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError):
        return set()


def member_of(file: Path, name: str) -> bytes:
    """Return a file of an archive.

    Raises:
        ReweightvizError: it unfolds to far more than the archive has.
    """
    with zipfile.ZipFile(file) as archive:
        allowance = Allowance(file, "pack it without compression (zip -0)")
        # No more than that is read, whatever comes.
        allowance.spend(archive.getinfo(name).file_size, file.stat().st_size)
        return archive.read(name)


def json_lines(content: bytes) -> Iterator[Any]:
    """Yield what stands in the lines that are JSON; the last may be half written."""
    # One by one: a list of a million lines takes several times their bytes.
    for line in io.BytesIO(content):
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            continue
