"""Writing JSON lines that a kill at any byte cannot spoil: whole lines, each in one write to the end of the file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reweightviz.core.errors import UnwritableFile
from reweightviz.core.files import inside_folder

_BACK = 1 << 16  # bytes looked at in one go for the end of the last line


class LineWriter:
    r"""Appends lines to a file; half a line that a killed writer left is taken away first.

    Args:
        path: of the file, made at the first line.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "log.jsonl"
        >>> _ = path.write_text('{"step": 1}\n{"ste')
        >>> LineWriter(path).write({"step": 2})
        >>> path.read_text()
        '{"step": 1}\n{"step": 2}\n'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: int | None = None

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
            file = self._opened()
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

    def _opened(self) -> int:
        if self._file is None:
            self._file = os.open(
                inside_folder(self.path),
                os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0),
                0o666,
            )
            _mend(self._file)
        return self._file

    def __del__(self) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_file": None}


def _mend(file: int) -> None:
    """Cut off what stands after the last line's end."""
    size = start = os.lseek(file, 0, os.SEEK_END)
    tail = b""
    while start and b"\n" not in tail:
        os.lseek(file, start := max(0, start - _BACK), os.SEEK_SET)
        tail = os.read(file, min(_BACK, size - len(tail))) + tail
    os.ftruncate(file, size - len(tail) + tail.rfind(b"\n") + 1)
