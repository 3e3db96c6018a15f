"""JSON lines of anybody's own: a step a line, flat or nested, ``{"step": 10, "loss": {"web": 3.1, "code": 2.2}}``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, files_of, head_of
from reweightviz.readers.logs._naming import Pattern


class JsonRows(LogReader):
    """JSON lines with a step in each."""

    name = "rows"
    title = "JSON lines with a step in each"
    files: ClassVar[tuple[str, ...]] = ("*.jsonl", "*.ndjson")
    steps: ClassVar[tuple[str, ...]] = (
        "step",
        "global_step",
        "iteration",
        "iter",
        "steps",
        "train/global_step",
    )
    times: ClassVar[tuple[str, ...]] = ("timestamp", "time", "wall_time", "_timestamp")

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._lines = LineTail(where)
        self._rotation, self._bad = -1, False

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Every file whose first line is such a row."""
        return {
            name: file
            for name, file in files_of(path, *cls.files).items()
            if cls.fits(first_row(file))
        }

    @classmethod
    def fits(cls, row: Mapping[str, Any]) -> bool:
        """Whether a row is of this format."""
        return any(name in row for name in cls.steps)

    def poll(self, records: Records) -> bool:
        """Feed the new lines; one that is no JSON object with a step is left out, and said."""
        news = False
        for block in self.blocks(self._lines, records):
            if self._rotation != self._lines.rotations:
                self._rotation, self._lines.number = self._lines.rotations, 0
            rows = [
                row for line in block.splitlines() if (row := self._row(line, records)) is not None
            ]
            if rows:
                news = True
                self.feed(records, rows)
        return news

    def is_whole(self, line: bytes) -> bool:
        """It is JSON."""
        return _object(line) is not None

    def _row(self, line: bytes, records: Records) -> Mapping[str, Any] | None:
        self._lines.number += 1
        row = _object(line)
        if row is not None and self.fits(row):
            return row
        if line.strip() and not self._bad:
            self._bad = True
            records.extend_meta(
                notes=[
                    f"Line {self._lines.number} and perhaps others are no rows with a "
                    "step, and are left out."
                ]
            )
        return None

    def feed(self, records: Records, rows: list[Mapping[str, Any]]) -> None:
        """Rows in the order in which they were logged."""
        own = self.series.naming.extras
        step = str(own.get("step") or next(name for name in self.steps if name in rows[0]))
        time = str(own.get("time") or next((name for name in self.times if name in rows[0]), ""))
        rows = [row for row in rows if isinstance(row.get(step), int | float)]
        left = [
            {tag: value for tag, value in row.items() if tag not in (step, time, "_runtime")}
            for row in rows
        ]
        self.series.rows(
            records,
            left,
            [int(row[step]) for row in rows],
            [seconds(row.get(time)) for row in rows],
        )


def first_row(file: Path) -> Mapping[str, Any]:
    """The JSON object in the first line of a file; empty where there is none."""
    return _object(head_of(file).partition(b"\n")[0]) or {}


def seconds(value: Any) -> float | None:
    """Unix seconds of a number in seconds or milliseconds, or of an ISO date."""
    import pandas as pd

    if isinstance(value, str):
        try:
            return float(pd.Timestamp(value).timestamp())
        except ValueError:
            return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value / 1000 if value > 1e11 else float(value)
    return None


def _object(line: bytes) -> Mapping[str, Any] | None:
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None
