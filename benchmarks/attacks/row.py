"""A row: one thing that writes, as every attack sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Row", "make_nothing", "return_folder"]


def return_folder(folder: Path) -> Path:
    """Return the folder: what is opened where a change needs nothing open."""
    return folder


def _allow_nothing_else(_old: Any, _new: Any, _found: Any) -> bool:
    return False


def _keep_all(value: Any) -> Any:
    return value


def make_nothing(_folder: Path) -> None:
    """Leave the folder empty: the old state of what is written for the first time."""


@dataclass(frozen=True)
class Row:
    """One store, format or writer.

    A new feature that writes adds a row, and every attack runs over it.

    Attributes:
        name: of the thing and of what is done to it.
        kind: "store", "format", "writer", "cache" or "command".
        make: writes the old state into an empty folder; ``make_nothing`` where there is none.
        change: the writing that is attacked; takes what ``open`` returned.
        read: returns all that a person could read there, through the public API, comparable by
            ``==``; runs in a new process.
        open: what is done before the writing begins and is not attacked.
        again: the next change, in a new process; the same as ``change`` when not given.
        allows: whether a third state is as good as old or new: a log's first lines, say.
        lasting: the part of a read value that the next change settles, whatever came before it.
        keeps: patterns of files that may be more or fewer after an attack: backups.
        needs: a module without which there is nothing to attack.
        must_work: the change gives its result though nothing can be written: a cache.
    """

    name: str
    kind: str
    make: Callable[[Path], object]
    change: Callable[[Any], object]
    read: Callable[[Path], Any]
    open: Callable[[Path], Any] = return_folder
    again: Callable[[Path], object] | None = None
    allows: Callable[[Any, Any, Any], bool] = _allow_nothing_else
    lasting: Callable[[Any], Any] = _keep_all
    keeps: tuple[str, ...] = ()
    needs: str = ""
    must_work: bool = False

    def change_once(self, folder: Path) -> object:
        """Open and change, as a new process would."""
        return self.change(self.open(folder))

    def change_again(self, folder: Path) -> object:
        """Make the next change."""
        if self.again is None:
            return self.change_once(folder)
        return self.again(folder)
