"""A corpus on disk, as a Lance dataset: a new column rewrites nothing else, one text is read by its row."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from tqdm.auto import tqdm

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import (
    MissingPackage,
    ReweightvizError,
    UnreadableFile,
    UnwritableFile,
    WrongContent,
)
from reweightviz.core.files import inside_folder
from reweightviz.core.jsonable import to_jsonable

if TYPE_CHECKING:
    from lance import LanceDataset

KEY = "reweightviz"
ROWS = ("id", "text", "domain", "tokens")  # what makes a document; the rest is derived


def save_corpus(corpus: Corpus, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Commit a corpus to ``path``; on a dataset of the same documents only new and changed columns are written.

    Columns that lie there and that this corpus lacks are kept.

    Raises:
        ReweightvizError: ``path`` holds other documents and ``overwrite`` is False, or something
            that is no saved corpus.
    """
    lance, target = _lance("saving a corpus"), inside_folder(path)
    occupied = target.is_file() or (target.is_dir() and any(target.iterdir()))
    dataset = _dataset(target) if occupied else None
    with (
        tqdm(
            total=len(corpus.columns) + 1, desc="saving", unit="column", delay=1, leave=False
        ) as bar,
        _plainly(f"cannot save {target}"),
    ):
        digests = {}
        for name in corpus.columns:
            digests[name] = corpus.digest(name)
            bar.update()
        header = {
            "digests": digests,
            "domains": list(corpus.domains),
            "tokenizer": corpus.tokenizer,
            "meta": to_jsonable(corpus.meta),
        }
        if dataset is None or overwrite:
            table = _table(corpus, corpus.columns).replace_schema_metadata(
                {KEY: json.dumps(header)}
            )
            lance.write_dataset(table, str(target), mode="overwrite" if occupied else "create")
        else:
            _update(lance, target, corpus, header)
    return target


def _update(lance: Any, target: Path, corpus: Corpus, header: dict[str, Any]) -> None:
    """Write what is new; three commits, so the first is taken back when a later one fails."""
    dataset = lance.dataset(str(target))
    before, old = dataset.version, _header(dataset, target)
    known, digests = old["digests"], header["digests"]
    if not _same(known, digests):
        raise UnwritableFile(
            path=target,
            reason="it holds other documents; pass overwrite=True to replace it, or "
            "name another path",
        )
    changed = [name for name in digests if digests[name] != known.get(name)]
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


def same_documents(path: str | os.PathLike[str], corpus: Corpus) -> bool:
    """Whether a corpus of these very documents lies at ``path``; its digests answer, nothing of it is read."""
    target = Path(path)
    if not target.exists():
        return False
    return _same(
        _header(_dataset(target), target)["digests"],
        {name: corpus.digest(name) for name in ROWS if name in corpus.columns},
    )


def _same(known: Mapping[str, str], digests: Mapping[str, str]) -> bool:
    return all(known.get(name) == digests.get(name) for name in ROWS)


def open_corpus(path: str | os.PathLike[str]) -> Corpus:
    """Open a saved corpus; columns are read when they are first asked for."""
    target = Path(path)
    if not target.exists():
        raise UnreadableFile(path=target, reason="there is no corpus")
    dataset = _dataset(target)
    header = _header(dataset, target)
    columns: dict[str, Any] = {name: partial(_column, dataset, name) for name in header["digests"]}
    return Corpus(
        columns,
        domains=header["domains"],
        tokenizer=header["tokenizer"],
        meta=header["meta"],
        fetch_text=partial(_texts, dataset),
    )


def _lance(who: str) -> Any:
    os.environ.setdefault("LANCE_LOG", "error")  # it warns of every dataset that is new
    try:
        import lance
    except ImportError:
        raise MissingPackage(package="pylance", extra="store", who=who) from None
    return lance


@contextmanager
def _plainly(what: str) -> Iterator[None]:
    """Lance's errors as one sentence, without the address in its source that ends them."""
    try:
        yield
    except ReweightvizError:
        raise
    except (OSError, ValueError) as error:
        raise ReweightvizError(
            f"{what}: {str(error).partition(', /')[0].splitlines()[0].rstrip('.')}."
        ) from error


def _dataset(path: Path) -> LanceDataset:
    with _plainly(f"{path} is no saved corpus"):
        dataset: LanceDataset = _lance("a saved corpus").dataset(str(path))
    return dataset


def _header(dataset: LanceDataset, path: Path) -> dict[str, Any]:
    stored = {
        key.decode() if isinstance(key, bytes) else key: value
        for key, value in (dataset.schema.metadata or {}).items()
    }
    if KEY not in stored:
        raise WrongContent(
            path=path,
            reason="is a Lance dataset, but not one that a Corpus saved; rv.read_corpus "
            "reads its table",
        )
    header: dict[str, Any] = json.loads(stored[KEY])
    return header


def _field(name: str) -> str:
    """The name of a column inside Lance, which gives dots and backticks a meaning of its own.

    >>> _field("loss:v1.5")
    'loss:v1%2E5'
    """
    return "".join(f"%{ord(letter):X}" if letter in ".`%" else letter for letter in name)


def _table(corpus: Corpus, names: Sequence[str]) -> pa.Table:
    return corpus.to_arrow(names).rename_columns([_field(name) for name in names])


def _column(dataset: LanceDataset, name: str) -> Any:
    column = dataset.to_table(columns=[_field(name)]).column(0)
    if pa.types.is_fixed_size_list(column.type):
        width = column.type.list_size
        return column.combine_chunks().flatten().to_numpy().reshape(-1, width)
    return (
        column
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        else column.to_numpy()
    )


def _texts(dataset: LanceDataset, rows: Any) -> list[str]:
    return [
        str(text)
        for text in dataset.take(np.asarray(rows, np.int64).tolist(), columns=["text"])
        .column(0)
        .to_pylist()
    ]
