"""A whole Parquet file as a table in memory, if it is not far larger than the file."""

from __future__ import annotations

import io
import os
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from reweightviz.core.unfolding import Allowance

__all__ = ["read_parquet"]


_ROWS = 4096  # unfolded at once
_INSTEAD = "write it as CSV and read that"


def read_parquet(source: str | os.PathLike[str] | bytes, path: object) -> pd.DataFrame:
    """Return the table of a file.

    Args:
        source: its path, or its bytes.
        path: of which the sentence speaks.

    Raises:
        WrongContent: it unfolds to more than it may.
        ArrowInvalid: it is no Parquet.
    """
    opened: Any = source
    if isinstance(source, bytes):
        opened = io.BytesIO(source)
        size = len(source)
    else:
        size = os.stat(source).st_size  # noqa: PTH116
    schema = pq.read_schema(opened)
    # A text that stands in many rows is counted in each before it is written out there.
    texts = [each.name for each in schema if _is_text(each.type)]
    allowance = Allowance(path, _INSTEAD)
    batches = []
    with pq.ParquetFile(opened, read_dictionary=texts) as file:
        # By what the file says of itself, it need not be read at all.
        groups = map(file.metadata.row_group, range(file.num_row_groups))
        Allowance(path, _INSTEAD).spend(sum(group.total_byte_size for group in groups), size)
        for batch in file.iter_batches(batch_size=_ROWS):
            allowance.spend_rows(batch, size)
            batches.append(batch)
        table = pa.Table.from_batches(batches, file.schema_arrow)
    return table.cast(schema).to_pandas()


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
