"""Draft: the files that an export would write, before it writes them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reweightviz.core.errors import UnwritableFile
from reweightviz.core.files import inside_folder, write_all


@dataclass(frozen=True)
class Draft:
    """Texts by path, nothing of it written yet.

    Args:
        path: what the export is called by: the file, or the folder.
        files: path to text, the sidecar first and the config itself last.
        backup: keep what a merge changes as ``<file>.bak``.
    """

    path: Path
    files: Mapping[Path, str]
    backup: bool = False

    def diff(self) -> str:
        """What would change, as a unified diff, the config first; the provenance, which changes always, is left out."""
        return "".join(
            line
            for path, text in reversed(self.files.items())
            if not path.name.endswith("provenance.json")
            for line in _compared(path, text)
        )

    def backups(self) -> dict[Path, bytes]:
        """Path to content of what is kept of the files that would change."""
        return {
            _free(path): path.read_bytes()
            for path, text in self.files.items()
            if self.backup
            and path.exists()
            and not path.name.endswith("provenance.json")
            and path.read_bytes() != text.encode()
        }

    def save(self) -> Path:
        """Write all files or none, and return ``path``."""
        inside_folder(self.path)
        kept = self.backups()
        parents = {path.parent for path in self.files} - {self.path.parent}
        for folder in parents:
            _make(folder)
        write_all(kept | dict(self.files))
        return self.path


def _compared(path: Path, text: str) -> Iterator[str]:
    old = path.read_bytes().decode("utf-8", "replace") if path.exists() else ""
    lines = (old.splitlines(keepends=True), text.splitlines(keepends=True))
    for line in difflib.unified_diff(*lines, str(path) if old else "/dev/null", str(path)):
        yield line if line.endswith("\n") else line + "\n\\ No newline at end of file\n"


def _free(path: Path) -> Path:
    """A name for the backup that is not taken, so that the first one stays."""
    names = [path.with_name(path.name + ".bak")]
    while names[-1].exists():
        names.append(path.with_name(f"{path.name}.bak{len(names) + 1}"))
    return names[-1]


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
