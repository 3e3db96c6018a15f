"""Our own run logs, JSON lines behind a header: what ``rv.training.RunLogger`` and ``RunLog.save`` write."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from reweightviz.core.records import Records
from reweightviz.core.run_lines import RunLineReader
from reweightviz.readers.logs._log_reader import LogReader, files_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs.json_rows import first_row


class RunJsonl(LogReader):
    """One run of our own; it names its domains, so that a pattern has nothing to say."""

    name = "jsonl"
    title = "reweightviz JSON lines"
    files: ClassVar[tuple[str, ...]] = ("*.jsonl",)

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._lines = RunLineReader(where)

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Every file whose first line is a header."""
        found = {name: (file, first_row(file)) for name, file in files_of(path, *cls.files).items()}
        return {
            name: file
            for name, (file, header) in found.items()
            if str(header.get("format", "")).startswith("reweightviz.")
            or isinstance(header.get("domains"), list)
        }

    def poll(self, records: Records) -> bool:
        """Feed the new lines."""
        return self._lines.poll(records)
