"""Proxy runs -> Swarm: two tables, one table, or a folder of run logs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from reweightviz.core.errors import UnknownName
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.local_path import check_local
from reweightviz.core.protocols import needs
from reweightviz.core.swarm import Swarm
from reweightviz.readers.swarms import run_folder, tracker_table, two_tables
from reweightviz.readers.swarms._table import (
    INSTEAD_OF_URL,
    Table,
    describe_table,
    is_table,
)

__all__ = ["LAYOUTS", "read_swarm"]


LAYOUTS: dict[str, Callable[..., Swarm]] = {
    "two tables": two_tables.read,
    "one table": tracker_table.read,
    "a folder of run logs": run_folder.read,
}
"""What proxy runs are read from, and what reads it; its keyword arguments are the options."""


def read_swarm(
    ratios: Table, metrics: Table | str | Sequence[str] | None = None, **options: Any
) -> Swarm:
    """Read proxy runs.

    Args:
        ratios: the mixtures, in the layouts of RegMix and Olmix as they are; or one table with
            both, a row a run (an export of W&B, Aim or MLflow) or a row a run and target; or a
            folder of run logs. A table is a file (CSV, TSV, text, JSON, JSON lines or Parquet) or
            in memory (pandas, Polars, Arrow, a list of mappings).
        metrics: what the runs reached: a second table, joined on the columns that name a run; or,
            of one table, the columns of the targets, as a prefix, a pattern such as ``eval/*`` or
            names.
        **options: of two tables those of :func:`reweightviz.readers.swarms.two_tables.read`, of
            one those of :func:`reweightviz.readers.swarms.tracker_table.read`, of a folder those
            of :func:`reweightviz.readers.swarms.run_folder.read`.

    Raises:
        ReweightvizError: one sentence naming the file or table and what is wrong with it.

    Example:
        >>> rows = [{"run": "a", "mix/web": 0.7, "mix/code": 0.3, "eval/web": 3.1}]
        >>> swarm = read_swarm(rows, metrics="eval/*")
        >>> swarm.domains, swarm.losses.tolist()
        (('web', 'code'), [[3.1]])
    """
    check_local(ratios, INSTEAD_OF_URL)
    layout = "one table"
    arguments = [ratios]
    if isinstance(ratios, str | os.PathLike) and Path(ratios).is_dir():
        layout = "a folder of run logs"
    if is_table(metrics):
        layout = "two tables"
        arguments.append(metrics)
    elif metrics is not None:
        options["metrics"] = metrics
    read = LAYOUTS[layout]
    for name in options:
        if name not in needs(read):
            raise UnknownName(kind=f"option to read {layout}", name=name, known=needs(read))
    with guard_reading(describe_table(ratios), f"runs, {layout}"):
        return read(*arguments, **options)
