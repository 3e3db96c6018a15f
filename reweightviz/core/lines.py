"""Whole lines of a file: written so that a kill spoils none, and followed as they come."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from reweightviz.core.errors import UnreadableFile, UnwritableFile, WrongContent
from reweightviz.core.file_lock import take_lock
from reweightviz.core.files import inside_folder
from reweightviz.core.lock import hold_open_file

__all__ = ["LineTail", "LineWriter"]


_BACK = 1 << 16  # bytes looked at in one go for the end of the last line
_BLOCK = 4 << 20  # bytes read at once
_LONGEST = 1 << 28
"""Bytes of a line; a longer one is no line of a log, and would fill the memory."""
_PATIENCE = 5.0  # seconds for another writer, told to end, to do so
_PRINT = 256  # bytes at either end of what was read, by which a file is known again


class LineWriter:
    r"""Append lines to a file; half a line that a killed writer left is taken away first.

    Args:
        path: of the file, made at the first line.
        alone: refuse a file that another process writes alone. It is told by a lock of the
            process that ends with it and that its forks do not share; where nothing can be
            locked, or once the process itself has opened and closed the file otherwise, not.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "log.jsonl"
        >>> _ = path.write_text('{"step": 1}\n{"ste')
        >>> LineWriter(path).write({"step": 2})
        >>> path.read_text()
        '{"step": 1}\n{"step": 2}\n'
    """

    def __init__(self, path: str | os.PathLike[str], *, alone: bool = False) -> None:
        self.path = Path(path)
        self.alone = alone
        self._file: int | None = None
        self._is_mended = False

    def read_first(self) -> bytes:
        """Return the first line, half of one too; nothing is mended yet.

        Raises:
            ReweightvizError: the file may not be written, or another process does.
        """
        try:
            # By the same handle: to close another one would give up the lock.
            file = self._open()
            os.lseek(file, 0, os.SEEK_SET)
            line = b""
            while b"\n" not in line and (part := os.read(file, _BACK)):
                line += part
        except OSError as error:
            raise UnwritableFile(path=self.path, reason=error.strerror or error) from error
        first, end, _ = line.partition(b"\n")
        return first + end

    def write(self, *records: Mapping[str, Any], durable: bool = False) -> None:
        """Append a line a record, all in one write; ``durable`` waits until they are on the disk.

        Raises:
            ReweightvizError: the disk is full, the file may not be written, or JSON cannot hold
                it; the file ends as it did before.
        """
        try:
            data = "".join(
                json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records
            ).encode()
        except (TypeError, ValueError) as error:
            raise UnwritableFile(
                path=self.path, reason=f"JSON in UTF-8 cannot hold {list(records)!r:.80}"
            ) from error
        try:
            file = self._open()
            with self._keep_apart(file):
                # Half a line may be one that another process is writing right now.
                if not self._is_mended:
                    _mend(file)
                    self._is_mended = True
                before = os.lseek(file, 0, os.SEEK_END)
                if os.write(file, data) < len(data):
                    os.ftruncate(file, before)
                    raise UnwritableFile(path=self.path, reason="the disk is full")
            if durable:
                os.fsync(file)
        except OSError as error:
            raise UnwritableFile(path=self.path, reason=error.strerror or error) from error

    def close(self) -> None:
        """Let go of the file; the next line opens it again."""
        if self._file is not None:
            self._close(self._file)
            self._file = None

    _close = staticmethod(os.close)  # when the interpreter ends, the name os may be gone first

    def _open(self) -> int:
        if self._file is None:
            self._file = os.open(
                inside_folder(self.path),
                os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0),
                0o666,
            )
            if self.alone and not _lock(self._file):
                self.close()
                raise UnwritableFile(
                    path=self.path,
                    reason="another process writes it; end that process or name another file",
                )
            self._is_mended = False
        return self._file

    def _keep_apart(self, file: int) -> AbstractContextManager[None]:
        """Keep other writers out for the time of a write."""
        # Who writes alone keeps them out already. By both kinds of lock a process may keep out
        # itself: on NFS they are one, see flock(2).
        if self.alone:
            return nullcontext()
        return hold_open_file(file, self.path)

    def __del__(self) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "alone": self.alone, "_file": None, "_is_mended": False}


def _lock(file: int) -> bool:
    """Lock a file for this process; return False where another one keeps it."""
    try:
        return take_lock(file, _PATIENCE, of_process=True)
    except OSError:
        return True


def _mend(file: int) -> None:
    """Cut off what stands after the last line's end."""
    size = start = os.lseek(file, 0, os.SEEK_END)
    tail = b""
    while start and b"\n" not in tail:
        os.lseek(file, start := max(0, start - _BACK), os.SEEK_SET)
        tail = os.read(file, min(_BACK, size - len(tail))) + tail
    os.ftruncate(file, size - len(tail) + tail.rfind(b"\n") + 1)


