"""Our own run logs: JSON lines behind a header, by ``rv.training.RunLogger`` or ``RunLog.save``."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from reweightviz.core.records import Records
from reweightviz.core.run_lines import RunLineReader
from reweightviz.core.runlog import BEGINNING
from reweightviz.readers.logs._log_reader import LogReader, files_of, head_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs.json_rows import first_row

__all__ = ["RunJsonl"]


class RunJsonl(LogReader):
    """One run of our own; it names its domains, so a pattern changes nothing."""

    name = "jsonl"
    title = "reweightviz JSON lines"
    files: ClassVar[tuple[str, ...]] = ("*.jsonl",)

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._lines = RunLineReader(where)

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Return every file whose first line is a header."""
        files = files_of(path, *cls.files)
        return {name: file for name, file in files.items() if _has_header(file)}

    def poll(self, records: Records) -> bool:
        """Feed the new lines."""
        return self._lines.poll(records)


def _has_header(file: Path) -> bool:
    # However long it is, with which words it begins is enough.
    if head_of(file).startswith(BEGINNING):
        return True
    row = first_row(file)
    is_ours = str(row.get("format", "")).startswith("reweightviz.")
    return is_ours or isinstance(row.get("domains"), list)
