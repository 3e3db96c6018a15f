"""Paths, globs, folders and URLs -> the files of documents that they name."""

from __future__ import annotations

import glob
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from reweightviz.core.errors import (
    MissingPackage,
    ReweightvizError,
    UnreadableFile,
    WrongContent,
    list_names,
)
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.validation import check_unique

__all__ = ["PACKINGS", "DocumentFile", "find_files", "label_files"]


PACKINGS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz"}
"""Ending of a name to what the file is compressed by."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_PATTERN = re.compile(r"[*?\[]")
_DRIVERS = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "hf": "huggingface_hub",
    "http": "aiohttp",
    "https": "aiohttp",
}
"""Protocol to the package through which fsspec speaks it."""


@dataclass(frozen=True)
class DocumentFile:
    """One file of documents, on this machine or behind a URL.

    Args:
        name: its path or URL, as sentences name it.
        folder: the first folder on the way to it from a folder that was asked for.
        system: fsspec's file system of a URL; None for a file of this machine.
    """

    name: str
    folder: str | None = None
    system: Any = None

    def __str__(self) -> str:
        return self.name

    @property
    def base(self) -> str:
        """The file's name without its folders."""
        if _URL.match(self.name):
            return PurePosixPath(self.name).name
        return Path(self.name).name

    @property
    def stem(self) -> str:
        """The file's name without its suffixes."""
        name = self.base
        if self.packing:
            name = name[: name.rindex(".")]
        return name[: name.rindex(".")] or name

    @property
    def domain(self) -> str:
        """What the domain is called where no column says it."""
        return self.folder or self.stem

    @property
    def packing(self) -> str:
        """What the file is compressed by, as its name says it; empty where it is not."""
        return PACKINGS.get(self.last_suffix, "")

    @property
    def last_suffix(self) -> str:
        """What stands behind the last dot of the name, in small letters."""
        return PurePosixPath(self.name.lower()).suffix

    @property
    def suffixes(self) -> list[str]:
        """What stands behind dots of the name, in small letters."""
        return PurePosixPath(self.name.lower()).suffixes

    def ends_in(self, suffixes: tuple[str, ...]) -> bool:
        """Return whether the name ends in one of these."""
        return self.name.lower().endswith(suffixes)

    def open(self) -> IO[bytes]:
        """Open the bytes of the file as they lie there."""
        if self.system is None:
            return Path(self.name).open("rb")
        opened: IO[bytes] = self.system.open(self.name, "rb")
        return opened


def find_files(source: Any, suffixes: tuple[str, ...]) -> list[DocumentFile]:
    """Return the files that are named; none for a table.

    Args:
        source: a path, a glob, a folder, a URL of any of these, or a list of them.
        suffixes: what a file of documents may end in; other files of a folder are passed over.
    """
    if isinstance(source, str | os.PathLike):
        return _matches(os.fspath(source), suffixes)
    if not isinstance(source, list | tuple):
        return []
    if not source or not all(isinstance(item, str | os.PathLike) for item in source):
        raise ReweightvizError(f"a list must hold paths, at least one; got {str(source)[:60]}.")
    return [file for item in source for file in _matches(os.fspath(item), suffixes)]


def label_files(files: Sequence[DocumentFile]) -> dict[DocumentFile, str]:
    """Return the beginning of a file's ids: its stem, or its path where stems are the same."""
    check_unique("file", files, "the list of a corpus")
    stems = Counter(file.stem for file in files)
    return {file: _label(file, stems) for file in files}


def _label(file: DocumentFile, stems: Counter[str]) -> str:
    if stems[file.stem] == 1:
        return file.stem
    if file.system is not None:
        return file.name
    return Path(file.name).as_posix()


def _matches(name: str, suffixes: tuple[str, ...]) -> list[DocumentFile]:
    with guard_reading(name, "documents"):
        look = _of_url if _URL.match(name) else _of_this_machine
        files = look(name, suffixes)
    if not files:
        raise UnreadableFile(path=name, reason="there is no such file")
    for file in files:
        if not file.ends_in(suffixes):
            raise WrongContent(
                path=file,
                reason=f"is of no known kind; a corpus is read from {list_names(suffixes, 40)}",
            )
    return files


def _of_this_machine(name: str, suffixes: tuple[str, ...]) -> list[DocumentFile]:
    path = Path(name).expanduser()
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if each.is_file())
        return _below(name, [(str(each), each.relative_to(path).parts) for each in found], suffixes)
    if path.exists():
        return [DocumentFile(str(path))]
    matches = glob.glob(str(path), recursive=True)  # noqa: PTH207  a pattern may be absolute
    return [DocumentFile(match) for match in sorted(matches)]


def _of_url(url: str, suffixes: tuple[str, ...]) -> list[DocumentFile]:
    system, root = _connect(url)
    # A page of the web may have a question mark in its address, and lists no folders.
    if _PATTERN.search(root) and not url.startswith("http"):
        found = sorted(system.glob(root))
        return [DocumentFile(system.unstrip_protocol(each), None, system) for each in found]
    if url.startswith("http") or not system.isdir(root):
        return [DocumentFile(url, None, system)]
    below = PurePosixPath(root)
    parts = [
        (system.unstrip_protocol(each), PurePosixPath(each).relative_to(below).parts)
        for each in sorted(system.find(root))
    ]
    return _below(url, parts, suffixes, system)


def _connect(url: str) -> tuple[Any, str]:
    """Return fsspec's file system of a URL, and the path in it."""
    scheme = url.partition("://")[0].lower()
    try:
        import fsspec

        system, root = fsspec.core.url_to_fs(url)
    except ImportError as error:
        package = _DRIVERS.get(scheme, "fsspec")
        raise MissingPackage(package=package, extra="remote", who=f"reading {url}") from error
    return system, str(root)


def _below(
    name: str,
    found: Sequence[tuple[str, tuple[str, ...]]],
    suffixes: tuple[str, ...],
    system: Any = None,
) -> list[DocumentFile]:
    """Return the documents among the files of a folder, each with its first sub-folder."""
    files = []
    for each, parts in found:
        folder = parts[0] if len(parts) > 1 else None
        file = DocumentFile(each, folder, system)
        # As Spark and Hugging Face do: such names are of what a writer keeps for itself.
        is_hidden = any(part.startswith((".", "_")) for part in parts)
        if file.ends_in(suffixes) and not is_hidden:
            files.append(file)
    if not files:
        raise WrongContent(
            path=name, reason=f"is a folder without a file that ends in {list_names(suffixes, 40)}"
        )
    return files
