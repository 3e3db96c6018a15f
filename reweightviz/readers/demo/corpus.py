"""Real text that needs no network: the files of the packages installed beside reweightviz."""

from __future__ import annotations

import hashlib
import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from reweightviz.core.cache import cache_path, read_or_make
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.progress import tqdm
from reweightviz.readers.demo._installed_files import DOMAINS, InstalledFile, find_files
from reweightviz.readers.demo._texts import documents_of

__all__ = ["COLUMNS", "MOST_DOCUMENTS", "read"]


MOST_DOCUMENTS = 4000  # of a domain
COLUMNS = ("id", "domain", "text", "package", "path")


def read(folder: Path | None = None) -> Corpus:
    """Collect the demo corpus, or read it from the cache.

    Exact duplicates, minified and generated files are left out. The result is the same for the same
    environment: files are taken in the order of a hash of their path, and at most
    ``MOST_DOCUMENTS`` documents of a domain.

    Args:
        folder: of packages; the running environment's site-packages when not given.

    Raises:
        ReweightvizError: there is no text of the demo's domains.
    """
    root = folder or Path(sysconfig.get_paths()["purelib"])
    table = read_or_make(
        _cache_path(root), make=lambda: _collect(root), read=_read_table, encode=_encode
    )
    return _corpus(table)


def _read_table(path: Path) -> pa.Table:
    table = pq.read_table(path)
    if tuple(table.column_names) != COLUMNS:
        raise ReweightvizError(f"{path} has other columns than {list(COLUMNS)}.")
    return table


def _encode(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue().to_pybytes())


def _cache_path(root: Path) -> Path | None:
    """Return where the corpus of an environment is cached; None where that is not known by name.

    The key holds the packages, and the code that makes documents of them.
    """
    packages = sorted(entry.name for entry in root.glob("*.dist-info"))
    others = [name for name in packages if not name.startswith("reweightviz")]
    code = [file.read_text("utf-8") for file in sorted(Path(__file__).parent.glob("*.py"))]
    if not others:  # a folder without packages may change under the same name
        return None
    return cache_path("demo-corpus", root, others, code, suffix=".parquet")


def _corpus(table: pa.Table) -> Corpus:
    there = set(table["domain"].to_pylist())
    return Corpus(
        {name: table[name] for name in table.column_names},
        domains=[domain for domain in DOMAINS if domain in there],
        meta={"name": "demo"},
    )


def _collect(root: Path) -> pa.Table:
    found = find_files(root)
    seen: set[bytes] = set()
    pieces: Counter[tuple[str, str]] = Counter()
    rows: dict[str, list[str]] = {name: [] for name in COLUMNS}
    for domain in tqdm(DOMAINS, desc="demo corpus", delay=1, leave=False):
        for number, (file, text) in enumerate(_unique_documents(domain, found[domain], seen)):
            if number == MOST_DOCUMENTS:
                break
            label = f"{file.path}#{domain[:3]}{pieces[file.path, domain]}"
            pieces[file.path, domain] += 1
            row = (label, domain, text, file.package, file.path)
            for name, value in zip(COLUMNS, row, strict=True):
                rows[name].append(value)
    if not rows["id"]:
        raise ReweightvizError(
            f"no text of the demo's domains lies under {root}; install some packages there first."
        )
    return pa.table({name: pa.array(values, pa.large_string()) for name, values in rows.items()})


def _unique_documents(
    domain: str, files: list[InstalledFile], seen: set[bytes]
) -> Iterator[tuple[InstalledFile, str]]:
    """Yield the documents of files that are not among those ``seen``, and add them there."""
    for file in files:
        for text in documents_of(domain, file.file):
            digest = hashlib.blake2b(text.encode(), digest_size=12).digest()
            if digest not in seen:
                seen.add(digest)
                yield file, text
