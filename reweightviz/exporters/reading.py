"""Reading what somebody else may have written: a config whole and no more, and the provenance beside it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reweightviz.core.errors import UnreadableFile, WrongContent

MOST_BYTES = 4 * 2**20
"""A larger file is no config."""
MOST_RECORD = 16 * MOST_BYTES
"""Nor is a larger one a provenance, which names every domain several times."""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _all(kind: type, part: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, kind)
        and all(map(part, value.values() if isinstance(value, dict) else value))
    )  # type: ignore[attr-defined]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


FIELDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "file": ("text", _is_text),
    "framework": ("text", _is_text),
    "unit_key": ("text", _is_text),
    "digest": ("text", _is_text),
    "names": ("names to domains", _all(dict, _is_text)),
    "domains": ("a list of names", _all(list, _is_text)),
    "dropped": ("a list of names", _all(list, _is_text)),
    "sizes": ("domains to numbers", _all(dict, _is_number)),
    "epochs": ("domains to numbers", _all(dict, _is_number)),
    "source": ("a mapping", _all(dict, lambda _: True)),
    "tokens": ("a number", _is_number),
    "max_epochs": ("a number", _is_number),
}
"""What the fields of a provenance hold that are read back; each may be missing, or null."""


def text(file: Path, most: int = MOST_BYTES) -> str:
    """The text of a regular file of at most so many bytes; one sentence where it is none."""
    try:
        kind = file.stat().st_mode
        if not stat.S_ISREG(kind):
            what = "a folder; name the file in it" if stat.S_ISDIR(kind) else "no regular file"
            raise UnreadableFile(path=file, reason=f"it is {what}")
        with file.open("rb") as opened:
            data = opened.read(most + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, UnreadableFile):
            raise
        raise UnreadableFile(path=file, reason=getattr(error, "strerror", None) or error) from error
    if len(data) > most:
        raise WrongContent(path=file, reason=f"has more than {most:,} bytes, which no config has")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WrongContent(path=file, reason=f"is no text in UTF-8: {error}") from error


def record(sidecar: Path, name: str) -> dict[str, Any]:
    """The provenance that a file holds: any that is the config's own, in ``provenance.json`` the one that names it."""
    mend = "mend it, or delete it to go by the names in the file"
    if not os.path.lexists(sidecar):
        return {}
    shared, content = sidecar.name == "provenance.json", ""
    try:
        content = text(sidecar, MOST_RECORD)
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        if shared and json.dumps(name) not in content:
            return {}
        if isinstance(error, UnreadableFile):
            raise type(error)(path=sidecar, reason=f"{error.reason}: {mend}") from error
        reason = f"the provenance is damaged, {error}: {mend}"
        raise UnreadableFile(path=sidecar, reason=reason) from error
    if shared and not (isinstance(found, dict) and found.get("file") == name):
        return {}
    if not isinstance(found, dict):
        raise UnreadableFile(
            path=sidecar, reason=f"the provenance is damaged, it must hold a mapping: {mend}"
        )
    for key, (what, fits) in FIELDS.items():
        if found.get(key) is not None and not fits(found[key]):
            raise UnreadableFile(
                path=sidecar,
                reason=f"the provenance is damaged, its {key!r} must be {what}; "
                f"got {found[key]!r:.60}: {mend}",
            )
    return found
