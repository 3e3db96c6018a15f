"""Results on disk by digest of data, function, parameters and version: a cell run again is free."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.files import write_atomically
from reweightviz.core.version import VERSION

__all__ = ["Arrays", "cache_folder", "cache_path", "compute_once"]


Arrays = dict[str, NDArray[Any]]


def cache_folder() -> Path | None:
    """Return the folder of the results, None where nothing is cached.

    The environment variable REWEIGHTVIZ_CACHE names it, or is "off"; else it is the user's cache.
    """
    name = os.environ.get("REWEIGHTVIZ_CACHE", "")
    if name == "off":
        return None
    users = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(name or Path(users) / "reweightviz")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None  # a read-only home costs speed, not the result
    return folder


def cache_path(name: str, *key: object, suffix: str = ".npz") -> Path | None:
    """Return the file of a function's name, its inputs' representation and this version."""
    folder = cache_folder()
    if folder is None:
        return None
    inputs = json.dumps([VERSION, *map(str, key)]).encode()
    digest = hashlib.blake2b(inputs, digest_size=12).hexdigest()
    return folder / f"{name}-{digest}{suffix}"


def compute_once(name: str, key: tuple[object, ...], compute: Callable[[], Arrays]) -> Arrays:
    """Return the arrays of ``compute()``, from disk when the same name and key were computed."""
    path = cache_path(name, *key)
    if path is None:
        return compute()
    try:
        # A pickle in a cache that others may write to could run their code.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return dict(stored)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        path.unlink(missing_ok=True)  # half a file from a full disk
    arrays: dict[str, Any] = compute()
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getvalue())
    return arrays
