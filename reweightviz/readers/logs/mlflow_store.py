"""MLflow's local stores: the folder ``mlruns``, and the SQLite file that newer versions write.

Matei Zaharia et al., "Accelerating the Machine Learning Lifecycle with MLflow", IEEE Data
Engineering Bulletin 41(4), 2018, http://sites.computer.org/debull/A18dec/p39.pdf. In a folder each
metric is a file of lines "milliseconds value step" (``mlflow/store/tracking/file_store.py``); in
SQLite each value is a row (``mlflow/store/tracking/dbmodels/models.py``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

from reweightviz.core.lines import LineTail
from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import LogReader, files_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._numbers import number_of
from reweightviz.readers.logs._series import Point
from reweightviz.readers.logs._sqlite import columns_of, connect, disambiguate

__all__ = ["ENDED", "ENDED_NUMBERS", "LARGEST", "MLflow", "MLflowRun"]


LARGEST = 1.7e308
"""MLflow stores an infinite value as the largest double."""
ENDED = ("FINISHED", "FAILED", "KILLED")
ENDED_NUMBERS = (b"3", b"4", b"5")
"""The same in a file, by number: ``mlflow/entities/run_status.py``."""
_STATUS = re.compile(rb"^status: (\d+)", re.MULTILINE)


class MLflowRun(NamedTuple):
    """The place of a run: its folder, or the file and its id there."""

    path: Path
    id: str = ""


class _Listed(NamedTuple):
    """A run as a store lists it."""

    name: str
    id: str
    where: MLflowRun


class MLflow(LogReader):
    """One run of a store."""

    name = "mlflow"
    title = "MLflow's local store"
    files: ClassVar[tuple[str, ...]] = ("mlflow.db", "*.db", "*.sqlite")

    def __init__(self, where: MLflowRun, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._lines: dict[Path, LineTail] = {}
        self._last_row = 0

    @classmethod
    def runs(cls, path: Path) -> dict[str, MLflowRun]:
        """Return every run that is not deleted.

        The path is a file, the folder of a store or of an experiment, or a run's own.
        """
        listed = _runs_of_folder(path)
        for file in files_of(path, *cls.files).values():
            listed += _runs_of_file(file)
        names = disambiguate([run.name for run in listed], [run.id for run in listed])
        return {name: run.where for name, run in zip(names, listed, strict=True)}

    @classmethod
    def has_own_name(cls, place: MLflowRun) -> bool:  # noqa: ARG003
        """Return true: a store knows its runs by name."""
        return True

    def poll(self, records: Records) -> bool:
        """Feed the values that are new, in the order in which they were logged."""
        if not self.where.path.exists():
            return False
        points = self._points_of_rows() if self.where.id else self._points_of_files()
        for point in sorted(points, key=lambda point: point.time):
            self.series.add_point(*point)
        has_news = self.series.flush(records)
        records.ended = self._has_ended()
        return has_news

    def _has_ended(self) -> bool:
        """Return whether the store says that the run finished, failed or was killed."""
        if not self.where.id:
            meta = self.where.path / "meta.yaml"
            found = _STATUS.search(meta.read_bytes()) if meta.is_file() else None
            return found is not None and found[1] in ENDED_NUMBERS
        if "status" not in columns_of(self.where.path, "runs"):
            return False
        with connect(self.where.path) as connection:
            query = "SELECT status FROM runs WHERE run_uuid = ?"
            row = connection.execute(query, (self.where.id,)).fetchone()
        return row is not None and row[0] in ENDED

    def _points_of_files(self) -> Iterator[Point]:
        folder = self.where.path / "metrics"
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            tag = file.relative_to(folder).as_posix()
            for line in self._lines.setdefault(file, LineTail(file)):
                fields = line.decode().split()
                if len(fields) < 2:
                    continue
                milliseconds, value, *step = fields
                number = number_of(float(value)) or 0.0
                yield Point(tag, int(step[0]) if step else 0, number, int(milliseconds) / 1000)

    def _points_of_rows(self) -> Iterable[Point]:
        with connect(self.where.path) as connection:
            rows = connection.execute(
                "SELECT rowid, timestamp, key, step, value, is_nan FROM metrics "
                "WHERE run_uuid = ? AND rowid > ? ORDER BY rowid",
                (self.where.id, self._last_row),
            ).fetchall()
        for row, milliseconds, tag, step, value, is_nan in rows:
            self._last_row = row
            number = math.inf if is_nan or abs(value) > LARGEST else value
            yield Point(str(tag), step, number, milliseconds / 1000)


def _runs_of_folder(path: Path) -> list[_Listed]:
    """Return the runs at or below a folder."""
    found = []
    for meta in path.rglob("meta.yaml"):
        folder = meta.parent
        # An experiment has a meta.yaml too; deleted runs lie in .trash.
        is_run = (folder / "metrics").is_dir() and (folder / "params").is_dir()
        if is_run and ".trash" not in folder.parts:
            name = folder / "tags" / "mlflow.runName"
            title = folder.name
            if name.is_file():
                title = name.read_text("utf-8")
            found.append(_Listed(title, folder.name, MLflowRun(folder)))
    return sorted(found)


def _runs_of_file(file: Path) -> list[_Listed]:
    if not {"key", "run_uuid", "is_nan"} <= columns_of(file, "metrics"):
        return []
    with connect(file) as connection:
        rows = connection.execute(
            "SELECT run_uuid, name FROM runs WHERE lifecycle_stage = 'active' ORDER BY start_time"
        ).fetchall()
    return [_Listed(name or run, run, MLflowRun(file, run)) for run, name in rows]
