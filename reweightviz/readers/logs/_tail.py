"""Following a file that another process writes: its new whole lines, and the run that grows from them."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from reweightviz.core.errors import UnreadableFile
from reweightviz.core.runlog import RunLog
from reweightviz.readers.logs._records import Records

_BLOCK = 4 << 20  # bytes read at once
_PRINT = 256  # bytes at either end of what was read, by which a file is known again
QUIET = 300.0
"""Seconds without news after which a run no longer counts as live."""


class Reader(Protocol):
    """One format: reads what is new."""

    def poll(self, records: Records) -> bool:
        """Feed what is new into the records; True when there was something."""
        ...


class Lines:
    r"""The new whole lines of a file, each time it is iterated; a last line without its end waits for it.

    The file may be truncated, replaced by another one (rotated) or removed: what was written to
    the old one is read to its end, then the new one from its start. One that was copied over with
    the same beginning (rsync) goes on where it was.

    Args:
        path: the file; it need not exist yet.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "log"
        >>> lines = Lines(path)
        >>> list(lines), lines.gone
        ([], True)
        >>> _ = path.write_bytes(b"one\ntwo\nthr")
        >>> list(lines), list(lines), lines.rest
        ([b'one', b'two'], [], b'thr')
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.number = 0
        """Number in its file of the line that came last."""
        self.rotations = 0
        """How often the file began anew."""
        self.rest = b""
        """What stands after the last line's end: half a line, or one whose end is still to come."""
        self.gone = False
        """There is no file at the path; what was read stays."""
        self._file: BinaryIO | None = None
        self._closing: weakref.finalize[[], Lines] | None = None
        self._read, self._head, self._tail = 0, b"", b""

    def __iter__(self) -> Iterator[bytes]:
        for block in self.blocks():
            for line in block.split(b"\n")[:-1]:
                self.number += 1
                yield line.removesuffix(b"\r")

    def blocks(self) -> Iterator[bytes]:
        """The same lines, many at once: bytes that end with the end of a line. Who takes them counts ``number`` on.

        Raises:
            ReweightvizError: the path is a folder, or may not be read.
        """
        if self._file is not None and self._cut():
            self._begin(self._file)
        yield from self._more()
        new = self._opened()
        if new is not None:
            self._begin(new) if self._file is None or not self._continues(new) else self._hold(new)
            yield from self._more()

    def take_rest(self) -> bytes:
        """The rest, as a line of its own."""
        rest, self.rest = self.rest, b""
        self._passed(rest)
        return rest

    def _more(self) -> Iterator[bytes]:
        while self._file is not None:
            self._file.seek(self._read)
            parts = [self._file.read(_BLOCK)]
            while parts[-1] and b"\n" not in parts[-1]:
                parts.append(self._file.read(_BLOCK))
            block = b"".join(parts)
            end = block.rfind(b"\n") + 1
            # Half a line is read again until it is whole: a writer that was killed may take it
            # away.
            self.rest = block[end:]
            if not end:
                return
            self._passed(block[:end])
            yield block[:end]

    def _passed(self, read: bytes) -> None:
        self._read += len(read)
        self._head = (self._head + read[:_PRINT])[:_PRINT]
        self._tail = (self._tail + read[-_PRINT:])[-_PRINT:]

    def _opened(self) -> BinaryIO | None:
        """The file that now lies at the path, if it is another one than that which is held."""
        try:
            here = self.path.stat()
            self.gone = False
            if self._file is not None and os.path.samestat(here, os.fstat(self._file.fileno())):
                return None
            return self.path.open("rb")
        except FileNotFoundError:
            self.gone = True
            return None
        except OSError as error:
            raise UnreadableFile(path=self.path, reason=error.strerror or error) from error

    def _cut(self) -> bool:
        """Whether the held file was truncated, even if it has grown again since."""
        assert self._file is not None
        return os.fstat(self._file.fileno()).st_size < self._read or not self._continues(self._file)

    def _continues(self, file: BinaryIO) -> bool:
        """Whether what was read stands in this file too, as far as both its ends tell."""
        file.seek(0)
        head = file.read(len(self._head))
        file.seek(max(0, self._read - len(self._tail)))
        return head == self._head and file.read(len(self._tail)) == self._tail

    def _begin(self, file: BinaryIO) -> None:
        self.rotations += self._file is not None
        self._read, self._head, self._tail, self.rest, self.number = 0, b"", b"", b"", 0
        self._hold(file)

    def _hold(self, file: BinaryIO) -> None:
        if file is not self._file:
            if self._closing is not None:
                self._closing()
            self._file, self._closing = file, weakref.finalize(self, file.close)


