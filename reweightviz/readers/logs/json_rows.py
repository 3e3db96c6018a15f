"""JSON lines of any make: a step a line, flat or nested, ``{"step": 1, "loss": {"web": 3.1}}``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, files_of, head_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._numbers import step_of_cell
from reweightviz.readers.logs._table import STEPS, feed_rows, step_of

__all__ = ["JsonRows", "first_row"]


class JsonRows(LogReader):
    """JSON lines with a step in each."""

    name = "rows"
    title = "JSON lines with a step in each"
    files: ClassVar[tuple[str, ...]] = ("*.jsonl", "*.ndjson")
    steps: ClassVar[tuple[str, ...]] = STEPS
    """Names of the cell that is the step, in lower case."""

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._lines = LineTail(where)
        self._has_bad_line = False

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Return every file whose first line is such a row."""
        files = files_of(path, *cls.files)
        return {name: file for name, file in files.items() if cls.fits(first_row(file))}

    @classmethod
    def fits(cls, row: Mapping[str, Any]) -> bool:
        """Return whether a row is of this format."""
        return step_of(row, cls.steps) is not None

    def poll(self, records: Records) -> bool:
        """Feed the new lines; a note counts for those that are no JSON object with a step."""
        has_news = False
        for block in self.blocks(self._lines, records):
            parsed = [self._parse(line, records) for line in block.splitlines()]
            rows = [row for row in parsed if row is not None]
            if rows:
                has_news = True
                self.feed(records, rows)
        return has_news

    def is_whole(self, line: bytes) -> bool:
        """Return whether it is JSON."""
        return _parse_object(line) is not None

    def _parse(self, line: bytes, records: Records) -> Mapping[str, Any] | None:
        self._lines.number += 1
        row = _parse_object(line)
        if row is not None and self.fits(row):
            return row
        if line.strip() and not self._has_bad_line:
            self._has_bad_line = True
            records.extend_meta(
                notes=[
                    f"Line {self._lines.number} and perhaps others are no rows with a "
                    "step, and are left out."
                ]
            )
        return None

    def feed(self, records: Records, rows: list[Mapping[str, Any]]) -> None:
        """Feed rows in the order in which they were logged."""
        feed_rows(self.series, records, rows, names=self.steps)

    def read_step(self, records: Records, cell: Any) -> int | None:
        """Return the step of a row; one that is none is counted."""
        step = step_of_cell(cell)
        if step is None:
            records.count_bad_steps([str(cell)])
        return step


def first_row(file: Path) -> Mapping[str, Any]:
    """Return the JSON object in the first line of a file; empty where there is none."""
    return _parse_object(head_of(file).partition(b"\n")[0]) or {}


def _parse_object(line: bytes) -> Mapping[str, Any] | None:
    try:
        content = json.loads(line)
    # Nested too deeply, it is no row either.
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
