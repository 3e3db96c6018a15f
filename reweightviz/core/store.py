"""Columns on disk, as a Lance dataset: a new one rewrites nothing else, a text is read by row."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from reweightviz.core.columns import as_column, combine_digests, digest
from reweightviz.core.errors import (
    MissingPackage,
    ReweightvizError,
    UnreadableFile,
    UnwritableFile,
    WrongContent,
    list_names,
    warn,
)
from reweightviz.core.files import inside_folder
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.lance_commit import Staged, commit, field_name
from reweightviz.core.progress import tqdm
from reweightviz.core.protocols import Columns
from reweightviz.core.store_merge import changes

if TYPE_CHECKING:
    from lance import LanceDataset

__all__ = [
    "DOCUMENT",
    "KEY",
    "Earlier",
    "Known",
    "Stored",
    "StoredColumn",
    "has_same_documents",
    "read",
    "save",
]


KEY = "reweightviz"
DOCUMENT = ("id", "text", "domain", "tokens")
"""The columns that make a document; all others are derived from them."""
FORMAT = 2
"""Of the header. Up to 0.5, without a format, it was committed apart from the columns it names."""
TRIES = 100
KEPT_VERSIONS = 10
KEPT_FOR = timedelta(hours=1)
LANCE_FOLDERS = {"data", "_versions", "_transactions", "_indices", "_deletions", "_refs"}


class Earlier(NamedTuple):
    """What a corpus was before documents were appended.

    Attributes:
        rows: how many documents.
        digests: of the columns that make a document.
    """

    rows: int
    digests: Mapping[str, str]


class Known(NamedTuple):
    """What lies at a path, or what a process last saw there.

    Attributes:
        digests: name of a column to the digest of its content.
        labels: the domains (K,), in order, and the tokenizer.
        meta: what belongs to the columns.
        facts: kind and column to what is told of it, such as its recipe; None for nothing.
    """

    digests: Mapping[str, str]
    labels: Mapping[str, Any]
    meta: Mapping[str, Any]
    facts: Mapping[str, Any]

    def updated(self, new: Known) -> Known:
        """Return this with what is new over it."""
        return Known(*(dict(old) | dict(more) for old, more in zip(self, new, strict=True)))


class Stored(NamedTuple):
    """A stored corpus, as the arguments that make it.

    Attributes:
        columns: name to a function that loads its values.
        domains: (K,) names, in order.
        tokenizer: what counted the tokens.
        meta: what belongs to the columns.
        fetch_text: reads a few texts by row.
        known: what lay there when it was opened.
    """

    columns: dict[str, Callable[[], Any]]
    domains: list[str]
    tokenizer: str
    meta: dict[str, Any]
    fetch_text: Callable[[Any], list[str]]
    known: Known


@dataclass(frozen=True, eq=False)
class StoredColumn:
    """A column that stays on disk until it is called for.

    Attributes:
        dataset: the version of the dataset that holds it.
        name: of the column.
        digest: of its content; empty where the header may be wrong of it.
    """

    dataset: LanceDataset
    name: str
    digest: str

    def __call__(self) -> Any:
        """Return the values, read from disk."""
        return _column(self.dataset, self.name)


def save(
    corpus: Columns,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    known: Known | None = None,
) -> tuple[int, Known]:
    """Commit the columns to ``path``, all of them or none.

    On a dataset of the same documents only new and changed columns are written, and columns that
    lie there and that this corpus lacks stay. Several processes may save at once: a column that
    only one of them changed since it opened the corpus stays as changed, whoever saves last.

    A reader keeps the version that it opened. The last 10 versions and those of the last hour stay
    on disk; each save removes what only older ones hold.

    Args:
        corpus: what to save.
        path: the folder of the dataset.
        overwrite: replace other documents that lie there.
        known: what this process last saw there; when None, each column replaces the one there.

    Returns:
        The version that holds all of it, and what is known of ``path`` now.

    Raises:
        ReweightvizError: ``path`` holds other documents and ``overwrite`` is False, or something
            that is no saved corpus, or another process changed a column that this one changed too.
    """
    _import_lance("saving a corpus")
    target = inside_folder(path)
    labels = {"domains": list(corpus.domains), "tokenizer": corpus.tokenizer}
    ours = _make_known(_digests(corpus), labels, to_jsonable(corpus.meta))
    staged = Staged(target, corpus)
    for _ in range(TRIES):
        base = _open_latest(target)
        try:
            with _in_one_sentence(f"cannot save {target}"):
                version = _save_after(base, staged, ours, known, overwrite=overwrite)
        except Exception:
            # Lance has many errors for a version that came first; that there is one tells them all.
            latest = _open_latest(target)
            if latest is None or latest.version == _version(base):
                staged.discard()
                raise
            if not staged.lies_in(latest):
                continue
            version = latest.version  # it is ours: what failed came after the commit
        _remove_old_versions(target)
        return version, (known or ours).updated(ours)
    raise UnwritableFile(path=target, reason="others save there without a pause; save again")


def _save_after(
    base: LanceDataset | None,
    staged: Staged,
    ours: Known,
    known: Known | None,
    *,
    overwrite: bool,
) -> int:
    """Commit what is new after ``base`` and return the version that holds it."""
    header: dict[str, Any] = {}
    if base is not None:
        header = _header(base, staged.target)  # what is not ours is not overwritten either
    keep = base is not None and not overwrite
    theirs = Known({}, {}, {}, {})
    there = ours
    rows = len(staged.corpus)
    if base is not None and keep:
        rows = _count_shared(staged, ours, header["digests"], known)
        if rows < len(staged.corpus):
            there = ours._replace(digests=staged.first_digests(rows))
        theirs = _known(base, header)
        if header.get("format") != FORMAT:
            known = None
    sides = zip(there, theirs, known or (None,) * len(ours), strict=True)
    new = Known(*(changes(*side, staged.target) for side in sides))
    all_of_it = theirs.updated(new)
    if rows < len(staged.corpus):
        _check_all_grow(staged.target, there.digests, all_of_it.digests)
        all_of_it = all_of_it._replace(digests=ours.digests)
    record = {"format": FORMAT, **_describe(all_of_it)}
    if keep and record == header:
        return _version(base)
    metadata = {KEY: json.dumps(record)}
    return commit(staged, list(new.digests), metadata, base=base, keep=keep, rows=rows)


def _count_shared(
    staged: Staged, ours: Known, theirs: Mapping[str, str], known: Known | None
) -> int:
    """Return how many of our first rows are the documents that lie there.

    Raises:
        UnwritableFile: other documents lie there.
    """
    if _same_documents(theirs, ours.digests):
        return len(staged.corpus)
    for earlier in reversed(staged.corpus.earlier):
        if _same_documents(theirs, earlier.digests):
            return int(earlier.rows)
    was_ours = staged.corpus.earlier or (known and _same_documents(known.digests, ours.digests))
    if known is not None and was_ours:
        raise UnwritableFile(
            path=staged.target,
            reason="another process saved other documents there since this corpus was opened; "
            "rv.open_corpus opens theirs, append to that or name another path",
        )
    raise UnwritableFile(
        path=staged.target,
        reason="it holds other documents; pass overwrite=True to replace it, or name another path",
    )


def _check_all_grow(target: Path, ours: Mapping[str, str], together: Mapping[str, str]) -> None:
    """Refuse to append rows that lack a column which lies there, or have it otherwise made."""
    others = [name for name, found in together.items() if ours.get(name) != found]
    if others:
        raise UnwritableFile(
            path=target,
            reason=f"it holds {list_names(others)}, of which the appended documents have no "
            "value; rv.open_corpus opens it, append to that",
        )


def _digests(corpus: Columns) -> dict[str, str]:
    names = tqdm(corpus.columns, desc="saving", unit="column", delay=1, leave=False)
    return {name: corpus.digest(name) for name in names}


def _known(dataset: LanceDataset, header: Mapping[str, Any]) -> Known:
    """Return what lies in a dataset, told from its schema where the header may be wrong."""
    digests = {}
    for name, stored in header["digests"].items():
        if field_name(name) in dataset.schema.names:
            digests[name] = stored
            if not _is_sure(header, name):
                column = as_column(name, _column(dataset, name), dataset.count_rows())
                digests[name] = combine_digests([digest(column)])
    return _known_of(header)._replace(digests=digests)


def _known_of(header: Mapping[str, Any]) -> Known:
    labels = {name: header[name] for name in ("domains", "tokenizer")}
    return _make_known(header["digests"], labels, header["meta"])


FACTS = ("recipes", "score_figures")
"""Keys of meta with a fact a column: processes that save other columns do not meet there."""


def _make_known(
    digests: Mapping[str, str], labels: Mapping[str, Any], meta: Mapping[str, Any]
) -> Known:
    facts: dict[str, Any] = {}
    for kind in FACTS:
        told = meta.get(kind, {})
        # Nothing is a fact too: the recipe of a column that was since made by hand is gone.
        facts |= {f"{kind} {name}": told.get(name) for name in [*digests, *told]}
    rest = {name: value for name, value in meta.items() if name not in FACTS}
    return Known(digests, labels, rest, facts)


def _describe(known: Known) -> dict[str, Any]:
    """Return the header that says what lies there."""
    meta = dict(known.meta)
    for key, value in known.facts.items():
        kind, _, name = key.partition(" ")
        if value is not None:
            meta.setdefault(kind, {})[name] = value
    return {"digests": known.digests, **known.labels, "meta": meta}


def _is_sure(header: Mapping[str, Any], name: str) -> bool:
    """Return whether a header tells the content of a column.

    Up to 0.5 a save that broke off left new values under the digest of the old ones.
    """
    return name in DOCUMENT or header.get("format") == FORMAT


def _remove_old_versions(target: Path) -> None:
    """Free what no version of late holds; a save does not fail of it."""
    with suppress(Exception):
        _open_dataset(target).cleanup_old_versions(
            KEPT_FOR, KEPT_VERSIONS, error_if_tagged_old_versions=False
        )


def has_same_documents(corpus: Columns, path: str | os.PathLike[str]) -> bool:
    """Return whether these very documents lie at ``path``, by digests: nothing of it is read."""
    target = Path(path)
    dataset = _open_latest(target)
    if dataset is None:
        return False
    known = _header(dataset, target)["digests"]
    present = [name for name in DOCUMENT if name in corpus.columns]
    return _same_documents(known, {name: corpus.digest(name) for name in present})


def _same_documents(known: Mapping[str, str], digests: Mapping[str, str]) -> bool:
    return all(known.get(name) == digests.get(name) for name in DOCUMENT)


def read(path: str | os.PathLike[str], version: int | None = None) -> Stored:
    """Read the header of saved columns; a column is read when it is first needed.

    Args:
        path: the folder of the dataset.
        version: the one to read; the latest when None.
    """
    target = Path(path)
    if not target.exists():
        raise UnreadableFile(path=target, reason="there is no corpus")
    if _is_unfinished(target):
        raise UnreadableFile(
            path=target, reason="the first save there has not ended, or was cut short; save again"
        )
    dataset = _open_dataset(target)
    if version is not None:
        with _in_one_sentence(f"{target} has no version {version}"):
            dataset = dataset.checkout_version(version)
    header = _header(dataset, target)
    present = [name for name in header["digests"] if field_name(name) in dataset.schema.names]
    _say_missing(target, set(header["digests"]) - set(present))
    columns: dict[str, Callable[[], Any]] = {}
    for name in present:
        sure = _is_sure(header, name)
        columns[name] = StoredColumn(dataset, name, header["digests"][name] if sure else "")
    return Stored(
        columns,
        header["domains"],
        header["tokenizer"],
        header["meta"],
        partial(_texts, dataset),
        _known_of(header),
    )


def _say_missing(target: Path, missing: set[str]) -> None:
    lost = missing & set(DOCUMENT)
    if lost:
        raise UnreadableFile(path=target, reason=f"it lost the column {list_names(lost)}")
    if missing:
        warn(
            f"{target} lost {list_names(sorted(missing))} in a save that was cut short: make it "
            "again and save."
        )


def _import_lance(who: str) -> Any:
    os.environ.setdefault("LANCE_LOG", "error")  # it warns of every dataset that is new
    try:
        import lance
    except ImportError:
        raise MissingPackage(package="pylance", extra="store", who=who) from None
    return lance


@contextmanager
def _in_one_sentence(what: str) -> Iterator[None]:
    """Raise errors of Lance as one sentence, without the address in its source that ends them."""
    try:
        yield
    except ReweightvizError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise ReweightvizError(
            f"{what}: {str(error).partition(', /')[0].splitlines()[0].rstrip('.')}."
        ) from error


def _open_latest(path: Path) -> LanceDataset | None:
    """Open what lies there, None where nothing does, or only what a first save left."""
    is_free = not path.exists() or _is_unfinished(path)
    return None if is_free else _open_dataset(path)


def _is_unfinished(folder: Path) -> bool:
    """Return whether a folder is empty, or holds files of Lance and no version yet."""
    if not folder.is_dir() or any((folder / "_versions").glob("*.manifest")):
        return False
    if {child.name for child in folder.iterdir()} - LANCE_FOLDERS:
        return False
    # Lance writes a draft, .tmp and six letters, and renames it.
    return all(file.name.startswith(".tmp") or file.suffix == ".lance" for file in _data(folder))


def _data(folder: Path) -> list[Path]:
    data = folder / "data"
    return list(data.iterdir()) if data.is_dir() else []


def _open_dataset(path: Path) -> LanceDataset:
    lance = _import_lance("a saved corpus")
    try:
        with _in_one_sentence(f"{path} is no saved corpus"):
            dataset: LanceDataset = lance.dataset(str(path))
    except ReweightvizError as error:
        damaged = _damaged_version(path)
        if damaged is None:
            raise
        raise UnreadableFile(
            path=path,
            reason=f"its latest version, {damaged}, is damaged; remove that file, and the "
            "version before it opens",
        ) from error
    return dataset


def _damaged_version(folder: Path) -> Path | None:
    """Return the file of the latest version if its end is missing, as after a loss of power."""
    versions = sorted((folder / "_versions").glob("*.manifest"))  # Lance names the latest first
    with suppress(OSError):
        if versions and not versions[0].read_bytes().endswith(b"LANC"):
            return versions[0]
    return None


def _version(dataset: LanceDataset | None) -> int:
    return 0 if dataset is None else int(dataset.version)


def _header(dataset: LanceDataset, path: Path) -> dict[str, Any]:
    # Arrow's keys are bytes, Lance's own strings; which ones come depends on the version.
    stored = {_as_text(key): value for key, value in (dataset.schema.metadata or {}).items()}
    if KEY not in stored:
        raise WrongContent(
            path=path,
            reason="is a Lance dataset, but not one that a Corpus saved; rv.read_corpus "
            "reads its table",
        )
    header: dict[str, Any] = json.loads(stored[KEY])
    return header


def _as_text(key: bytes | str) -> str:
    return key.decode() if isinstance(key, bytes) else key


@contextmanager
def _while_it_lies_there(dataset: LanceDataset, what: str) -> Iterator[None]:
    """Tell what was removed since its version was opened from what cannot be read."""
    try:
        with _in_one_sentence(f"cannot read {what} of {dataset.uri}"):
            yield
    except ReweightvizError as error:
        if "not found" not in str(error).lower():
            raise
        raise UnreadableFile(
            path=dataset.uri,
            reason=f"{what} of version {dataset.version} was replaced or removed since it was "
            "opened; open the corpus again",
        ) from error


def _column(dataset: LanceDataset, name: str) -> Any:
    with _while_it_lies_there(dataset, f"the column {name!r}"):
        column = dataset.to_table(columns=[field_name(name)]).column(0)
    if pa.types.is_fixed_size_list(column.type):
        width = column.type.list_size
        return column.combine_chunks().flatten().to_numpy().reshape(-1, width)
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_list, pa.types.is_large_list)
    if any(is_kind(column.type) for is_kind in kinds):
        return column
    return column.to_numpy()


def _texts(dataset: LanceDataset, rows: Any) -> list[str]:
    with _while_it_lies_there(dataset, "the text"):
        picked = dataset.take(np.asarray(rows, np.int64).tolist(), columns=["text"])
    return [str(text) for text in picked.column(0).to_pylist()]