class Tail:
    """A run that is still being written, read as far as it goes.

    Args:
        reader: of its format.
        records: what the reader fills.
        path: of the file or folder.
        quiet: seconds without news after which it no longer counts as live.

    Example:
        >>> from reweightviz.readers.logs._run_lines import RunLines
        >>> import tempfile, pathlib
        >>> path = RunLog(("web",), [10], [[1.0]]).save(pathlib.Path(tempfile.mkdtemp()) / "run.jsonl")
        >>> tail = Tail(RunLines(path), Records(), path)
        >>> tail.poll(), tail.poll(), tail.live, len(tail.log)
        (True, False, True, 1)
        >>> tail.status()
        'live · step 10 · 0 s ago'
    """

    def __init__(
        self,
        reader: Reader,
        records: Records,
        path: str | os.PathLike[str],
        *,
        quiet: float = QUIET,
    ) -> None:
        self.path, self.quiet = Path(path), quiet
        self.records = records
        self.problem = ""
        """What was wrong with what came last, in a sentence."""
        self._reader = reader
        self._heard: float | None = None
        self._log: RunLog | None = None
        self._lock = threading.Lock()  # a widget polls from a thread of its own

    def poll(self) -> bool:
        """Read what is new; True when there was something. Costs as much as the news, however long the log is already.

        Raises:
            ReweightvizError: a line that is none of its format; the next poll goes on after it.
        """
        with self._lock:
            before, first, news = len(self.records), self._heard is None, False
            try:
                news = self._reader.poll(self.records)
                self.problem = ""
            except Exception as problem:
                self.problem = str(problem)
                raise
            finally:
                if first or news or len(self.records) != before:
                    self._log = None
                    self._heard = (_written(self.path) if first else None) or time.time()
            return news

    @property
    def log(self) -> RunLog:
        """The run so far, as :meth:`Records.snapshot` gives it."""
        with self._lock:
            if self._log is None:
                self._log = self.records.snapshot()
            return self._log

    @property
    def ended(self) -> bool:
        """The writer said that the run is over."""
        return self.records.ended

    @property
    def gone(self) -> bool:
        """There is nothing at the path any more; what was read stays, and reading goes on when it is back."""
        return not self.path.exists()

    @property
    def heard(self) -> float | None:
        """When the last news came, in Unix seconds; None before the first look."""
        return self._heard

    @property
    def age(self) -> float:
        """Seconds since the last news."""
        return float("inf") if self._heard is None else max(0.0, time.time() - self._heard)

    @property
    def live(self) -> bool:
        """False when the writer said that it ended, when the file is gone, or when nothing came for a while."""
        return not (self.ended or self.gone or self.age > self.quiet)

    def status(self) -> str:
        """How it stands, in a few words."""
        step = self.records.last_step
        at = "no step yet" if step is None else f"step {step:,}"
        if self.ended:
            return f"ended · {at}"
        if self.gone:
            return (
                f"waiting for {self.path.name}"
                if step is None
                else f"gone: {self.path.name} is not there any more · {at}"
            )
        return (
            f"live · {at} · {_ago(self.age)} ago"
            if self.live
            else f"no news for {_ago(self.age)} · {at}"
        )

    def __repr__(self) -> str:
        return f"Tail({str(self.path)!r}, {self.status()})"


def _written(path: Path) -> float | None:
    """When the file, or the newest one of a folder, was written."""
    files = path.rglob("*") if path.is_dir() else [path]
    return max((file.stat().st_mtime for file in files if file.is_file()), default=None)


def _ago(seconds: float) -> str:
    for unit, each in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= each:
            return f"{seconds / each:.0f} {unit}"
    return f"{seconds:.0f} s"
