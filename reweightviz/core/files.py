"""Writing a file whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import secrets
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from reweightviz.core.errors import ReweightvizError, UnwritableFile
from reweightviz.core.file_lock import take_lock

__all__ = [
    "Content",
    "inside_folder",
    "sweep_drafts",
    "sync_folder",
    "write_all",
    "write_atomically",
    "write_json",
]


Content = str | bytes | Iterable[str | bytes]
"""What a file is to hold, or its parts in order: those of a long file are made as it is written."""

_DRAFT = re.compile(r"\.(?P<name>.+)\.(?P<host>[0-9a-f]{8})-[0-9a-f]{16}\.draft", re.DOTALL)
_HOST = hashlib.blake2b(platform.node().encode("utf-8", "replace"), digest_size=4).hexdigest()
_NAME = 40  # characters of the target's name in that of its draft
_DAY = 86_400  # seconds
_PATIENCE = 5.0  # seconds for the milliseconds that another's renames take


def write_atomically(
    path: str | os.PathLike[str],
    content: Content,
    *,
    overwrite: bool = True,
    durable: bool = True,
) -> Path:
    """Write beside the target, then rename.

    A reader never sees half a file, and a failure loses nothing. The arguments are those of
    :func:`write_all`.
    """
    target = Path(path)
    write_all({target: content}, overwrite=overwrite, durable=durable)
    return target


def write_json(
    path: str | os.PathLike[str], record: Mapping[str, Any], *, overwrite: bool = True
) -> Path:
    """Write a record as JSON for people to read too, whole or not at all."""
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    return write_atomically(path, text, overwrite=overwrite)


def write_all(
    files: Mapping[Path, Content], *, overwrite: bool = True, durable: bool = True
) -> None:
    """Write several files beside their targets, then rename them in their order.

    Where one cannot be written, none is replaced. A kill between two renames leaves the first of
    them new: who reads files that belong together must be able to tell. Of two processes that write
    the same files at once, one's are all there in the end. A link stays a link; its target is
    replaced. Drafts that killed processes left of these targets are taken away.

    Args:
        files: path to content.
        overwrite: replace what is there.
        durable: wait until the content is on the disk, so that a loss of power leaves the old file
            or the new one; only what can be made again does without.

    Raises:
        UnwritableFile: there is no such folder, it is full, it may not be written, or something
            is there.
    """
    drafts: list[_Draft] = []
    try:
        for given, content in files.items():
            with _say_why(given):
                path = given.resolve() if given.is_symlink() else given
                _check_target(path, overwrite=overwrite)
                sweep_drafts(path.parent, path.name)
                drafts.append(_open_draft(path))
            drafts[-1].fill(content, durable=durable)
        with _keep_apart(drafts):
            for draft in drafts:
                with _say_why(draft.target):
                    draft.put(overwrite=overwrite)
    finally:
        for draft in drafts:
            draft.discard()
    if durable:
        for folder in {draft.target.parent for draft in drafts}:
            sync_folder(folder)


def sweep_drafts(folder: Path, name: str | None = None) -> None:
    """Take away the drafts that killed processes left in a folder.

    A process that writes holds the lock of its draft, and the system takes the lock from one that
    ends. A draft of another machine is left for a day, as its locks may not be seen here. Where
    nothing can be locked, all stay.

    Args:
        folder: where they are.
        name: of the target whose drafts they are; all drafts when not given.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _DRAFT.fullmatch(entry.name)
            if match is None or not entry.is_file(follow_symlinks=False):
                continue
            if name is None or match["name"] == name[:_NAME]:
                _remove_if_dead(Path(entry.path), here=match["host"] == _HOST)


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk itself, where the system can do that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def inside_folder(path: str | os.PathLike[str]) -> Path:
    """Return the path if its folder exists: a mistyped path makes no folders."""
    target = Path(path)
    with _say_why(target):
        if target.parent.is_dir():
            return target
    raise UnwritableFile(
        path=target, reason=f"the folder {target.parent} does not exist; create it first"
    )


