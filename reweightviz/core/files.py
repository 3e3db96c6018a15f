"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from reweightviz.core.errors import UnwritableFile


def write_atomically(
    path: str | os.PathLike[str], content: str | bytes, *, overwrite: bool = True
) -> Path:
    """Write beside the target, then rename: a reader never sees half a file, a failure loses nothing."""
    target = Path(path)
    write_all({target: content}, overwrite=overwrite)
    return target


def write_all(files: Mapping[Path, str | bytes], *, overwrite: bool = True) -> None:
    """Write several files beside their targets, then rename them: where one cannot be written, none is replaced.

    A link stays a link; what it points to is replaced.
    """
    drafts: dict[Path, Path] = {}
    try:
        for given, content in files.items():
            path = given.resolve() if given.is_symlink() else given
            drafts[path] = _beside(path, content, overwrite=overwrite)
        for path, draft in drafts.items():
            try:
                draft.replace(path)
            except OSError as error:
                raise UnwritableFile(path=path, reason=error.strerror or error) from error
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


def _beside(path: Path, content: str | bytes, *, overwrite: bool) -> Path:
    target = inside_folder(path)
    if target.is_dir():
        raise UnwritableFile(path=target, reason="it is a folder; name a file")
    if target.exists() and not overwrite:
        raise UnwritableFile(
            path=target, reason="it exists already; pass overwrite=True to replace it"
        )
    if target.exists() and not target.stat().st_mode & 0o222:
        raise UnwritableFile(path=target, reason="it is read-only")
    data = _encoded(content, target) if isinstance(content, str) else content
    try:
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(draft).chmod(
                target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
            )
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UnwritableFile(path=target, reason=error.strerror or error) from error
    return Path(draft)


def inside_folder(path: str | os.PathLike[str]) -> Path:
    """The path, when the folder it lies in exists: a mistyped path makes no folders."""
    target = Path(path)
    if not target.parent.is_dir():
        raise UnwritableFile(
            path=target, reason=f"the folder {target.parent} does not exist; create it first"
        )
    return target


def _encoded(content: str, target: Path) -> bytes:
    try:
        return content.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnwritableFile(
            path=target,
            reason=f"{content[error.start]!r} is half a character, which UTF-8 does not "
            "hold; rename what it stands in",
        ) from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
