"""What a save writes where another process has saved since: ours, theirs, or neither."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reweightviz.core.errors import UnwritableFile

__all__ = ["changes"]


def changes(
    ours: Mapping[str, Any],
    theirs: Mapping[str, Any],
    known: Mapping[str, Any] | None,
    path: Path,
) -> dict[str, Any]:
    """Return what of ours is to be written over theirs.

    Args:
        ours: name to the digest of what this process has.
        theirs: name to the digest of what lies at ``path`` now.
        known: name to the digest of what this process saw there last, or None when it never
            looked: then what is ours replaces what is theirs.
        path: for the sentence of an error.

    Raises:
        UnwritableFile: both changed one since.

    Example:
        >>> changes({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 0, "b": 2}, Path("c.lance"))
        {}
    """
    if known is None:
        return {name: value for name, value in ours.items() if theirs.get(name) != value}
    found = {}
    for name, value in ours.items():
        if name not in theirs:
            found[name] = value
            continue
        # What is as it was, here or there, was changed by the other alone.
        if theirs[name] == value or known.get(name) == value:
            continue
        if theirs[name] != known.get(name):
            raise UnwritableFile(
                path=path,
                reason=f"another process saved {name!r} there since this corpus was opened; "
                "rv.open_corpus opens theirs, and with_column on that replaces it",
            )
        found[name] = value
    return found
