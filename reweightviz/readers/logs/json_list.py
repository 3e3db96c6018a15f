"""A JSON list of rows, as ``DataFrame.to_json(orient="records")`` writes: ``[{"step": 1, ...}]``.

A row is what a line of JSON lines is. The file is written anew each time, and read whole.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, files_of, head_of, stamp_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._table import feed_rows, step_of

__all__ = ["JsonList"]


class JsonList(LogReader):
    """One list of rows with a step."""

    name = "list"
    title = "a JSON list of rows with a step"
    files: ClassVar[tuple[str, ...]] = ("*.json",)

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._stamp: tuple[int, int] | None = None
        self._rows: list[Any] = []

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Return every list whose first row has a step."""
        files = files_of(path, *cls.files)
        return {name: file for name, file in files.items() if _begins_with_row(file)}

    def poll(self, records: Records) -> bool:
        """Feed the rows that the list has beyond those that were fed."""
        if not self.where.is_file():
            return False
        stamp = stamp_of(self.where)
        if stamp == self._stamp:
            return False
        try:
            rows = json.loads(self.where.read_bytes())
        except ValueError:
            if self.is_over:
                raise
            return False  # half written: the next poll finds it whole
        self._stamp = stamp
        before = len(self._rows)
        if rows[:before] != self._rows:
            before = 0  # another run in its place
        self._rows = rows
        new = [row for row in rows[before:] if isinstance(row, dict)]
        feed_rows(self.series, records, new, before=before)
        return bool(new)


def _begins_with_row(file: Path) -> bool:
    """Return whether the first row of a list, which may be all that its head holds, has a step."""
    text = head_of(file).decode("utf-8", "replace").lstrip()
    if not text.startswith("["):
        return False
    try:
        row, _ = json.JSONDecoder().raw_decode(text[1:].lstrip())
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and step_of(row) is not None
