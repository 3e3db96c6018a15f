"""Derived columns, kept on disk by a digest of (data, function, parameters): re-running a cell is free."""

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

Arrays = dict[str, NDArray[Any]]


def cache_folder() -> Path | None:
    """Where results are kept: REWEIGHTVIZ_CACHE, else the user's cache folder; None when it is "off"."""
    named = os.environ.get("REWEIGHTVIZ_CACHE", "")
    if named == "off":
        return None
    base = (
        Path(named)
        if named
        else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reweightviz"
    )
    try:
        base.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None  # a read-only home costs speed, not the result
    return base


def cache_path(name: str, *key: object, suffix: str = ".npz") -> Path | None:
    """The file that belongs to a function's name, the representation of its inputs and this version of the package."""
    folder = cache_folder()
    if folder is None:
        return None
    digest = hashlib.blake2b(
        json.dumps([VERSION, *map(str, key)]).encode(), digest_size=12
    ).hexdigest()
    return folder / f"{name}-{digest}{suffix}"


def cached(name: str, key: tuple[object, ...], compute: Callable[[], Arrays]) -> Arrays:
    """The arrays of ``compute()``, from disk when the same name and key were computed before."""
    path = cache_path(name, *key)
    if path is not None and path.exists():
        try:
            with np.load(path, allow_pickle=False) as stored:
                return {field: stored[field] for field in stored.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)  # half a file from a full disk
    arrays = compute()
    if path is not None:
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        write_atomically(path, buffer.getvalue())
    return arrays
