"""Parquet -> an Arrow table of documents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reweightviz.core.errors import UnreadableFile
from reweightviz.readers.documents._columns import check_columns, pick_columns
from reweightviz.readers.documents._faults import Faults

__all__ = ["SUFFIXES", "read"]


SUFFIXES = (".parquet", ".pq")


def read(path: Path, columns: Mapping[str, str], faults: Faults) -> pa.Table:
    """Return the named columns of a file under their roles, with row numbers.

    Args:
        path: .parquet or .pq.
        columns: role ("text", "domain", "id", "tokens" or any other) to name.
        faults: counts the rows that are not UTF-8.
    """
    try:
        with pq.ParquetFile(path) as file:
            check_columns(str(path), columns, file.schema_arrow.names)
            # Two roles may name one column.
            table = file.read(columns=list(dict.fromkeys(columns.values())))
    except (pa.ArrowException, OSError) as error:
        reason = str(error).rstrip(".")
        if path.is_file() and not path.stat().st_size:
            reason = "it is empty"
        raise UnreadableFile(path=path, wanted="Parquet", reason=reason) from error
    return pick_columns(str(path), table, columns, faults)
