"""Endings of data files, and the name that is left without them."""

from __future__ import annotations

from pathlib import PurePosixPath

DATA = frozenset(
    (
        "arrow",
        "bin",
        "csv",
        "dat",
        "feather",
        "h5",
        "hdf5",
        "idx",
        "json",
        "jsonl",
        "lance",
        "mds",
        "mmap",
        "msgpack",
        "ndjson",
        "npy",
        "npz",
        "orc",
        "parquet",
        "pickle",
        "pkl",
        "pt",
        "tar",
        "tgz",
        "tsv",
        "txt",
        "warc",
        "bz2",
        "gz",
        "lz4",
        "xz",
        "zip",
        "zst",
        "zstd",
    )
)
"""What data files end in, each part by itself: ``web.jsonl.gz`` ends in two of them."""


def bare(path: str) -> str:
    """The last part of a path, without the endings of data files; a version is no ending.

    >>> bare("data/web.jsonl.gz"), bare("teknium/OpenHermes-2.5"), bare("/d/c4.v2.parquet"), bare("/d/web/"), bare(".json")
    ('web', 'OpenHermes-2.5', 'c4.v2', 'web', '.json')
    """
    name = PurePosixPath(path.rstrip("/")).name
    while (parts := name.rpartition("."))[0] and parts[2].lower() in DATA:
        name = parts[0]
    return name
