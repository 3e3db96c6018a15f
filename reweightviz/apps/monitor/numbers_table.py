"""The numbers of runs as one long CSV: a row a number, step by step.

``rv.read_log`` reads it back: :mod:`reweightviz.readers.logs.numbers_table`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reweightviz.core.csv_table import encode_table, guard_texts
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import Array
from reweightviz.figures.runs import name_runs

__all__ = ["tabulate", "write_numbers"]


_CELLS = 1 << 17  # of a log, written at once


def write_numbers(logs: Sequence[RunLog]) -> Iterator[bytes]:
    """Yield the table of runs, a part at a time, so that no more of it is in memory."""
    has_header = True
    for name, log in zip(name_runs(logs), logs, strict=True):
        columns = len(log.domains) * (1 + len(log.signals)) + len(log.scalars)
        rows = max(1, _CELLS // max(1, columns))
        for start in range(0, len(log) or 1, rows):
            part = tabulate(log, name, slice(start, start + rows))
            yield from encode_table(part, header=has_header)
            has_header = False


def tabulate(log: RunLog, name: str, rows: slice = slice(None)) -> pa.Table:
    """Return the measured numbers of a run, a row each; a scalar has no domain.

    The columns are run, step, tokens, time, domain, signal, value; texts are guarded as
    :mod:`reweightviz.core.csv_table` says.

    Example:
        >>> log = RunLog(("web",), [10], [[1.0]], {"loss": [[3.0]]}, scalars={"lr": [0.1]})
        >>> table = tabulate(log, "run").select(["step", "domain", "signal", "value"])
        >>> [tuple(row.values()) for row in table.to_pylist()]
        [(10, 'web', 'weight', 1.0), (10, 'web', 'loss', 3.0), (10, None, 'lr', 0.1)]
    """
    tables = {"weight": log.weights, **log.signals}
    signals = [*np.repeat(list(tables), len(log.domains)).tolist(), *log.scalars]
    domains = [*log.domains * len(tables), *[None] * len(log.scalars)]
    scalars = [values[rows, None] for values in log.scalars.values()]
    values = np.hstack([*(table[rows] for table in tables.values()), *scalars])
    row, column = np.nonzero(np.isfinite(values))
    return pa.table(
        {
            "run": _pick([name], np.zeros_like(row)),
            "step": log.steps[rows][row],
            "tokens": _measured(log.tokens[rows][row]),
            "time": _measured(log.times[rows][row]),
            "domain": _pick(domains, column),
            "signal": _pick(signals, column),
            "value": values[row, column],
        }
    )


def _pick(texts: Sequence[str | None], codes: NDArray[np.int64]) -> pa.Array:
    """Return a column of texts (n,) by their places, each text stored once."""
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), guard_texts(texts))


def _measured(values: Array) -> pa.Array:
    return pa.array(values, from_pandas=True)  # empty where it is NaN
