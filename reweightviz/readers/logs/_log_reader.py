"""The parts that every format of run logs has: finding runs at a path, and reading on in one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._series import Series

__all__ = ["HEAD", "LONGEST_HEADER", "LogReader", "files_of", "head_of", "name_files", "stamp_of"]


HEAD = 1 << 16  # bytes of a file by which its format is known
LONGEST_HEADER = 1 << 24
"""More bytes than the first line of a log has, be it of thousands of domains or columns."""


class LogReader(ABC):
    """One run of one format.

    Args:
        where: place of the run, as :meth:`runs` gives it.
        pattern: which tag is which domain; see :class:`reweightviz.readers.logs._naming.Naming`.
    """

    name: ClassVar[str]
    """Name for ``format=``."""
    title: ClassVar[str]
    """Name for sentences."""
    needs: ClassVar[str] = ""
    """The optional package that reads it."""
    files: ClassVar[tuple[str, ...]] = ()
    """Names of files, as patterns, by which it is known before there is anything in them."""

    begins_late: ClassVar[bool] = False
    """Other output may stand in the file before the first step is written."""
    is_over = False
    """Nothing is written any more, or waited for: a whole last line counts without its end."""

    def __init__(self, where: Any, pattern: Pattern | None = None) -> None:
        self.where = where
        self.series = Series(pattern)
        self._rotation = -1

    @classmethod
    @abstractmethod
    def runs(cls, path: Path) -> Mapping[str, Any]:
        """Return the place of each run of this format at a file or folder, by its name."""

    @classmethod
    def has_own_name(cls, place: Any) -> bool:  # noqa: ARG003
        """Return whether what lies there names the run itself, and not its path alone."""
        return False

    @classmethod
    def place_of(cls, path: Path) -> Any:
        """Return the place of the run in a file that is still to be written."""
        return path

    @abstractmethod
    def poll(self, records: Records) -> bool:
        """Feed what is new into the records; return whether there was something."""

    def blocks(self, lines: LineTail, records: Records) -> Iterator[bytes]:
        """Yield the new lines, many at once; of a log that is over, its last line too."""
        for block in self._new_lines(lines, records):
            if self._rotation != lines.rotations:
                self._rotation = lines.rotations
                self.begin()
            yield block

    def begin(self) -> None:  # noqa: B027  most formats keep nothing
        """Forget what earlier lines said: a file begins, for the first time or anew."""

    def _new_lines(self, lines: LineTail, records: Records) -> Iterator[bytes]:
        yield from lines.blocks()
        rest = lines.take_rest() if self.is_over else b""
        if not rest.strip():
            return
        if self.is_whole(rest):
            records.extend_meta(notes=["The last line lacks its end; it is read as it stands."])
            yield rest + b"\n"
        else:
            records.extend_meta(notes=["The last line is cut off, and left out."])

    def is_whole(self, line: bytes) -> bool:
        """Return whether a line that lacks its end lacks nothing else."""
        raise NotImplementedError


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file, the first line of a text whole; nothing without a file."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            if b"\n" in head or b"\0" in head or len(head) < HEAD:
                return head
            return head + file.readline(LONGEST_HEADER)
    except OSError:
        return b""


def stamp_of(file: Path) -> tuple[int, int]:
    """Return what tells that a file was written anew: its time in nanoseconds, and its bytes."""
    status = file.stat()
    return status.st_mtime_ns, status.st_size


def files_of(path: Path, *patterns: str) -> dict[str, Path]:
    """Return the files of a run's path by name.

    The path itself where it is a file; else the files like one of the patterns in the folder, or
    where there is none, in the folders right below it, and then in those below these.
    """
    if path.is_file():
        return {path.stem: path}
    for depth in ("", "*/", "*/*/"):
        matches = {match for pattern in patterns for match in path.glob(depth + pattern)}
        files = sorted(match for match in matches if match.is_file())
        if files:
            inside = {file: file.relative_to(path).with_suffix("") for file in files}
            return name_files({file: name.as_posix() for file, name in inside.items()}, path)
    return {}


def name_files(names: dict[Path, str], folder: Path) -> dict[str, Path]:
    """Return files by their names; of several of one name all but the last by their paths.

    >>> files = {Path("logs/a.csv"): "a", Path("logs/a.tsv"): "a", Path("logs/b.csv"): "b"}
    >>> list(name_files(files, Path("logs")))
    ['a.csv', 'a', 'b']
    """
    found: dict[str, Path] = {}
    for file, name in reversed(names.items()):
        if name in found:
            found[file.relative_to(folder).as_posix()] = file
        else:
            found[name] = file
    return dict(reversed(found.items()))
