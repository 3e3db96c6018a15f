"""One writer at a time of a file that several processes may write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from reweightviz.core.errors import ReweightvizError, UnwritableFile
from reweightviz.core.file_lock import release_lock, take_lock
from reweightviz.core.files import inside_folder

__all__ = ["hold_lock", "hold_open_file"]


_PATIENCE = 10.0  # seconds for a lock that its holder needs for milliseconds
_POLL = 0.005  # seconds between two tries


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Admit one writer at a time; the operating system takes the lock from a process that ends.

    Raises:
        ReweightvizError: the lock cannot be made here, or another process keeps it.
    """
    file = inside_folder(path.with_name(f".{path.name}.lock"))
    # A file system that cannot lock is refused: a lock of filelock's other kind outlives its
    # process.
    lock = FileLock(file, timeout=_PATIENCE, poll_interval=_POLL, fallback_to_soft=False)
    try:
        held = lock.acquire()
    except Timeout as error:
        raise ReweightvizError(
            f"cannot write {path}: another process has held {file} for "
            f"{_PATIENCE:g} seconds; end that process, then write again."
        ) from error
    except OSError as error:
        raise ReweightvizError(
            f"cannot write {path}: {file} cannot be locked, {error.strerror or error}; "
            "choose a folder that this process may write to."
        ) from error
    with held:
        yield


@contextmanager
def hold_open_file(file: int, path: Path) -> Iterator[None]:
    """Admit one process at a time to a file that each has open; readers are not kept out.

    A file system without such locks admits all.

    Raises:
        UnwritableFile: another process keeps it.
    """
    try:
        is_held = take_lock(file, _PATIENCE)
    except OSError:
        yield
        return
    if not is_held:
        reason = f"another process has held it for {_PATIENCE:g} seconds; end that process"
        raise UnwritableFile(path=path, reason=reason)
    try:
        yield
    finally:
        release_lock(file)
