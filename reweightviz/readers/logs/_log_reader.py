"""What every format of run logs is made of: which runs lie at a path, and a reader of one of them that takes up what is new."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._series import Series

HEAD = 1 << 16  # bytes of a file by which its format is known


class LogReader(ABC):
    """One run of one format.

    Args:
        where: of the run, as :meth:`runs` gives it.
        pattern: which tag is which domain; see :class:`reweightviz.readers.logs._naming.Naming`.
    """

    name: ClassVar[str]
    """What ``format=`` calls it."""
    title: ClassVar[str]
    """What a person calls it."""
    needs: ClassVar[str] = ""
    """The optional package that reads it."""
    files: ClassVar[tuple[str, ...]] = ()
    """Names of files, as patterns, by which it is known before there is anything in them."""

    over = False
    """Nobody writes on, or nobody waits for it: a last line that is whole counts without its end."""

    def __init__(self, where: Any, pattern: Pattern | None = None) -> None:
        self.where = where
        self.series = Series(pattern)

    @classmethod
    @abstractmethod
    def runs(cls, path: Path) -> Mapping[str, Any]:
        """Name of each run of this format at a file or folder to where it lies."""

    @classmethod
    def at(cls, path: Path) -> Any:
        """Where the run of a file lies that is still to be written."""
        return path

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether there is a run of this format."""
        return bool(cls.runs(path))

    @abstractmethod
    def poll(self, records: Records) -> bool:
        """Feed what is new into the records; True when there was something."""

    def blocks(self, lines: LineTail, records: Records) -> Iterator[bytes]:
        """The new lines, many at once; of a log that is over, its last line too, which may lack its end."""
        yield from lines.blocks()
        rest = lines.take_rest() if self.over else b""
        if rest.strip():
            whole = self.is_whole(rest)
            records.extend_meta(
                notes=[
                    "The last line lacks its end; it is read as it stands."
                    if whole
                    else "The last line is cut off, and left out."
                ]
            )
            if whole:
                yield rest + b"\n"

    def is_whole(self, line: bytes) -> bool:
        """Whether a line that lacks its end lacks nothing else."""
        raise NotImplementedError


def head_of(path: Path) -> bytes:
    """The first bytes of a file; nothing of what is no file."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def files_of(path: Path, *patterns: str) -> dict[str, Path]:
    """The file itself; or the files of a folder, else of the folders in it, whose names are like one of the patterns; by name."""
    if path.is_file():
        return {path.stem: path}
    for depth in ("", "*/", "*/*/"):
        files = sorted(
            {file for pattern in patterns for file in path.glob(depth + pattern) if file.is_file()}
        )
        if files:
            return {file.relative_to(path).with_suffix("").as_posix(): file for file in files}
    return {}
