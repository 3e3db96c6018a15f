"""Exported history of a W&B run: JSON lines with ``_step``, or Parquet.

Lukas Biewald, "Experiment Tracking with Weights and Biases", 2020, https://www.wandb.com. Parquet
is its history artifact, or written by ``run.history().to_parquet``. A CSV, of a run
or of a chart, is read as every CSV is.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pyarrow.parquet as pq

from reweightviz.core.parquet_table import read_parquet
from reweightviz.core.records import Records
from reweightviz.readers.logs._log_reader import files_of, stamp_of
from reweightviz.readers.logs._naming import Pattern
from reweightviz.readers.logs._table import feed_table, step_of
from reweightviz.readers.logs.json_rows import JsonRows

__all__ = ["MAGIC", "WandbHistory"]


MAGIC = b"PAR1"
"""The first bytes of a Parquet file."""


class WandbHistory(JsonRows):
    """History of one run."""

    name = "wandb"
    title = "exported W&B history"
    files: ClassVar[tuple[str, ...]] = ("*.jsonl", "*.ndjson", "*.parquet")
    steps: ClassVar[tuple[str, ...]] = ("_step",)

    def __init__(self, where: Path, pattern: Pattern | None = None) -> None:
        super().__init__(where, pattern)
        self._stamp: tuple[int, int] | None = None
        self._rows = 0

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Return JSON lines with ``_step``, and Parquet files with a column of steps."""
        files = files_of(path, "*.parquet")
        tables = {name: file for name, file in files.items() if step_of(_columns_of(file))}
        return super().runs(path) | tables

    def poll(self, records: Records) -> bool:
        """Feed what is new; a Parquet file that was written anew is longer than before."""
        if self.where.suffix != ".parquet":
            return super().poll(records)
        if not self.where.is_file():
            return False
        stamp = stamp_of(self.where)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        # Parquet cannot grow: it is read whole, and the rows that were fed are left out.
        table = read_parquet(self.where, self.where).iloc[self._rows :]
        feed_table(self.series, records, table.reset_index(drop=True), self._rows)
        self._rows += len(table)
        return bool(len(table))


def _columns_of(file: Path) -> list[str]:
    if file.suffix != ".parquet":
        return []
    return [str(name) for name in pq.read_schema(file).names]
