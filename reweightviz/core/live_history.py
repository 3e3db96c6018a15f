"""The files beside a live mixture: where its changes and its journal stand.

``mix.json`` has ``mix.changes.jsonl``; a file of any other name keeps its whole name in front,
``run.1`` has ``run.1-changes.jsonl``. So no two live mixtures share a history, whatever their names
are.
"""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from pathlib import Path
from typing import Literal

from reweightviz.core.errors import ReweightvizError, UnwritableFile
from reweightviz.core.foreign_file import NO_RECORD

__all__ = ["check_place", "find_history", "follow_link", "place_history"]


History = Literal["changes", "journal"]
_OURS = re.compile(r"[.-](?:changes|journal)\.jsonl\Z")


def place_history(path: Path, kind: History) -> Path:
    """Return where a history of the live mixture ``path`` is written.

    >>> [place_history(Path(name), "changes").name for name in ("mix.json", "run.1", "mix")]
    ['mix.changes.jsonl', 'run.1-changes.jsonl', 'mix-changes.jsonl']
    """
    if path.suffix == ".json":
        return path.with_suffix(f".{kind}.jsonl")
    return path.with_name(f"{path.name}-{kind}.jsonl")


def find_history(path: Path, kind: History) -> Path:
    """Return where a history stands, be it where version 0.5 placed it, or is to be written.

    Version 0.5 cut every name at its last dot: a history of that name belongs to ``path`` while
    no other live mixture may have it.
    """
    own = place_history(path, kind)
    former = path.with_suffix(f".{kind}.jsonl")
    if own.exists() or not former.exists() or _claimants(path):
        return own
    return former


def follow_link(path: Path) -> Path:
    """Return the file that a link leads to, which has one lock and one history by all its names."""
    with suppress(FileNotFoundError):
        if stat.S_ISLNK(path.lstat().st_mode):
            return path.resolve()
    return path


def check_place(path: Path) -> Path:
    """Return the file of a new live mixture, beside which its histories have room.

    Raises:
        ReweightvizError: its name is too long, a history of another may have it, or a folder is
            in the way; nothing is written then.
    """
    found = _OURS.search(path.name)
    if found is not None:
        raise ReweightvizError(
            f"{path.name!r} ends as the history of a live mixture does; give it a name without "
            f"{found.group()!r}."
        )
    try:
        target = follow_link(path)
        for file in (target, place_history(target, "journal"), place_history(target, "changes")):
            if os.path.lexists(file) and file.is_dir():
                raise UnwritableFile(path=file, reason="it is a folder; name a file")
            with suppress(FileNotFoundError):
                file.lstat()
    except ReweightvizError:
        raise
    # In Python 3.11 a loop of links is a RuntimeError, a NUL in a name a ValueError.
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnwritableFile(path=path, reason=f"{reason}; give it another name") from error
    return target


def _claimants(path: Path) -> list[Path]:
    """Return the other live mixtures whose history may stand where version 0.5 placed it."""
    return [
        other
        for other in path.parent.iterdir()
        if other.stem == path.stem
        and other.name != path.name
        and (other.suffix == ".json" or not place_history(other, "changes").exists())
        and _is_live(other)
    ]


def _is_live(path: Path) -> bool:
    with suppress(OSError, *NO_RECORD):
        return "weights" in json.loads(path.read_text("utf-8"))
    return False
