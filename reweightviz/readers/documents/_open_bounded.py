"""A file of text, decompressed as it is read, that may not unfold without an end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from reweightviz.core.errors import WrongContent
from reweightviz.readers.documents._find_files import PACKINGS, DocumentFile

__all__ = ["FREE_BYTES", "LONGEST_LINE", "MOST_TIMES", "Allowance", "open_bounded", "unpack"]


LONGEST_LINE = 1 << 26
"""Bytes of one document in a text file."""
FREE_BYTES = 1 << 26
"""Bytes that any file may unfold to."""
MOST_TIMES = 100
"""Bytes beyond those that a byte of a file may unfold to.

gzip makes 2 to 5 of text, zstd up to 30 of text that repeats itself, either 1,000 of nothing.
"""


class Allowance:
    """Bytes that a file may still unfold to.

    Args:
        file: of which the sentence speaks.
    """

    def __init__(self, file: DocumentFile) -> None:
        self._file = file
        self._unfolded = 0

    def spend(self, unfolded: int, read: int) -> None:
        """Count ``unfolded`` bytes more; ``read`` bytes of the file were taken so far."""
        self._unfolded += unfolded
        if self._unfolded > FREE_BYTES + MOST_TIMES * read:
            raise WrongContent(
                path=self._file,
                reason=f"unfolds to more than {MOST_TIMES} times its size, as no text does; where "
                "it is meant, write it out uncompressed and read that",
            )

    def spend_rows(self, batch: pa.RecordBatch, read: int) -> None:
        """Count the bytes of rows with every text written out where it stands."""
        self.spend(sum(map(_count_bytes, batch.columns)), read)


def _count_bytes(column: pa.Array) -> int:
    if pa.types.is_struct(column.type):
        return sum(map(_count_bytes, column.flatten()))
    is_shared = pa.types.is_dictionary(column.type)
    if is_shared and column.type.value_type in (pa.string(), pa.large_string(), pa.binary()):
        lengths = pc.binary_length(column.dictionary).take(column.indices)
        return int(pc.sum(lengths.cast(pa.int64())).as_py() or 0)
    return int(column.nbytes)


class _Unfolding(io.RawIOBase):
    """Decompressed bytes, each counted against what was read for it."""

    def __init__(self, inner: Any, raw: IO[bytes], allowance: Allowance) -> None:
        self._inner = inner
        self._raw = raw
        self._allowance = allowance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = self._inner.read(len(view))
        self._allowance.spend(len(data), self._raw.tell())
        view[: len(data)] = data
        return len(data)


@contextmanager
def open_bounded(file: DocumentFile) -> Iterator[io.BufferedReader]:
    """Open the text of a file in bytes, decompressed by its suffix.

    Raises:
        ReweightvizError: while it is read, where it unfolds to more than any text does.
    """
    with file.open() as raw, unpack(raw, file.last_suffix) as inner:
        yield io.BufferedReader(_Unfolding(inner, raw, Allowance(file)), 1 << 20)


def unpack(raw: IO[bytes], suffix: str) -> Any:
    """Return the file whose bytes are those of an open one, decompressed by its ending.

    One with another ending is returned as it is. Whoever reads it bounds what it unfolds to.

    Args:
        raw: opened at its beginning.
        suffix: of its name, in small letters: ".gz".
    """
    packing = PACKINGS.get(suffix)
    if packing == "gzip":
        return gzip.GzipFile(fileobj=raw)
    if packing == "bzip2":
        return bz2.BZ2File(raw)
    if packing == "xz":
        return lzma.LZMAFile(raw)
    if packing == "zstd":
        # Arrow brings zstd, so that no further package is needed.
        return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
    return raw
