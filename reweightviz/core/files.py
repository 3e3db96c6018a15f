"""Writing a file whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reweightviz.core.errors import UnwritableFile

__all__ = ["inside_folder", "write_all", "write_atomically", "write_json"]


def write_atomically(
    path: str | os.PathLike[str], content: str | bytes, *, overwrite: bool = True
) -> Path:
    """Write beside the target, then rename.

    A reader never sees half a file, and a failure loses nothing.
    """
    target = Path(path)
    write_all({target: content}, overwrite=overwrite)
    return target


def write_json(
    path: str | os.PathLike[str], record: Mapping[str, Any], *, overwrite: bool = True
) -> Path:
    """Write a record as JSON for people to read too, whole or not at all."""
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    return write_atomically(path, text, overwrite=overwrite)


def write_all(files: Mapping[Path, str | bytes], *, overwrite: bool = True) -> None:
    """Write several files beside their targets, then rename them.

    Where one cannot be written, none is replaced. A link stays a link; its target is replaced.
    """
    drafts: dict[Path, Path] = {}
    try:
        for given, content in files.items():
            path = given.resolve() if given.is_symlink() else given
            _check_target(path, overwrite=overwrite)
            drafts[path] = _write_draft(path, content)
        for path, draft in drafts.items():
            try:
                draft.replace(path)
            except OSError as error:
                raise UnwritableFile(path=path, reason=error.strerror or error) from error
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


def _check_target(path: Path, *, overwrite: bool) -> None:
    inside_folder(path)
    if path.is_dir():
        raise UnwritableFile(path=path, reason="it is a folder; name a file")
    if path.exists() and not overwrite:
        raise UnwritableFile(
            path=path, reason="it exists already; pass overwrite=True to replace it"
        )
    # To rename over it needs a writable folder only, but its owner has protected it.
    if path.exists() and not path.stat().st_mode & 0o222:
        raise UnwritableFile(path=path, reason="it is read-only")


def _write_draft(path: Path, content: str | bytes) -> Path:
    """Write the content into a new file beside the target, with the target's permissions."""
    data = _encode(content, path) if isinstance(content, str) else content
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(draft).chmod(_permissions(path))
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UnwritableFile(path=path, reason=error.strerror or error) from error
    return Path(draft)


def _permissions(path: Path) -> int:
    """Return those of a file that is there, or those of any new one."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)  # it can only be read by setting it
    os.umask(mask)
    return 0o666 & ~mask


def inside_folder(path: str | os.PathLike[str]) -> Path:
    """Return the path if its folder exists: a mistyped path makes no folders."""
    target = Path(path)
    if not target.parent.is_dir():
        raise UnwritableFile(
            path=target, reason=f"the folder {target.parent} does not exist; create it first"
        )
    return target


def _encode(content: str, target: Path) -> bytes:
    try:
        return content.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnwritableFile(
            path=target,
            reason=f"{content[error.start]!r} is half a character, which UTF-8 does not "
            "hold; rename what it stands in",
        ) from error
