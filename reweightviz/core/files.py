"""Writing a file whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from reweightviz.core.errors import ReweightvizError


def write_atomically(path: str | os.PathLike[str], content: str | bytes, *, overwrite: bool = True) -> Path:
    """Write beside the target, then rename: a reader never sees half a file, a failure loses nothing."""
    target = inside_folder(path)
    if target.is_dir():
        raise ReweightvizError(f"cannot write {target}: it is a folder; name a file.")
    if target.exists() and not overwrite:
        raise ReweightvizError(f"{target} exists already; pass overwrite=True to replace it.")
    data = _encoded(content, target) if isinstance(content, str) else content
    try:
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
            Path(draft).chmod(mode)
            Path(draft).replace(target)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ReweightvizError(f"cannot write {target}: {error.strerror or error}.") from error
    return target


def inside_folder(path: str | os.PathLike[str]) -> Path:
    """The path, when the folder it lies in exists: a mistyped path makes no folders."""
    target = Path(path)
    if not target.parent.is_dir():
        raise ReweightvizError(f"cannot write {target}: the folder {target.parent} does not exist; create it first.")
    return target


def _encoded(content: str, target: Path) -> bytes:
    try:
        return content.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ReweightvizError(f"cannot write {target}: {content[error.start]!r} is half a character, which UTF-8 does not hold; "
                               "rename what it stands in.") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