@dataclass(frozen=True)
class _Draft:
    """A new file beside its target, locked while it is open."""

    target: Path
    path: Path
    file: BinaryIO

    def fill(self, content: Content, *, durable: bool) -> None:
        """Write the content, with the permissions of what it replaces."""
        parts = [content] if isinstance(content, str | bytes) else content
        for part in parts:
            data = part if isinstance(part, bytes) else _encode(part, self.target)
            with _say_why(self.target):
                self.file.write(data)
        with _say_why(self.target):
            self.file.flush()
            if durable:
                os.fsync(self.file.fileno())
            if self.target.exists():
                self.path.chmod(self.target.stat().st_mode & 0o777)

    def put(self, *, overwrite: bool) -> None:
        """Give it the target's name."""
        # Windows renames no file that is open.
        if sys.platform == "win32":
            self.file.close()
        if not overwrite:
            # A link, unlike a rename, fails if another process was first.
            try:
                os.link(self.path, self.target)
            except FileExistsError as error:
                raise _refuse(self.target) from error
            except OSError:
                # A file system without hard links.
                _check_target(self.target, overwrite=False)
            else:
                return
        self.path.replace(self.target)

    def discard(self) -> None:
        """Close it, and remove it if it still has its own name."""
        # A full disk refuses once more what the buffer still holds.
        with contextlib.suppress(OSError):
            self.file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def _open_draft(target: Path) -> _Draft:
    mode = 0o666
    if target.exists():
        mode = target.stat().st_mode & 0o777
    while True:
        name = f".{target.name[:_NAME]}.{_HOST}-{secrets.token_hex(8)}.draft"
        path = target.with_name(name)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        file = os.fdopen(os.open(path, flags, mode), "wb")
        with contextlib.suppress(OSError):
            take_lock(file.fileno(), _PATIENCE)
        # Between its opening and its lock another process may have taken it for a dead one's.
        if path.exists():
            return _Draft(target, path, file)
        file.close()


def _remove_if_dead(draft: Path, *, here: bool) -> None:
    with contextlib.suppress(OSError):
        file = os.open(draft, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        try:
            is_dead = take_lock(file, 0)
            if is_dead and (here or time.time() - os.fstat(file).st_mtime > _DAY):
                draft.unlink()
        finally:
            os.close(file)


@contextlib.contextmanager
def _keep_apart(drafts: Sequence[_Draft]) -> Iterator[None]:
    """Keep the renames of two writers of a folder apart, where it can be locked.

    They go on where a stopped process holds the lock.
    """
    with contextlib.ExitStack() as held:
        if len(drafts) > 1:
            # The folder itself is locked, so that no file for it lies about.
            with contextlib.suppress(OSError):
                handle = os.open(drafts[-1].target.parent, os.O_RDONLY)
                held.callback(os.close, handle)
                take_lock(handle, _PATIENCE)
        yield


def _check_target(path: Path, *, overwrite: bool) -> None:
    inside_folder(path)
    if path.is_dir():
        raise UnwritableFile(path=path, reason="it is a folder; name a file")
    if path.exists() and not overwrite:
        raise _refuse(path)
    # To rename over it needs a writable folder only, but its owner has protected it.
    if path.exists() and not path.stat().st_mode & 0o222:
        raise UnwritableFile(path=path, reason="it is read-only")


def _refuse(path: Path) -> UnwritableFile:
    reason = "it exists already; pass overwrite=True to replace it"
    return UnwritableFile(path=path, reason=reason)


@contextlib.contextmanager
def _say_why(path: Path) -> Iterator[None]:
    """Turn what the system says into one sentence."""
    try:
        yield
    except ReweightvizError:
        raise
    except OSError as error:
        raise UnwritableFile(path=path, reason=error.strerror or error) from error
    except (ValueError, RuntimeError) as error:
        # A path with a null character, or a link that leads to itself.
        raise UnwritableFile(path=path, reason=error) from error


def _encode(content: str, target: Path) -> bytes:
    try:
        return content.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnwritableFile(
            path=target,
            reason=f"{content[error.start]!r} is half a character, which UTF-8 does not "
            "hold; rename what it stands in",
        ) from error
