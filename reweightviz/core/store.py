"""A corpus on disk, as a Lance dataset: a new column rewrites nothing else, one text is read by its row."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError, missing_package

if TYPE_CHECKING:
    from lance import LanceDataset

KEY = "reweightviz"
ROWS = ("id", "text", "domain", "tokens")  # what makes a document; the rest is derived


def save_corpus(corpus: Corpus, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Commit a corpus to ``path``; on a dataset of the same documents only new and changed columns are written.

    Raises:
        ReweightvizError: ``path`` holds other documents and ``overwrite`` is False.
    """
    lance, target = _lance("saving a corpus"), Path(path)
    digests = {name: corpus.digest(name) for name in corpus.columns}
    header = {"digests": digests, "domains": list(corpus.domains), "tokenizer": corpus.tokenizer, "meta": corpus.meta}
    if target.exists() and not overwrite:
        dataset = lance.dataset(str(target))
        known = _header(dataset, target)["digests"]
        if any(known.get(name) != digests.get(name) for name in ROWS):
            raise ReweightvizError(f"{target} holds other documents; pass overwrite=True to replace it, or name another path.")
        changed = [name for name in digests if digests[name] != known.get(name)]
        stale = [name for name in changed if name in known]
        if stale:
            dataset.drop_columns(stale)
        if changed:
            dataset.add_columns(corpus.to_arrow(changed).to_reader())
        lance.dataset(str(target)).update_schema_metadata({KEY: json.dumps(header)})
        return target
    table = corpus.to_arrow().replace_schema_metadata({KEY: json.dumps(header)})
    lance.write_dataset(table, str(target), mode="overwrite" if overwrite else "create")
    return target


def open_corpus(path: str | os.PathLike[str]) -> Corpus:
    """Open a saved corpus; columns are read when they are first asked for."""
    lance, target = _lance("opening a corpus"), Path(path)
    if not target.exists():
        raise ReweightvizError(f"there is no corpus at {target}.")
    try:
        dataset = lance.dataset(str(target))
    except (ValueError, OSError) as error:
        raise ReweightvizError(f"{target} is no saved corpus: {str(error).splitlines()[0]}.") from error
    header = _header(dataset, target)
    columns: dict[str, Any] = {name: partial(_column, dataset, name) for name in header["digests"]}
    return Corpus(columns, domains=header["domains"], tokenizer=header["tokenizer"], meta=header["meta"],
                  fetch_text=partial(_texts, dataset))


def _lance(who: str) -> Any:
    os.environ.setdefault("LANCE_LOG", "error")  # it warns of every dataset that is new
    try:
        import lance
    except ImportError:
        raise missing_package(who, "pylance", "store") from None
    return lance


def _header(dataset: LanceDataset, path: Path) -> dict[str, Any]:
    stored = {key.decode() if isinstance(key, bytes) else key: value for key, value in (dataset.schema.metadata or {}).items()}
    if KEY not in stored:
        raise ReweightvizError(f"{path} is a Lance dataset, but not one that a Corpus saved; rv.read_corpus reads its table.")
    header: dict[str, Any] = json.loads(stored[KEY])
    return header


def _column(dataset: LanceDataset, name: str) -> Any:
    column = dataset.to_table(columns=[name]).column(0)
    if pa.types.is_fixed_size_list(column.type):
        width = column.type.list_size
        return column.combine_chunks().flatten().to_numpy().reshape(-1, width)
    return column if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) else column.to_numpy()


def _texts(dataset: LanceDataset, rows: Any) -> list[str]:
    return [str(text) for text in dataset.take(np.asarray(rows, np.int64).tolist(), columns=["text"]).column(0).to_pylist()]
