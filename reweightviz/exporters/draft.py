"""Draft: the files that an export would write, before it writes them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reweightviz.core.errors import UnwritableFile
from reweightviz.core.files import inside_folder, write_all
from reweightviz.exporters.provenance import FOLDER_RECORD

__all__ = ["Draft"]


@dataclass(frozen=True)
class Draft:
    """Texts by path, nothing of it written yet.

    Args:
        path: the file, or the folder, that the export was given.
        files: path to text, the provenance first and the config itself last.
        backup: keep what a merge changes as ``<file>.bak``.
    """

    path: Path
    files: Mapping[Path, str]
    backup: bool = False

    def diff(self) -> str:
        """Compare with what is there, as a unified diff, the config first.

        The provenance is left out: its time changes always.
        """
        lines: list[str] = []
        for path, text in reversed(list(self._configs())):
            lines += _compare(path, text)
        return "".join(lines)

    def backups(self) -> dict[Path, bytes]:
        """Return path to content of what is kept of the files that would change."""
        if not self.backup:
            return {}
        found = {}
        for path, text in self._configs():
            if path.exists() and path.read_bytes() != text.encode():
                found[_find_free_name(path)] = path.read_bytes()
        return found

    def save(self) -> Path:
        """Write all files or none, and return ``path``."""
        inside_folder(self.path)
        backups = self.backups()
        for folder in {path.parent for path in self.files} - {self.path.parent}:
            _make(folder)
        write_all(backups | dict(self.files))
        return self.path

    def _configs(self) -> Iterator[tuple[Path, str]]:
        for path, text in self.files.items():
            if not path.name.endswith(FOLDER_RECORD):
                yield path, text


def _compare(path: Path, text: str) -> Iterator[str]:
    old = ""
    if path.exists():
        old = path.read_bytes().decode("utf-8", "replace")
    old_name = str(path) if old else "/dev/null"
    old_lines = old.splitlines(keepends=True)
    new_lines = text.splitlines(keepends=True)
    for line in difflib.unified_diff(old_lines, new_lines, old_name, str(path)):
        yield line
        # difflib leaves this out, and the next line of the diff would run on behind the text.
        if not line.endswith("\n"):
            yield "\n\\ No newline at end of file\n"


def _find_free_name(path: Path) -> Path:
    """Return a name for the backup that is not taken, so that the first one stays."""
    name = path.with_name(f"{path.name}.bak")
    count = 1
    while name.exists():
        count += 1
        name = path.with_name(f"{path.name}.bak{count}")
    return name


def _make(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UnwritableFile(path=folder, reason="a file of that name is there")
    if not folder.parent.is_dir():
        raise UnwritableFile(
            path=folder, reason=f"the folder {folder.parent} does not exist; create it first"
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UnwritableFile(path=folder, reason=error.strerror or error) from error
