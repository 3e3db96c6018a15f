"""Parquet -> Arrow tables of documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from reweightviz.core.errors import UnreadableFile
from reweightviz.core.unfolding import Allowance
from reweightviz.readers.documents._columns import check_columns, pick_columns
from reweightviz.readers.documents._faults import Faults
from reweightviz.readers.documents._find_files import DocumentFile
from reweightviz.readers.documents._nested import list_fields

__all__ = ["SUFFIXES", "read"]


SUFFIXES = (".parquet", ".pq")
_ROWS = 4096
"""Of one table."""
_FEW_BYTES = 64
"""Of a row as it lies there; where rows take fewer, their texts are mostly the same."""


def read(file: DocumentFile, columns: Mapping[str, str], faults: Faults) -> Iterator[pa.Table]:
    """Yield the named columns of a file under their roles, with row numbers, some rows at a time.

    Args:
        file: .parquet or .pq.
        columns: role ("text", "domain", "id", "tokens" or any other) to name, dotted for the field
            of a struct.
        faults: counts the rows that are not UTF-8.
    """
    with file.open() as raw:
        size = raw.seek(0, 2)
        if not size:
            raise UnreadableFile(path=file, wanted="Parquet", reason="it is empty")
        table = pq.ParquetFile(raw)
        check_columns(str(file), columns, list_fields(table.schema_arrow))
        if "text" in columns and _may_repeat_texts(table):
            table = pq.ParquetFile(raw, read_dictionary=[columns["text"]])
        # Two roles may name one column.
        names = list(dict.fromkeys(columns.values()))
        allowance = Allowance(file)
        first = 1
        for batch in table.iter_batches(batch_size=_ROWS, columns=names):
            allowance.spend_rows(batch, size)
            rows = pa.Table.from_batches([batch])
            yield pick_columns(str(file), rows, columns, faults, first)
            first += len(rows)


def _may_repeat_texts(table: pq.ParquetFile) -> bool:
    """Return whether rows take so little that a text may stand for many of them.

    Texts are then left as places in a list of texts, and measured before they are written out.
    """
    # The sizes of single columns would tell more, but pyarrow 26 ends the process where the
    # footer of a column is damaged.
    groups = [table.metadata.row_group(place) for place in range(table.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    return bool(size < _FEW_BYTES * table.metadata.num_rows)
