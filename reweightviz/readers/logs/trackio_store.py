"""Trackio's local store, ``~/.cache/huggingface/trackio`` or ``$TRACKIO_DIR``: SQLite by project.

Trackio, Hugging Face, https://github.com/gradio-app/trackio; a row of its table ``metrics`` is
one call of ``trackio.log``, as JSON.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, NamedTuple

from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, files_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._sqlite import columns_of, connect, disambiguate
from reweightviz.readers.logs._table import feed_rows

__all__ = ["Trackio", "TrackioRun"]


class TrackioRun(NamedTuple):
    """The place of a run: the rows of a file where the column ``key`` has the value."""

    file: Path
    key: str
    value: str


class Trackio(LogReader):
    """One run of a project."""

    name = "trackio"
    title = "Trackio's local store"
    files: ClassVar[tuple[str, ...]] = ("*.db",)

    def __init__(self, where: TrackioRun, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._last_row = 0

    @classmethod
    def runs(cls, path: Path) -> dict[str, TrackioRun]:
        """Return every run of a file, or of all files of a folder."""
        columns = {
            name: (file, columns_of(file, "metrics"))
            for name, file in files_of(path, *cls.files).items()
        }
        needed = {"run_name", "step", "metrics"}
        stores = {name: each for name, each in columns.items() if needed <= each[1]}
        found: dict[str, TrackioRun] = {}
        for name, (file, there) in stores.items():
            # Run names may repeat; stores that have ids tell such runs apart by them.
            key = "run_id" if "run_id" in there else "run_name"
            prefix = "" if len(stores) == 1 else f"{name}/"
            found |= {prefix + run: place for run, place in _runs_of(file, key).items()}
        return found

    @classmethod
    def has_own_name(cls, place: TrackioRun) -> bool:  # noqa: ARG003
        """Return true: a store knows its runs by name."""
        return True

    def poll(self, records: Records) -> bool:
        """Feed the rows that are new."""
        if not self.where.file.is_file():
            return False
        with connect(self.where.file) as connection:
            rows = connection.execute(
                f"SELECT id, step, timestamp, metrics FROM metrics WHERE {self.where.key} "  # noqa: S608
                "= ? AND id > ? ORDER BY id",
                (self.where.value, self._last_row),
            ).fetchall()
        if rows:
            ids, steps, times, metrics = zip(*rows, strict=True)
            self._last_row = ids[-1]
            logged = [json.loads(each) for each in metrics]
            feed_rows(self.series, records, logged, steps=steps, times=times)
        return bool(rows)


def _runs_of(file: Path, key: str) -> dict[str, TrackioRun]:
    with connect(file) as connection:
        rows = connection.execute(
            f"SELECT {key}, run_name FROM metrics GROUP BY {key} ORDER BY MIN(id)"  # noqa: S608
        ).fetchall()
    names = disambiguate([name for _, name in rows], [value for value, _ in rows])
    return {
        name: TrackioRun(file, key, value) for name, (value, _) in zip(names, rows, strict=True)
    }
