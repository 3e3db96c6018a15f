"""Columns on disk, as a Lance dataset: a new one rewrites nothing else, a text is read by row."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
from tqdm.auto import tqdm

from reweightviz.core.errors import (
    MissingPackage,
    ReweightvizError,
    UnreadableFile,
    UnwritableFile,
    WrongContent,
)
from reweightviz.core.files import inside_folder
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.protocols import Columns

if TYPE_CHECKING:
    from lance import LanceDataset

__all__ = ["DOCUMENT", "KEY", "Stored", "has_same_documents", "read", "save"]


KEY = "reweightviz"
DOCUMENT = ("id", "text", "domain", "tokens")
"""The columns that make a document; all others are derived from them."""


class Stored(NamedTuple):
    """A stored corpus, as the arguments that make it.

    Attributes:
        columns: name to a function that loads its values.
        domains: (K,) names, in order.
        tokenizer: what counted the tokens.
        meta: what belongs to the columns.
        fetch_text: reads a few texts by row.
    """

    columns: dict[str, Callable[[], Any]]
    domains: list[str]
    tokenizer: str
    meta: dict[str, Any]
    fetch_text: Callable[[Any], list[str]]


def save(corpus: Columns, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Commit the columns to ``path``.

    On a dataset of the same documents only new and changed columns are written, and columns that
    lie there and that this corpus lacks stay.

    Raises:
        ReweightvizError: ``path`` holds other documents and ``overwrite`` is False, or something
            that is no saved corpus.
    """
    lance = _import_lance("saving a corpus")
    target = inside_folder(path)
    occupied = target.is_file() or (target.is_dir() and any(target.iterdir()))
    dataset = _open_dataset(target) if occupied else None
    with _in_one_sentence(f"cannot save {target}"):
        header = {
            "digests": _digests(corpus),
            "domains": list(corpus.domains),
            "tokenizer": corpus.tokenizer,
            "meta": to_jsonable(corpus.meta),
        }
        if dataset is not None and not overwrite:
            _update(lance, target, corpus, header)
            return target
        table = _table(corpus, corpus.columns).replace_schema_metadata({KEY: json.dumps(header)})
        lance.write_dataset(table, str(target), mode="overwrite" if occupied else "create")
    return target


def _digests(corpus: Columns) -> dict[str, str]:
    names = tqdm(corpus.columns, desc="saving", unit="column", delay=1, leave=False)
    return {name: corpus.digest(name) for name in names}


def _update(lance: Any, target: Path, corpus: Columns, header: dict[str, Any]) -> None:
    """Write what is new; three commits, so the first is taken back when a later one fails."""
    dataset = lance.dataset(str(target))
    before = dataset.version
    old = _header(dataset, target)
    known = old["digests"]
    digests = header["digests"]
    if not _same_documents(known, digests):
        raise UnwritableFile(
            path=target,
            reason="it holds other documents; pass overwrite=True to replace it, or "
            "name another path",
        )
    changed = [name for name in digests if digests[name] != known.get(name)]
    # Lance adds no column of a name that is there: the old one is dropped first.
    stale = [_field(name) for name in changed if name in known]
    header = header | {"digests": known | digests, "meta": old["meta"] | header["meta"]}
    try:
        if stale:
            dataset.drop_columns(stale)
        if changed:
            dataset.add_columns(_table(corpus, changed).to_reader())
        dataset.update_schema_metadata({KEY: json.dumps(header)})
    except BaseException:
        lance.dataset(str(target), version=before).restore()
        raise


def has_same_documents(corpus: Columns, path: str | os.PathLike[str]) -> bool:
    """Return whether these very documents lie at ``path``, by digests: nothing of it is read."""
    target = Path(path)
    if not target.exists():
        return False
    known = _header(_open_dataset(target), target)["digests"]
    present = [name for name in DOCUMENT if name in corpus.columns]
    return _same_documents(known, {name: corpus.digest(name) for name in present})


def _same_documents(known: Mapping[str, str], digests: Mapping[str, str]) -> bool:
    return all(known.get(name) == digests.get(name) for name in DOCUMENT)


def read(path: str | os.PathLike[str]) -> Stored:
    """Read the header of saved columns; a column is read when it is first needed."""
    target = Path(path)
    if not target.exists():
        raise UnreadableFile(path=target, reason="there is no corpus")
    dataset = _open_dataset(target)
    header = _header(dataset, target)
    return Stored(
        {name: partial(_column, dataset, name) for name in header["digests"]},
        header["domains"],
        header["tokenizer"],
        header["meta"],
        partial(_texts, dataset),
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
    except (OSError, ValueError) as error:
        raise ReweightvizError(
            f"{what}: {str(error).partition(', /')[0].splitlines()[0].rstrip('.')}."
        ) from error


def _open_dataset(path: Path) -> LanceDataset:
    with _in_one_sentence(f"{path} is no saved corpus"):
        dataset: LanceDataset = _import_lance("a saved corpus").dataset(str(path))
    return dataset


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


def _field(name: str) -> str:
    """Return the name of a column inside Lance, to which dots and backticks mean something.

    >>> _field("loss:v1.5")
    'loss:v1%2E5'
    """
    return "".join(f"%{ord(letter):X}" if letter in ".`%" else letter for letter in name)


def _table(corpus: Columns, names: Sequence[str]) -> pa.Table:
    return corpus.to_arrow(names).rename_columns([_field(name) for name in names])


def _column(dataset: LanceDataset, name: str) -> Any:
    column = dataset.to_table(columns=[_field(name)]).column(0)
    if pa.types.is_fixed_size_list(column.type):
        width = column.type.list_size
        return column.combine_chunks().flatten().to_numpy().reshape(-1, width)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column
    return column.to_numpy()


def _texts(dataset: LanceDataset, rows: Any) -> list[str]:
    picked = dataset.take(np.asarray(rows, np.int64).tolist(), columns=["text"])
    return [str(text) for text in picked.column(0).to_pylist()]
