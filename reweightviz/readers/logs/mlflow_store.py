"""MLflow's local stores: the folder ``mlruns``, and the SQLite file that newer versions write.

Matei Zaharia et al., "Accelerating the Machine Learning Lifecycle with MLflow", IEEE Data
Engineering Bulletin 41(4), 2018,
http://sites.computer.org/debull/A18dec/p39.pdf. In a folder each metric is a file of lines
    "milliseconds value step"
(``mlflow/store/tracking/file_store.py``); in SQLite each value is a row
(``mlflow/store/tracking/dbmodels/models.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, NamedTuple, TypeAlias

from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, files_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._series import number_of
from reweightviz.readers.logs._sqlite import columns_of, opened

Point: TypeAlias = tuple[int, str, int, float]
"""Milliseconds, tag, step, value."""


class Run(NamedTuple):
    """Where a run lies: its folder, or the file and its id there."""

    path: Path
    id: str = ""


class MLflow(LogReader):
    """One run of a store."""

    name = "mlflow"
    title = "MLflow's local store"
    files: ClassVar[tuple[str, ...]] = ("mlflow.db", "*.db", "*.sqlite")

    def __init__(self, where: Run, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._lines: dict[Path, LineTail] = {}
        self._last = 0

    @classmethod
    def runs(cls, path: Path) -> dict[str, Run]:
        """Every run that is not deleted of a file, a store's folder, an experiment's, or a run's own."""
        named = [
            *_of_folders(path),
            *(run for file in files_of(path, *cls.files).values() for run in _of_file(file)),
        ]
        names = [name for name, _, _ in named]
        return {
            name if names.count(name) == 1 else f"{name} ({run[:8]})": where
            for name, run, where in named
        }

    def poll(self, records: Records) -> bool:
        """Feed the values that are new, in the order in which they were logged."""
        if not self.where.path.exists():
            return False
        points = self._of_rows() if self.where.id else self._of_files()
        for milliseconds, tag, step, value in sorted(points, key=lambda point: point[0]):
            self.series.point(tag, step, value, milliseconds / 1000)
        return self.series.flush(records)

    def _of_files(self) -> Iterable[Point]:
        folder = self.where.path / "metrics"
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            lines = self._lines.setdefault(file, LineTail(file))
            for line in lines:
                fields = line.decode().split()
                if len(fields) >= 2:
                    value = number_of(float(fields[1]))
                    yield (
                        int(fields[0]),
                        file.relative_to(folder).as_posix(),
                        int(fields[2]) if len(fields) > 2 else 0,
                        value or 0.0,
                    )

    def _of_rows(self) -> Iterable[Point]:
        with opened(self.where.path) as connection:
            rows = connection.execute(
                "SELECT rowid, timestamp, key, step, value, is_nan FROM metrics WHERE "
                "run_uuid = ? AND rowid > ? "
                "ORDER BY rowid",
                (self.where.id, self._last),
            ).fetchall()
        self._last = rows[-1][0] if rows else self._last
        # An infinite value is stored as the largest double.
        return [
            (time, key, step, float("inf") if is_nan or abs(value) > 1.7e308 else value)
            for _, time, key, step, value, is_nan in rows
        ]


def _of_folders(path: Path) -> list[tuple[str, str, Run]]:
    """Name, id and place of the runs at or below a folder."""
    found = []
    for meta in sorted(path.rglob("meta.yaml")) if path.is_dir() else []:
        folder = meta.parent
        if (
            (folder / "metrics").is_dir()
            and (folder / "params").is_dir()
            and ".trash" not in folder.parts
        ):
            name = folder / "tags" / "mlflow.runName"
            found.append(
                (
                    name.read_text("utf-8") if name.is_file() else folder.name,
                    folder.name,
                    Run(folder),
                )
            )
    return sorted(found)


def _of_file(file: Path) -> list[tuple[str, str, Run]]:
    if not {"key", "run_uuid", "is_nan"} <= columns_of(file, "metrics"):
        return []
    with opened(file) as connection:
        rows = connection.execute(
            "SELECT run_uuid, name FROM runs WHERE lifecycle_stage = 'active' ORDER BY start_time"
        ).fetchall()
    return [(name or run, run, Run(file, run)) for run, name in rows]
