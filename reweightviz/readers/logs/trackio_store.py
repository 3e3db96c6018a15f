"""Trackio's local store: an SQLite file a project, in ``~/.cache/huggingface/trackio`` or ``$TRACKIO_DIR``.

Trackio, Hugging Face, https://github.com/gradio-app/trackio; a row of its table ``metrics`` is
what one ``trackio.log`` logged, as JSON.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, NamedTuple

from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, files_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._sqlite import columns_of, opened
from reweightviz.readers.logs.json_rows import seconds


class Run(NamedTuple):
    """Where a run lies: ``key`` is the column that tells it from others."""

    file: Path
    key: str
    value: str


class Trackio(LogReader):
    """One run of a project."""

    name = "trackio"
    title = "Trackio's local store"
    files: ClassVar[tuple[str, ...]] = ("*.db",)

    def __init__(self, where: Run, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._last = 0

    @classmethod
    def runs(cls, path: Path) -> dict[str, Run]:
        """Every run of a file, or of all files of a folder; one name for several runs gets their ids behind it."""
        found: dict[str, Run] = {}
        files = [
            (file, columns)
            for file in files_of(path, *cls.files).values()
            if {"run_name", "step", "metrics"} <= (columns := columns_of(file, "metrics"))
        ]
        for file, columns in files:
            key = "run_id" if "run_id" in columns else "run_name"
            with opened(file) as connection:
                rows = connection.execute(
                    f"SELECT {key}, run_name FROM metrics GROUP BY {key} ORDER BY MIN(id)"  # noqa: S608
                ).fetchall()
            names = [name for _, name in rows]
            for value, name in rows:
                called = name if names.count(name) == 1 else f"{name} ({value[:8]})"
                found[called if len(files) == 1 else f"{file.stem}/{called}"] = Run(
                    file, key, value
                )
        return found

    def poll(self, records: Records) -> bool:
        """Feed the rows that are new."""
        if not self.where.file.is_file():
            return False
        with opened(self.where.file) as connection:
            rows = connection.execute(
                f"SELECT id, step, timestamp, metrics FROM metrics WHERE {self.where.key} "  # noqa: S608
                "= ? AND id > ? ORDER BY id",
                (self.where.value, self._last),
            ).fetchall()
        if rows:
            self._last = rows[-1][0]
            self.series.rows(
                records,
                [json.loads(row[3]) for row in rows],
                [row[1] for row in rows],
                [seconds(row[2]) for row in rows],
            )
        return bool(rows)
