"""Paths of this machine: nothing is fetched over a network unless a reader says that it does."""

from __future__ import annotations

import os
import re

from reweightviz.core.errors import UnreadableFile

__all__ = ["check_local"]


# Two letters at least, for C: is a drive. A Path that was made of a URL has one slash left.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+")


def check_local(path: object, instead: str = "download it, and pass the file") -> None:
    """Refuse the address of something that lies elsewhere.

    Args:
        path: what a reader was given; what is no path passes.
        instead: what would do, in the sentence.

    Raises:
        UnreadableFile: it is a URL: ``https://``, ``s3://``, ``file://`` or another.

    Example:
        >>> check_local("https://example.org/run.csv")
        Traceback (most recent call last):
        reweightviz.core.errors.UnreadableFile: cannot read https://example.org/run.csv: ...
    """
    if not isinstance(path, str | os.PathLike):
        return
    scheme = _SCHEME.match(os.fsdecode(path))
    if scheme:
        address = _SCHEME.sub(r"\1://", os.fsdecode(path), count=1)
        reason = f"it is a URL, and nothing is fetched here: {instead}"
        raise UnreadableFile(path=address, reason=reason)
