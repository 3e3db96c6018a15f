"""Endings of data files, and the name that is left without them."""

from __future__ import annotations

from pathlib import PurePosixPath

__all__ = ["DATA", "is_data_file", "strip"]


_TABLES = "arrow csv feather json jsonl lance ndjson orc parquet tsv txt"
_ARRAYS = "bin dat h5 hdf5 idx mmap msgpack npy npz pickle pkl pt"
_ARCHIVES = "mds tar tgz warc zip"
_COMPRESSED = "bz2 gz lz4 xz zst zstd"
DATA = frozenset(f"{_TABLES} {_ARRAYS} {_ARCHIVES} {_COMPRESSED}".split())
"""Endings of data files, each part by itself: ``web.jsonl.gz`` ends in two of them."""


def strip(path: str) -> str:
    """Return the last part of a path without the endings of data files; a version is no ending.

    >>> strip("data/web.jsonl.gz"), strip("teknium/OpenHermes-2.5"), strip("/d/c4.v2.parquet")
    ('web', 'OpenHermes-2.5', 'c4.v2')
    >>> strip("/d/web/"), strip(".json")
    ('web', '.json')
    """
    name = PurePosixPath(path.rstrip("/")).name
    while is_data_file(name):
        name = name.rpartition(".")[0]
    return name


def is_data_file(path: str) -> bool:
    """Check whether a path ends as data files do.

    >>> is_data_file("data/web.jsonl.gz"), is_data_file("teknium/OpenHermes-2.5")
    (True, False)
    """
    stem, _, ending = PurePosixPath(path).name.rpartition(".")
    return bool(stem) and ending.lower() in DATA
