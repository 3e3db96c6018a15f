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

from reweightviz.core.unfolding import Allowance
from reweightviz.readers.documents._find_files import PACKINGS, DocumentFile

__all__ = ["LONGEST_LINE", "open_bounded", "unpack"]


LONGEST_LINE = 1 << 26
"""Bytes of one document in a text file."""


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