class LineTail:
    r"""The new whole lines of a file, each time it is iterated.

    A last line without its end waits for it.

    The file may be truncated, replaced by another one (rotated) or removed: what was written to
    the old one is read to its end, then the new one from its start. One that was copied over with
    the same beginning (rsync) goes on where it was.

    Args:
        path: the file; it need not exist yet.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "log"
        >>> lines = LineTail(path)
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
        self._closing: weakref.finalize[[], LineTail] | None = None
        self._read = 0
        self._head = self._tail = b""

    def __iter__(self) -> Iterator[bytes]:
        for block in self.blocks():
            for line in block.split(b"\n")[:-1]:
                self.number += 1
                yield line.removesuffix(b"\r")

    def blocks(self) -> Iterator[bytes]:
        """Yield the same lines, many at once: bytes that end with the end of a line.

        The caller counts ``number`` on.

        Raises:
            ReweightvizError: the path is a folder, may not be read, or holds a line without end;
                the next call goes on behind what was read of it.
        """
        if self._file is not None and self._is_cut(self._file):
            self._begin(self._file)
        yield from self._more()
        new = self._open_other()
        if new is None:
            return
        if self._file is not None and self._continues(new):
            self._hold(new)
        else:
            self._begin(new)
        yield from self._more()

    def take_rest(self) -> bytes:
        """Return the rest as a line of its own, and go on behind it."""
        rest = self.rest
        self.rest = b""
        self._pass(rest)
        return rest

    def _more(self) -> Iterator[bytes]:
        while self._file is not None:
            self._file.seek(self._read)
            parts = [self._file.read(_BLOCK)]
            while parts[-1] and b"\n" not in parts[-1]:
                if len(parts) * _BLOCK > _LONGEST:
                    self._pass(b"".join(parts))
                    raise WrongContent(
                        path=self.path, reason=f"holds a line of more than {_LONGEST:,} bytes"
                    )
                parts.append(self._file.read(_BLOCK))
            block = b"".join(parts)
            end = block.rfind(b"\n") + 1
            # Half a line is read again until it is whole: the writer that follows a killed one
            # takes it away.
            self.rest = block[end:]
            if not end:
                return
            self._pass(block[:end])
            yield block[:end]

    def _pass(self, read: bytes) -> None:
        self._read += len(read)
        self._head = (self._head + read[:_PRINT])[:_PRINT]
        self._tail = (self._tail + read[-_PRINT:])[-_PRINT:]

    def _open_other(self) -> BinaryIO | None:
        """Open the file that now lies at the path, if it is another one than the held one."""
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

    def _is_cut(self, file: BinaryIO) -> bool:
        """Return whether the held file was truncated, even if it has grown again since."""
        return os.fstat(file.fileno()).st_size < self._read or not self._continues(file)

    def _continues(self, file: BinaryIO) -> bool:
        """Return whether both ends of what was read stand in this file too."""
        file.seek(0)
        head = file.read(len(self._head))
        file.seek(max(0, self._read - len(self._tail)))
        return head == self._head and file.read(len(self._tail)) == self._tail

    def _begin(self, file: BinaryIO) -> None:
        self.rotations += self._file is not None
        self._read = self.number = 0
        self._head = self._tail = self.rest = b""
        self._hold(file)

    def _hold(self, file: BinaryIO) -> None:
        if file is not self._file:
            if self._closing is not None:
                self._closing()
            self._file = file
            self._closing = weakref.finalize(self, file.close)
