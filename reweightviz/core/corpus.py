"""Corpus: documents as columns. Immutable in use; a verb returns a corpus with one column more."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
from numpy.typing import ArrayLike, NDArray

from reweightviz.core import store
from reweightviz.core.columns import (
    Column,
    as_column,
    as_strings,
    check_complete,
    combine_digests,
    digest,
    is_matrix,
    join_rows,
    take_rows,
    to_arrow,
)
from reweightviz.core.errors import (
    DuplicateName,
    MissingColumn,
    ReweightvizError,
    UnknownName,
    UnmetNeed,
    list_names,
)
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.lineage import Lineage
from reweightviz.core.mixture import Mixture
from reweightviz.core.recipes import take_recipe
from reweightviz.core.sources import Source, Sources
from reweightviz.core.types import kind_of

__all__ = ["BYTES", "FORMER", "VERBS", "Corpus", "open_corpus", "open_version"]


BYTES = "utf-8 bytes"
"""What counts tokens where nothing else did."""
FORMER = re.compile(r"former_domain:([0-9]+)")
VERBS = {
    "embedding": "rv.embed",
    "xy": "rv.project",
    "cluster": "rv.cluster",
    "loss": "rv.losses",
    "score": "rv.score",
}
"""Kind of a column to the verb that makes it."""


class Corpus:
    """Documents with an id, a domain, a length and any number of derived columns.

    Args:
        columns: name to (N, ...) values, or to a function that loads them when they are first
            needed. Names are kinds from :data:`reweightviz.core.types.COLUMNS`, with a label
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
        tokenizer: str = BYTES,
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
        self.earlier: tuple[store.Earlier, ...] = ()
        # What this corpus and those made of it last saw where they were opened or saved.
        self._known: dict[Path, store.Known] = {}
        strings = as_strings(self._load("domain"))
        check_complete("domain", strings)
        if not len(strings):
            raise UnmetNeed(
                name="a Corpus", value=None, expected="at least one document", got="none"
            )
        encoded = strings.dictionary_encode().combine_chunks()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.chunk(0)
        present = encoded.dictionary.to_pylist()
        self.domains: tuple[str, ...] = tuple(present if domains is None else domains)
        strangers = set(present) - set(self.domains)
        if strangers:
            raise UnknownName(
                kind="domain of this corpus", name=min(map(str, strangers)), known=self.domains
            )
        code_of = {name: code for code, name in enumerate(self.domains)}
        codes = np.array([code_of[name] for name in present], np.int32)
        self.domain_codes: NDArray[np.int32] = codes[encoded.indices.to_numpy(zero_copy_only=False)]
        for name, value in self._columns.items():
            if not callable(value):
                self._columns[name] = as_column(name, value, len(self))

    # ---- columns

    def __len__(self) -> int:
        return len(self.domain_codes)

    def __contains__(self, name: object) -> bool:
        return name in self._columns or name == "tokens"

    def __repr__(self) -> str:
        counts = f"{len(self):,} documents, {len(self.domains)} domains"
        return f"Corpus({counts}, columns: {', '.join(self.columns)})"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._columns)

    def __getitem__(self, name: str) -> Any:
        if name == "tokens":
            return self.tokens
        if name not in self._columns:
            raise self._missing(name, "this call")
        return self._load(name)

    def _missing(self, name: str, who: str) -> MissingColumn:
        verb = VERBS.get(kind_of(name))
        hint = f"{verb}(corpus) makes it." if verb else ""
        return MissingColumn(column=name, available=self._columns, who=who, hint=hint)

    def _load(self, name: str) -> Column:
        """Return a column, reading it now if it was only promised."""
        value = self._columns[name]
        if callable(value):
            value = value()
            # The domains give the corpus its length, against which all others are checked.
            if name != "domain":
                value = as_column(name, value, len(self))
            self._columns[name] = value
        return value

    def with_column(
        self,
        name: str,
        values: ArrayLike | Callable[[], ArrayLike],
        *,
        recipe: Mapping[str, Any] | None = None,
        **meta: Any,
    ) -> Corpus:
        """Return a corpus with one column more (or replaced); nothing of this one is copied.

        Args:
            name: of the column.
            values: (N, ...), or a function that loads them.
            recipe: how the column was made, in what JSON can hold: ``{"verb": "embed", "options":
                {...}}`` and what else its verb needs to make it of other documents. Without one
                the column is of the caller's own making.
            meta: what else belongs to the column.
        """
        if recipe is not None or self.recipes:
            made = {} if recipe is None else {name: dict(recipe)}
            meta["recipes"] = _without(self.recipes, name) | made
        if name in self.score_figures:
            # What was found of the values that lay there does not hold for others.
            meta.setdefault("score_figures", _without(self.score_figures, name))
        more = Corpus(
            self._columns | {name: values},
            domains=self.domains,
            tokenizer=self.tokenizer,
            meta=self.meta | meta,
            fetch_text=self._fetch_text,
        )
        more._known = self._known
        if name not in store.DOCUMENT:
            more.earlier = self.earlier
        # Columns that stay are hashed once for all corpora that share them.
        more._digests = {known: digest for known, digest in self._digests.items() if known != name}
        return more

    def take(self, rows: ArrayLike) -> Corpus:
        """Return the documents ``rows`` (indices or a boolean mask), with every column."""
        picked = np.asarray(rows)
        if picked.dtype == bool:
            picked = np.flatnonzero(picked)
        picked = picked.astype(np.int64)
        columns = {name: take_rows(self[name], picked) for name in self._columns}
        meta = self.meta
        if self.recipes:
            kept = {name: take_recipe(recipe, picked) for name, recipe in self.recipes.items()}
            meta = meta | {"recipes": kept}
        return Corpus(columns, domains=self.domains, tokenizer=self.tokenizer, meta=meta)

    def append(self, documents: Any) -> Corpus:
        """Return a corpus with more documents behind these, whose columns stay as they are.

        Each column with a recipe is computed for the new documents alone: vectors by the same
        encoder, losses by the same model, clusters by the nearest centre, places on the map among
        those of the nearest neighbours, scores where a document's own depends on no other. A
        column that cannot be computed is taken from ``documents``; where it is not there numbers
        are NaN, with a warning. :meth:`save` then adds the new rows and rewrites none.

        Without a column of ids a document is its row: the new ones get the next rows.

        Args:
            documents: a Corpus, a table (pandas, Arrow, Polars, Hugging Face ``Dataset``), a list
                of mappings, or a mapping of columns. Columns that this corpus lacks are left out.

        Raises:
            ReweightvizError: an id stands twice or is here already, or a column that every
                document needs is not given and no recipe makes it.
        """
        # By name, for a noun imports no verb: columns are made in the rooms above.
        appended: Corpus = import_module("reweightviz.api.append").append(self, documents)
        return appended

    def followed_by(self, columns: Mapping[str, Any], meta: Mapping[str, Any]) -> Corpus:
        """Return these documents and others behind them, of which each column is given.

        Args:
            columns: name of every column to its values (n, ...) of the others.
            meta: what changes of ``meta``.
        """
        joined = {name: join_rows(self[name], columns[name]) for name in self._columns}
        new_domains = dict.fromkeys(as_strings(columns["domain"]).to_pylist())
        more = Corpus(
            joined,
            domains=list(dict.fromkeys([*self.domains, *new_domains])),
            tokenizer=self.tokenizer,
            meta=self.meta | dict(meta),
        )
        there = {name: self.digest(name) for name in store.DOCUMENT if name in self._columns}
        more.earlier = (*self.earlier, store.Earlier(len(self), there))
        more._known = self._known
        return more

    def only(self, kind: str, who: str) -> str:
        """Return the name of the one column of a kind: without a label, or the only one with one.

        Args:
            kind: of :data:`reweightviz.core.types.COLUMNS`.
            who: what needs the column, for the sentence of an error.
        """
        labelled = [name for name in self.columns if kind_of(name) == kind]
        if kind in self.columns or not labelled:
            if kind not in self:
                raise self._missing(kind, who)
            return kind
        if len(labelled) > 1:
            raise ReweightvizError(
                f"{who} needs one column {kind!r}; the corpus has {list_names(labelled)}: "
                f"name one, {kind}={labelled[0]!r}."
            )
        return labelled[0]

    @property
    def recipes(self) -> dict[str, dict[str, Any]]:
        """Derived column to how it was made: the verb, its options, what it was made from.

        ``rows`` of a recipe counts the first documents, on which the column was fitted; those that
        were appended later come after them.
        """
        return dict(self.meta.get("recipes", {}))

    @property
    def score_figures(self) -> dict[str, str]:
        """Score column to how far to believe it, in words; rv.evaluate_scores finds them."""
        return dict(self.meta.get("score_figures", {}))

    # ---- documents

    @cached_property
    def tokens(self) -> NDArray[np.int64]:
        """Length of every document (N,); its UTF-8 bytes without a column of tokens."""
        if "tokens" in self._columns:
            return np.asarray(self._load("tokens"), np.int64)
        lengths = pa.compute.binary_length(self["text"])
        return np.asarray(lengths.to_numpy(), np.int64)

    @cached_property
    def ids(self) -> NDArray[np.object_]:
        """Ids of the documents (N,); their row numbers as text without a column of ids."""
        if "id" in self._columns:
            return np.asarray(self["id"].to_numpy(), object)
        return np.array([str(row) for row in range(len(self))], object)

    def rows(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the rows of the documents with these ids."""
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
        """Return the texts of a few documents."""
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

    @property
    def former_domains(self) -> tuple[str, ...]:
        """Columns of the domains before each split, the latest first."""
        found = filter(None, map(FORMER.fullmatch, self._columns))
        numbers = sorted((int(match[1]) for match in found), reverse=True)
        return tuple(f"former_domain:{number}" for number in numbers)

    @cached_property
    def lineage(self) -> Lineage:
        """The domains in which each domain's tokens lay before the splits."""
        if not self.former_domains:
            return Lineage()
        now = np.array(self.domains, object)[self.domain_codes]
        before = [self[name].to_numpy() for name in self.former_domains]
        return Lineage.of_documents([now, *before], np.asarray(self.tokens, np.float64))

    # ---- out

    def digest(self, *columns: str) -> str:
        """Return a short hash of the named columns' content, the same for the same data."""
        if len(columns) == 1:
            value = self._columns[columns[0]]
            # A column that stayed on disk is not read for what its store tells of it.
            if isinstance(value, store.StoredColumn) and value.digest:
                return value.digest
        return combine_digests(map(self._digest_of, columns))

    def _digest_of(self, name: str) -> bytes:
        if name in self._digests:
            return self._digests[name]
        column = self[name]
        found = digest(column)
        # Text is hashed once, for Arrow is immutable; numbers each time, for the array behind a
        # column is the caller's, who may write to it.
        if isinstance(column, pa.ChunkedArray):
            self._digests[name] = found
        return found

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Commit to a Lance dataset; see :func:`reweightviz.core.store.save`."""
        self.save_version(path, overwrite=overwrite)
        return Path(path)

    def save_version(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> int:
        """Commit to a Lance dataset and return the version that holds it."""
        place = Path(path).resolve()
        known = self._known.get(place)
        version, self._known[place] = store.save(self, path, overwrite=overwrite, known=known)
        return version

    def is_saved_at(self, path: str | os.PathLike[str]) -> bool:
        """Return whether these very documents lie at ``path``; nothing of it is read."""
        return store.has_same_documents(self, path)

    def to_arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return an Arrow table; matrices become fixed-size lists."""
        names = list(columns or self._columns)
        return pa.table({name: to_arrow(self[name]) for name in names})

    def to_pandas(self) -> pd.DataFrame:
        """Return a data frame of the one-dimensional columns."""
        flat = [name for name in self._columns if not is_matrix(self[name])]
        return self.to_arrow(flat).to_pandas()


def _without(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {known: value for known, value in table.items() if known != name}


def open_corpus(path: str | os.PathLike[str]) -> Corpus:
    """Open a corpus that :meth:`Corpus.save` wrote; nothing is recomputed.

    A column is read when it is first needed.
    """
    corpus, known = _open(path, None)
    corpus._known[Path(path).resolve()] = known  # noqa: SLF001
    return corpus


def open_version(path: str | os.PathLike[str], version: int) -> Corpus:
    """Open a corpus as a version of it was; saved to ``path`` again, it replaces what is there.

    Raises:
        ReweightvizError: the version is none of the last 10 nor of the last hour.
    """
    return _open(path, version)[0]


def _open(path: str | os.PathLike[str], version: int | None) -> tuple[Corpus, store.Known]:
    with guard_reading(path, "a saved corpus"):
        stored = store.read(path, version)
        corpus = Corpus(
            stored.columns,
            domains=stored.domains,
            tokenizer=stored.tokenizer,
            meta=stored.meta,
            fetch_text=stored.fetch_text,
        )
    return corpus, stored.known
