"""Results on disk by digest of data, function, parameters and version: a cell run again is free."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.array_file import read_arrays
from reweightviz.core.errors import ReweightvizError, warn
from reweightviz.core.files import Content, sweep_drafts, write_atomically
from reweightviz.core.version import VERSION

__all__ = [
    "Arrays",
    "cache_folder",
    "cache_path",
    "compute_once",
    "read_or_make",
    "stamp_files",
]


Arrays = dict[str, NDArray[Any]]
T = TypeVar("T")
_DRAFT_0_5 = re.compile(r"\.[a-z-]+-[0-9a-f]{24}[.a-z]*\.[a-z0-9_]{8}")
"""A draft of reweightviz 0.5 and before; its own kind of name, in a folder of ours."""
_DAY = 86_400  # seconds
_BLOCK = 4 << 20  # bytes written at once


def cache_folder() -> Path | None:
    """Return the folder of the results, None where nothing is cached.

    The environment variable REWEIGHTVIZ_CACHE names it, or is "off"; else it is the user's cache.
    Drafts that killed processes left there are taken away when a process first comes by.
    """
    name = os.environ.get("REWEIGHTVIZ_CACHE", "")
    if name == "off":
        return None
    try:
        users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(name or Path(users) / "reweightviz")
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        # A read-only home, or none, costs speed, not the result.
        if name:
            _warn_once(name, getattr(error, "strerror", None) or str(error))
        return None
    _sweep(folder)
    return folder


def cache_path(name: str, *key: object, suffix: str = ".npz") -> Path | None:
    """Return the file of a function's name, its inputs' representation and this version."""
    folder = cache_folder()
    if folder is None:
        return None
    inputs = json.dumps([VERSION, *map(str, key)]).encode()
    digest = hashlib.blake2b(inputs, digest_size=12).hexdigest()
    return folder / f"{name}-{digest}{suffix}"


def stamp_files(files: Iterable[Path]) -> str:
    """Return what changes when one of the files does: a hash of their names, sizes and times."""
    facts = [(file.name, file.stat()) for file in files]
    listed = sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in facts)
    return hashlib.blake2b(repr(listed).encode(), digest_size=12).hexdigest()


def compute_once(name: str, key: tuple[object, ...], compute: Callable[[], Arrays]) -> Arrays:
    """Return the arrays of ``compute()``, from disk when the same name and key were computed."""
    return read_or_make(cache_path(name, *key), make=compute, read=read_arrays, encode=_encode)


def read_or_make(
    path: Path | None,
    *,
    make: Callable[[], T],
    read: Callable[[Path], T],
    encode: Callable[[T], Content],
) -> T:
    """Return what a file of the cache holds, or make it and keep it there.

    A damaged file is made again with a note; where nothing can be kept, the result is returned all
    the same, with a note once. Two processes that make the same each write a whole file.

    Args:
        path: of the file; None where nothing is cached.
        make: the result.
        read: it from the file.
        encode: it for the file.
    """
    if path is None:
        return make()
    try:
        return read(path)
    except FileNotFoundError:
        pass
    except Exception as error:  # noqa: BLE001  a damaged file may raise anything
        warn(f"{path} cannot be read, {error}: what it holds is made again.")
    made = make()
    try:
        write_atomically(path, encode(made), durable=False)
    except (ReweightvizError, MemoryError) as error:
        _warn_once(path.parent, getattr(error, "reason", "the memory is full"))
    return made


def _encode(arrays: Arrays) -> Content:
    buffer = io.BytesIO()
    named: dict[str, Any] = arrays
    np.savez(buffer, **named)
    buffer.seek(0)
    return iter(functools.partial(buffer.read, _BLOCK), b"")


@functools.cache
def _warn_once(folder: object, reason: str) -> None:
    warn(
        f"no result is kept in {folder}, {reason}: all is computed again each time; "
        "REWEIGHTVIZ_CACHE names another folder, or is 'off'."
    )


@functools.cache
def _sweep(folder: Path) -> None:
    """Take drafts away once a process: every result that is looked up asks for the folder."""
    sweep_drafts(folder)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            is_ours = _DRAFT_0_5.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
            if is_ours and time.time() - entry.stat().st_mtime > _DAY:
                Path(entry.path).unlink(missing_ok=True)
