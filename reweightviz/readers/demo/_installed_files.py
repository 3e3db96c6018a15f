"""Files of the packages in a folder, by the domain of what people wrote into them."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

__all__ = ["DOMAINS", "MOST_FILES", "InstalledFile", "find_files"]


DOMAINS = (
    "python source",
    "python tests",
    "docstrings",
    "type stubs",
    "cython",
    "c headers",
    "c++ headers",
    "c source",
    "javascript",
    "web pages",
    "json",
    "build scripts",
    "markdown",
    "package descriptions",
    "licences",
)
MOST_FILES = 250  # of a package in one domain, so that no single package is the domain

_SUFFIXES = {
    "type stubs": ".pyi",
    "cython": ".pyx .pxd .pxi",
    "c++ headers": ".hpp .hxx .cuh .hh",
    "c source": ".c .cc .cpp .cxx .cu",
    "javascript": ".js .mjs .cjs",
    "web pages": ".html .jinja .css .scss .ts .mts .cts",
    "json": ".json",
    "build scripts": ".cmake .build .sh .ps1 .cmd .bat .gyp .gypi .toml",
    "markdown": ".md .rst",
}
_BY_SUFFIX = {
    suffix: domain for domain, suffixes in _SUFFIXES.items() for suffix in suffixes.split()
}
_TESTS = re.compile(r"(?:^|/)(?:tests?|testing)/|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")
_LICENCE = re.compile(r"(?:^|/)(?:licen[cs]es?|copying|notice)[^/]*$", re.IGNORECASE)


class InstalledFile(NamedTuple):
    """A file of a package; ``path`` is relative to the folder of all packages."""

    package: str
    path: str
    file: Path


def find_files(root: Path) -> dict[str, list[InstalledFile]]:
    """Return the files of each domain, mixed so that a prefix of them is a fair sample."""
    found: dict[str, dict[str, list[InstalledFile]]] = {
        domain: defaultdict(list) for domain in DOMAINS
    }
    for file in root.rglob("*"):
        path = file.relative_to(root).as_posix()
        if path.startswith(("reweightviz", "__")) or "__pycache__" in path:
            continue
        package = re.sub(r"-[^-]+\.dist-info$|\.py$", "", path.partition("/")[0])
        for domain in _domains_of(file, path):
            found[domain][package].append(InstalledFile(package, path, file))
    return {domain: _mix(packages) for domain, packages in found.items()}


def _mix(packages: dict[str, list[InstalledFile]]) -> list[InstalledFile]:
    """Return some files of each package, all in the order of a hash.

    The hash, not chance: the demo is the same for the same environment.
    """
    sample: list[InstalledFile] = []
    for files in packages.values():
        sample += sorted(files, key=_hash)[:MOST_FILES]
    return sorted(sample, key=_hash)


def _hash(file: InstalledFile) -> bytes:
    return hashlib.blake2b(file.path.encode(), digest_size=8).digest()


def _domains_of(file: Path, path: str) -> tuple[str, ...]:
    suffix = file.suffix.lower()
    if ".dist-info/" in path:
        return _domains_of_metadata(file, path)
    if suffix == ".py":
        return ("python tests",) if _TESTS.search(path) else ("python source", "docstrings")
    if suffix == ".h":
        return ("c headers", "c++ headers")  # one of the two, by the content
    if file.name == "CMakeLists.txt":
        return ("build scripts",)
    if suffix in _BY_SUFFIX and ".min." not in file.name:
        return (_BY_SUFFIX[suffix],)
    return ()


def _domains_of_metadata(file: Path, path: str) -> tuple[str, ...]:
    if file.name == "METADATA":
        return ("package descriptions",)
    return ("licences",) if _LICENCE.search(path) else ()
