"""Corpus: documents as columns. Immutable in use; a verb returns a corpus with one column more."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from numpy.typing import ArrayLike, NDArray

from reweightviz.core import store
from reweightviz.core.errors import (
    DuplicateName,
    InvalidValue,
    MissingColumn,
    ReweightvizError,
    UnknownName,
    UnmetNeed,
    listed,
)
from reweightviz.core.lineage import Lineage
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Source, Sources
from reweightviz.core.types import COLUMNS, kind_of

Column: TypeAlias = Any  # NDArray or pa.ChunkedArray; pyarrow ships no types
STRINGS = ("id", "text", "domain")
FORMER = re.compile(r"former_domain:([0-9]+)")


class Corpus:
    """Documents with an id, a domain, a length and any number of derived columns.

    Args:
        columns: name to (N, ...) values, or to a function that loads them when they are first
            asked for. Names are kinds from :data:`reweightviz.core.types.COLUMNS`, with a label
            after a colon where there are several of a kind (``loss:proxy``); ``package`` and other
            names of the caller's stay text.
        domains: order of the domains (K,); order of first appearance when not given.
        tokenizer: what counted the ``tokens`` column.
        meta: anything JSON can hold that belongs to the columns (names of clusters, say).
        fetch_text: reads a few texts by row, for a corpus whose text column stays on disk.

    Example:
        >>> corpus = Corpus({"text": ["a b", "c"], "domain": ["web", "code"]})
        >>> len(corpus), corpus.domains, corpus.tokens.tolist()
        (2, ('web', 'code'), [3, 1])
    """

    def __init__(
        self,
        columns: Mapping[str, ArrayLike | Callable[[], ArrayLike]],
        *,
        domains: Sequence[str] | None = None,
        tokenizer: str = "utf-8 bytes",
        meta: Mapping[str, Any] | None = None,
        fetch_text: Callable[[Any], list[str]] | None = None,
    ) -> None:
        if "domain" not in columns:
            raise MissingColumn(column="domain", available=columns, who="a Corpus")
        self._columns: dict[str, Any] = dict(columns)
        self.tokenizer = tokenizer
        self.meta: dict[str, Any] = dict(meta or {})
        self._fetch_text = fetch_text
        self._digests: dict[str, bytes] = {}
        encoded = (
            _whole("domain", _strings(self._resolved("domain")))
            .dictionary_encode()
            .combine_chunks()
        )
        encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
        if not len(encoded):
            raise UnmetNeed(
                name="a Corpus", value=None, expected="at least one document", got="none"
            )
        present = encoded.dictionary.to_pylist()
        self.domains: tuple[str, ...] = tuple(domains) if domains is not None else tuple(present)
        strangers = set(present) - set(self.domains)
        if strangers:
            raise UnknownName(
                kind="domain of this corpus", name=min(map(str, strangers)), known=self.domains
            )
        order = {name: code for code, name in enumerate(self.domains)}
        recode = np.array([order[name] for name in present], np.int32)
        self.domain_codes: NDArray[np.int32] = recode[
            encoded.indices.to_numpy(zero_copy_only=False)
        ]
        for name, value in self._columns.items():
            if not callable(value):
                self._columns[name] = self._checked(name, value)

    # ---- columns

    def __len__(self) -> int:
        return len(self.domain_codes)

    def __contains__(self, name: object) -> bool:
        return name in self._columns or name == "tokens"

    def __repr__(self) -> str:
        return f"Corpus({len(self):,} documents, {len(self.domains)} domains, columns: {', '.join(self.columns)})"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._columns)

    def __getitem__(self, name: str) -> Any:
        if name == "tokens":
            return self.tokens
        if name not in self._columns:
            raise MissingColumn(
                column=name, available=self._columns, who="this call", hint=_verb_for(name)
            )
        return self._resolved(name)

    def _resolved(self, name: str) -> Any:
        value = self._columns[name]
        if callable(value):
            value = self._columns[name] = (
                self._checked(name, value()) if name != "domain" else value()
            )
        return value

    def _checked(self, name: str, value: ArrayLike) -> Column:
        column: Column = (
            _strings(value) if name in STRINGS or _is_text(value) else np.asarray(value).view()
        )
        if len(column) != len(self):
            raise ReweightvizError(
                f"column {name!r} must have a row a document, {len(self)}; got {len(column)}."
            )
        if isinstance(column, np.ndarray):
            shape = COLUMNS[kind_of(name)].shape if kind_of(name) in COLUMNS else "(N,)"
            if column.ndim != shape.count(",") + (not shape.endswith(",)")):
                raise InvalidValue(name=f"column {name!r}", value=column.shape, expected=shape)
            column.setflags(write=False)  # of the view; the caller's own array stays as it is
        return _whole(name, column)

    def with_column(
        self, name: str, values: ArrayLike | Callable[[], ArrayLike], **meta: Any
    ) -> Corpus:
        """A corpus with one column more (or replaced); nothing of this one is copied."""
        more = Corpus(
            self._columns | {name: values},
            domains=self.domains,
            tokenizer=self.tokenizer,
            meta=self.meta | meta,
            fetch_text=self._fetch_text,
        )
        more._digests = {known: digest for known, digest in self._digests.items() if known != name}
        return more

    def take(self, rows: ArrayLike) -> Corpus:
        """The documents ``rows`` (indices or a boolean mask), with every column."""
        picked = np.asarray(rows)
        picked = np.flatnonzero(picked) if picked.dtype == bool else picked.astype(np.int64)
        columns = {name: _picked(self[name], picked) for name in self._columns}
        return Corpus(columns, domains=self.domains, tokenizer=self.tokenizer, meta=self.meta)

    def only(self, kind: str, who: str) -> str:
        """Return the name of the one column of a kind: without a label, or the only one with one.

        Args:
            kind: of :data:`reweightviz.core.types.COLUMNS`.
            who: what needs the column, for the sentence of an error.
        """
        labelled = [name for name in self.columns if kind_of(name) == kind]
        if kind in self.columns or not labelled:
            if kind not in self:
                raise MissingColumn(column=kind, available=self.columns, who=who)
            return kind
        if len(labelled) > 1:
            raise ReweightvizError(
                f"{who} needs one column {kind!r}; the corpus has {listed(labelled)}: "
                "keep one of them."
            )
        return labelled[0]

    # ---- documents

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """Length of every document (N,); UTF-8 bytes when no tokens column is there."""
        if "tokens" in self._columns:
            return np.asarray(self._resolved("tokens"), np.int64)
        lengths = pa.compute.binary_length(self["text"])
        return np.asarray(lengths.to_numpy(), np.int64)

    @cached_property
    def ids(self) -> NDArray[np.object_]:
        """The documents' ids (N,); their row numbers as text when no id column is there."""
        if "id" in self._columns:
            return np.asarray(self["id"].to_numpy(), object)
        return np.array([str(row) for row in range(len(self))], object)

    def rows(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Rows of the documents with these ids."""
        known = pd.Index(self.ids)
        if not known.is_unique:
            raise DuplicateName(kind="id", names=known[known.duplicated()][:1], where="a corpus")
        index = known.get_indexer(pd.Index(list(ids), dtype=object))
        if (index < 0).any():
            raise ReweightvizError(
                f"no document {list(ids)[int(np.argmin(index))]!r} in this corpus of {len(self):,}."
            )
        return np.asarray(index, np.int64)

    def text(self, rows: Sequence[int] | NDArray[np.int64]) -> list[str]:
        """The texts of a few documents."""
        if self._fetch_text is not None and callable(self._columns["text"]):
            return self._fetch_text(rows)
        return [str(value) for value in self["text"].take(pa.array(rows, pa.int64())).to_pylist()]

    # ---- what there is of each domain

    @cached_property
    def sources(self) -> Sources:
        """Tokens and documents of each domain, as counted here."""
        K = len(self.domains)
        tokens = np.bincount(self.domain_codes, self.tokens, K)
        documents = np.bincount(self.domain_codes, minlength=K)
        table = {
            name: Source(float(t), float(n))
            for name, t, n in zip(self.domains, tokens, documents, strict=True)
        }
        return Sources(table, tokenizer=self.tokenizer, lineage=self.lineage)

    @property
    def natural(self) -> Mixture:
        """Each domain's share of the tokens."""
        return Mixture.natural(self.sources.token_table)

    # ---- where domains came from

    def with_domain(self, rows: NDArray[np.int64], name: str) -> Corpus:
        """Return a corpus whose documents ``rows`` are the domain ``name``.

        Every document remembers its former domain.

        Raises:
            ReweightvizError: other documents lay in a domain of that name before.
        """
        once = np.zeros(len(self), bool)
        for column in self._former:
            once |= np.asarray(self[column].to_numpy() == name)
        if once.any() and not once[rows].all():
            raise ReweightvizError(
                f"other documents lay in a domain {name!r} before; give the new one another name."
            )
        domain = np.array(self.domains, object)[self.domain_codes]
        held = set(domain)
        domain[rows] = name
        emptied = held - set(domain)
        kept = [known for known in self.domains if known not in emptied]
        before = {f"former_domain:{len(self._former) + 1}": self["domain"]}
        columns = {column: self[column] for column in self.columns}
        return Corpus(
            columns | before | {"domain": domain},
            domains=[*kept, name],
            tokenizer=self.tokenizer,
            meta=self.meta,
        )

    @property
    def _former(self) -> list[str]:
        """Columns of the former domains, the latest first."""
        numbers = sorted(int(found[1]) for found in map(FORMER.fullmatch, self._columns) if found)
        return [f"former_domain:{number}" for number in reversed(numbers)]

    @cached_property
    def lineage(self) -> Lineage:
        """Where each domain's tokens lay before the splits."""
        if not self._former:
            return Lineage()
        now = np.array(self.domains, object)[self.domain_codes]
        before = [self[name].to_numpy() for name in self._former]
        return Lineage.of_documents([now, *before], np.asarray(self.tokens, np.float64))

    # ---- out

    def digest(self, *columns: str) -> str:
        """A short hash of the named columns' content; the same data gives the same digest."""
        total = hashlib.blake2b(digest_size=12)
        for name in columns:
            total.update(self._digest_of(name))
        return total.hexdigest()

    def _digest_of(self, name: str) -> bytes:
        """Text is hashed once, for Arrow is immutable; numbers each time, for the array behind them is the caller's."""
        if name in self._digests:
            return self._digests[name]
        column = self[name]
        found = _digest(column)
        if isinstance(column, pa.ChunkedArray):
            self._digests[name] = found
        return found

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Commit to a Lance dataset; see :func:`reweightviz.core.store.save`."""
        return store.save(self, path, overwrite=overwrite)

    def is_saved_at(self, path: str | os.PathLike[str]) -> bool:
        """Return whether these very documents lie at ``path``; nothing of it is read."""
        return store.has_same_documents(self, path)

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """An Arrow table; matrices become fixed-size lists."""
        names = list(columns or self._columns)
        return pa.table({name: _arrow(self[name]) for name in names})

    def to_pandas(self) -> pd.DataFrame:
        """A data frame of the one-dimensional columns."""
        flat = [
            name
            for name in self._columns
            if isinstance(self[name], pa.ChunkedArray) or self[name].ndim == 1
        ]
        return self.to_arrow(flat).to_pandas()


def open_corpus(path: str | os.PathLike[str]) -> Corpus:
    """Open a corpus that :meth:`Corpus.save` wrote; nothing is recomputed.

    A column is read when it is first needed.
    """
    stored = store.read(path)
    return Corpus(
        stored.columns,
        domains=stored.domains,
        tokenizer=stored.tokenizer,
        meta=stored.meta,
        fetch_text=stored.fetch_text,
    )


def _strings(values: Any) -> pa.ChunkedArray:
    if isinstance(values, pa.ChunkedArray) and values.type == pa.large_string():
        return values
    array = (
        values
        if isinstance(values, pa.Array | pa.ChunkedArray)
        else pa.array(values, from_pandas=True)
    )
    array = array.cast(pa.large_string())
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _whole(name: str, column: Column) -> Column:
    """The column, when no document lacks its id, text, domain or length."""
    if name in STRINGS and column.null_count:
        raise ReweightvizError(
            f"every document needs its {name}; {column.null_count} of {len(column)} rows "
            "have none: "
            "drop or fill them."
        )
    if name == "tokens":
        numbers = isinstance(column, np.ndarray) and column.dtype.kind in "iuf"
        bad = ~(np.isfinite(column) & (column >= 0)) if numbers else np.ones(len(column), bool)
        if bad.any():
            raise InvalidValue(
                name=f"row {int(np.argmax(bad))} of column 'tokens'",
                value=column[int(np.argmax(bad))],
                expected="a number >= 0",
                got=str(column[int(np.argmax(bad))]),
            )
    return column


def _is_text(values: Any) -> bool:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return bool(pa.types.is_string(values.type) or pa.types.is_large_string(values.type))
    return np.asarray(values).dtype.kind in "OUS"


def _picked(column: Column, rows: NDArray[np.int64]) -> Column:
    return column.take(pa.array(rows)) if isinstance(column, pa.ChunkedArray) else column[rows]


def _arrow(column: Column) -> pa.Array | pa.ChunkedArray:
    if isinstance(column, pa.ChunkedArray) or column.ndim == 1:
        return column if isinstance(column, pa.ChunkedArray) else pa.array(column)
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(column).reshape(-1)), column.shape[1]
    )


def _digest(column: Column) -> bytes:
    total = hashlib.blake2b(digest_size=16)
    if isinstance(column, np.ndarray):
        total.update(repr((column.dtype.str, column.shape)).encode())
        total.update(np.ascontiguousarray(column).data)
        return total.digest()
    for value in column.to_pylist():
        data = str(value).encode("utf-8", "surrogatepass")
        total.update(len(data).to_bytes(8, "little") + data)
    return total.digest()


def _verb_for(name: str) -> str:
    verbs = {
        "embedding": "rv.embed",
        "xy": "rv.project",
        "cluster": "rv.cluster",
        "loss": "rv.losses",
        "score": "rv.score",
    }
    verb = verbs.get(kind_of(name))
    return f"{verb}(corpus) makes it." if verb else ""
