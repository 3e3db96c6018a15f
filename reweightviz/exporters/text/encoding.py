"""Text as files hold it: UTF-8 of a limited size, and JSON in ASCII."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

from reweightviz.core.errors import ReweightvizError, UnreadableFile, WrongContent

__all__ = ["MOST_BYTES", "check_utf8", "read_text", "to_json"]


MOST_BYTES = 4 * 2**20
"""A larger file is no config."""


def check_utf8(name: str) -> None:
    """Refuse a name that no UTF-8 file can hold."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise ReweightvizError(
            f"{name[:60]!r} holds half of a surrogate pair, which UTF-8 cannot."
        ) from None


def to_json(content: Any) -> str:
    """Return content as indented JSON in ASCII, with a newline at the end."""
    return json.dumps(content, indent=2) + "\n"


def read_text(file: Path, most: int = MOST_BYTES) -> str:
    """Read a regular file of UTF-8.

    Args:
        file: its path.
        most: bytes that it may have.

    Raises:
        UnreadableFile: it is absent, a folder, a pipe, or may not be read.
        WrongContent: it is too large, or no UTF-8.
    """
    try:
        kind = file.stat().st_mode
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from error
    if stat.S_ISDIR(kind):
        raise UnreadableFile(path=file, reason="it is a folder; name the file in it")
    # A pipe or a device might never end.
    if not stat.S_ISREG(kind):
        raise UnreadableFile(path=file, reason="it is no regular file")
    try:
        with file.open("rb") as opened:
            data = opened.read(most + 1)
    except OSError as error:
        raise _unreadable(file, error) from error
    if len(data) > most:
        raise WrongContent(path=file, reason=f"has more than {most:,} bytes, which no config has")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WrongContent(path=file, reason=f"is no text in UTF-8: {error}") from error


def _unreadable(file: Path, error: Exception) -> UnreadableFile:
    return UnreadableFile(path=file, reason=getattr(error, "strerror", None) or error)
