"""Arrow and Feather files, as of Hugging Face datasets' cache -> Arrow tables of documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO

import pyarrow as pa

from reweightviz.core.unfolding import Allowance
from reweightviz.readers.documents._columns import check_columns, pick_columns
from reweightviz.readers.documents._faults import Faults
from reweightviz.readers.documents._find_files import DocumentFile
from reweightviz.readers.documents._nested import list_fields

__all__ = ["SUFFIXES", "read"]


SUFFIXES = (".arrow", ".feather", ".ipc")
_MAGIC = b"ARROW1"


def read(file: DocumentFile, columns: Mapping[str, str], faults: Faults) -> Iterator[pa.Table]:
    """Yield the named columns of a file under their roles, with row numbers, some rows at a time.

    Args:
        file: .arrow, .feather or .ipc, a file or a stream of Arrow.
        columns: role ("text", "domain", "id", "tokens" or any other) to name, dotted for the field
            of a struct.
        faults: counts the rows that are not UTF-8.
    """
    with file.open() as raw:
        size = raw.seek(0, 2)
        raw.seek(0)
        allowance = Allowance(file)
        first = 1
        for batch in _batches(raw):
            _check_places(batch)
            allowance.spend_rows(batch, size)
            check_columns(str(file), columns, list_fields(batch.schema))
            rows = pa.Table.from_batches([batch])
            yield pick_columns(str(file), rows, columns, faults, first)
            first += len(rows)


def _batches(raw: IO[bytes]) -> Iterator[pa.RecordBatch]:
    magic = raw.read(len(_MAGIC))
    raw.seek(0)
    if magic != _MAGIC:
        with pa.ipc.open_stream(raw) as stream:
            yield from stream
        return
    with pa.ipc.open_file(raw) as batches:
        for place in range(batches.num_record_batches):
            yield batches.get_batch(place)


def _check_places(batch: pa.RecordBatch) -> None:
    """Refuse columns whose places of texts lie outside of them: Arrow would read any memory."""
    for column in batch.columns:
        plain = column
        # What is no UTF-8 is one row's fault, which is looked for later.
        if pa.types.is_string(column.type):
            plain = column.view(pa.binary())
        if pa.types.is_large_string(column.type):
            plain = column.view(pa.large_binary())
        plain.validate(full=True)
