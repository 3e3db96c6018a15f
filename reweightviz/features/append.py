"""append: more documents, each derived column computed for them alone and put behind the old."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from reweightviz.core.columns import as_column, as_strings
from reweightviz.core.corpus import BYTES, Corpus
from reweightviz.core.errors import (
    DuplicateName,
    InvalidArgument,
    MissingColumn,
    ReweightvizError,
    list_names,
    warn,
)
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.protocols import Scorer
from reweightviz.core.recipes import is_alike
from reweightviz.core.store import DOCUMENT
from reweightviz.core.types import kind_of
from reweightviz.features.distil import apply_head
from reweightviz.features.follow_recipe import FROM_TEXT, follow_recipe
from reweightviz.features.score import Supply, tell_missing
from reweightviz.features.target import Target
from reweightviz.numerics.nearest import nearest_rows, weighted_places

__all__ = ["CountTokens", "FindScorer", "append"]


CountTokens = Callable[[Sequence[str], str], NDArray[np.int64]]
"""Texts and the name of a tokenizer to their lengths (n,)."""
FindScorer = Callable[[str], Scorer | None]
"""The representation of a scorer to itself, None where it is none of ours."""
NEEDED = ("embedding", "xy", "cluster", "copies")
"""Kinds of which no document may lack its value."""
PLACED_BY = 5
"""Neighbours that place a document on the map: the mean of more lies between the groups. Of new
documents of the demo's map 81 % of the nearest have their domain with 5, 77 % with 15."""
SUMS = ("skipped_lines", "zero_token_documents")


def append(
    corpus: Corpus, documents: Any, *, count_tokens: CountTokens, find_scorer: FindScorer
) -> Corpus:
    """Return the corpus with documents behind its own; see :meth:`Corpus.append`.

    Args:
        corpus: whose columns and recipes count.
        documents: what came.
        count_tokens: counts with a tokenizer that has a name.
        find_scorer: makes a scorer of its representation.
    """
    given = _read_documents(documents)
    new = _Appended(corpus, given)
    new.add("domain", given["domain"])
    new.add_ids()
    new.add_lengths(count_tokens)
    new.add_former_domains()
    new.add_derived(find_scorer)
    return corpus.followed_by(new.columns, new.meta())


def _read_documents(documents: Any) -> Corpus:
    """Return documents of any kind of table as a corpus."""
    if isinstance(documents, Corpus):
        return documents
    with guard_reading("the documents to append"):
        return Corpus(_read_columns(documents))


def _read_columns(documents: Any) -> dict[str, Any]:
    if isinstance(documents, Mapping):
        return dict(documents)
    # Known by their methods, so that neither datasets nor Polars has to be installed.
    if hasattr(documents, "with_format"):
        table = documents.with_format("arrow")[:]
    elif isinstance(documents, pd.DataFrame):
        table = pa.Table.from_pandas(documents, preserve_index=False)
    elif hasattr(documents, "__arrow_c_stream__"):
        table = pa.table(documents)
    elif isinstance(documents, Sequence) and all(isinstance(row, Mapping) for row in documents):
        table = pa.Table.from_pylist(list(map(dict, documents)))
    else:
        raise InvalidArgument(
            name="corpus.append",
            value=documents,
            expected="a Corpus, a table, a list of mappings or a mapping of columns",
            got=type(documents).__name__,
        )
    return {name: _read_column(table.column(name)) for name in table.column_names}


def _read_column(column: pa.ChunkedArray) -> Any:
    """Return lists of one length as an array (N, D), text as it is, other values as an array."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = pc.unique(pc.list_value_length(column)).to_pylist()
        if len(lengths) != 1:
            return column
        return pc.list_flatten(column).to_numpy().reshape(len(column), lengths[0])
    return column.to_numpy()


class _Appended:
    """The columns of the new documents, as they come.

    Args:
        corpus: N documents, of whose columns the new ones must have each.
        given: the n new documents.
        columns: those that are there by now.
    """

    def __init__(self, corpus: Corpus, given: Corpus) -> None:
        self.corpus = corpus
        self.given = given
        self.columns: dict[str, Any] = {}
        self._missing: dict[str, int] = {}
        self._reasons: list[str] = []
        if "text" in corpus.columns:
            self.add("text", self._take("text"))

    def add(self, name: str, values: Any) -> None:
        """Add a column (n, ...), checked as every column is."""
        self.columns[name] = as_column(name, values, len(self.given))

    def meta(self) -> dict[str, Any]:
        """Return what changes of the corpus' meta."""
        meta: dict[str, Any] = {}
        old = self.corpus.meta
        new = self.given.meta
        for name in set(SUMS) & set(old):
            meta[name] = old[name] + new.get(name, 0)
        if "read_from" in old:
            meta["read_from"] = [*old["read_from"], *new.get("read_from", [])]
        recipes = self.corpus.recipes
        figures = self.corpus.score_figures
        for name, count in self._missing.items():
            if name in recipes:
                total = recipes[name].get("missing", 0) + count
                recipes[name] = recipes[name] | {"missing": total}
                if recipes[name]["verb"] == "score":
                    everyone = len(self.corpus) + len(self.given)
                    figures = tell_missing(figures, name, total, everyone)
        if recipes:
            meta |= {"recipes": recipes, "score_figures": figures}
        return meta

    # ---- what makes a document

    def _take(self, name: str) -> Any:
        if name not in self.given.columns:
            raise MissingColumn(
                column=name, available=self.given.columns, who="every document to append"
            )
        return self.given[name]

    def add_ids(self) -> None:
        """Add ids, of which none stands twice."""
        if "id" not in self.corpus.columns:
            return
        ids = as_strings(self._take("id"))
        self.add("id", ids)
        both = pd.Index(self.corpus.ids).append(pd.Index(ids.to_numpy()))
        repeated = both[len(self.corpus) :][both.duplicated()[len(self.corpus) :]]
        if len(repeated):
            raise DuplicateName(
                kind="id", names=repeated[:4], where="a corpus and the documents to append"
            )

    def add_lengths(self, count_tokens: CountTokens) -> None:
        """Add lengths in tokens, counted by what counted those that are there."""
        corpus = self.corpus
        if "tokens" not in corpus.columns:
            return
        recipe = corpus.recipes.get("tokens")
        is_counted = "tokens" in self.given.columns
        # A table says nothing of its tokenizer: what it holds is taken for the corpus' own.
        if is_counted and self.given.tokenizer in (corpus.tokenizer, BYTES):
            self.add("tokens", self.given["tokens"])
        elif recipe is not None:
            texts = self.given.text(np.arange(len(self.given)))
            self.add("tokens", count_tokens(texts, recipe["tokenizer"]))
        else:
            raise ReweightvizError(
                f"the documents to append need column 'tokens', counted by {corpus.tokenizer!r} "
                "as the others were."
            )

    def add_former_domains(self) -> None:
        """Add where the documents lay before the splits: where they lie, unless it is given."""
        moved = set(self.corpus.lineage.former) & set(self.given.domains)
        for name in self.corpus.former_domains:
            if name in self.given.columns:
                self.add(name, self.given[name])
            elif moved:
                raise ReweightvizError(
                    f"a split made the domain {min(moved)!r}, so its documents need column "
                    f"{name!r}, the domain that they lay in before."
                )
            else:
                self.add(name, self.given["domain"])

    # ---- derived columns

    def add_derived(self, find_scorer: FindScorer) -> None:
        """Add every other column of the corpus, those first of which others are made."""
        rest = [name for name in self.corpus.columns if name not in self.columns]
        while rest:
            waiting = set(rest)
            ready = [name for name in rest if not waiting & set(self._sources(name)) - {name}]
            # Columns that are made of each other cannot be, so all are tried.
            for name in ready or rest:
                self._add_one(name, find_scorer)
            rest = [name for name in rest if name not in self.columns and name not in self._missing]
        self._tell_missing()

    def _sources(self, name: str) -> Sequence[str]:
        return list(self.corpus.recipes.get(name, {}).get("from", []))

    def _add_one(self, name: str, find_scorer: FindScorer) -> None:
        recipe = self.corpus.recipes.get(name)
        values = None
        if self._is_given(name, recipe):
            values = self.given[name]
        elif recipe is not None:
            values = self._try_to_compute(name, recipe, find_scorer)
        if values is None:
            self._leave_out(name)
        else:
            self.add(name, values)
            self._count_missing(name)

    def _is_given(self, name: str, recipe: Mapping[str, Any] | None) -> bool:
        if name not in self.given.columns:
            return False
        # What was made of the text alone is the same in every corpus.
        is_own = recipe is not None and recipe["verb"] in FROM_TEXT
        return recipe is None or (is_own and is_alike(self.given.recipes.get(name), recipe))

    def _try_to_compute(self, name: str, recipe: Mapping[str, Any], find_scorer: FindScorer) -> Any:
        try:
            return self._compute(name, recipe, find_scorer)
        except ReweightvizError as error:
            # What made it is gone or another by now.
            if kind_of(name) in NEEDED:
                raise
            self._reasons.append(str(error))
        return None

    def _compute(self, name: str, recipe: Mapping[str, Any], find_scorer: FindScorer) -> Any:
        verb = recipe["verb"]
        if verb in FROM_TEXT:
            return follow_recipe(self.corpus, name, self.given.text(np.arange(len(self.given))))
        if not set(self._sources(name)) <= {*self.columns, *DOCUMENT}:
            return None
        makers: dict[str, Callable[[], Any]] = {
            "cluster": lambda: self._find_cluster(name, recipe),
            "distil": lambda: apply_head(recipe, self.columns[recipe["from"][0]]),
            "project": lambda: self._find_place(name, recipe),
            "score": lambda: self._score(recipe, find_scorer(recipe["scorer"])),
        }
        return makers.get(verb, lambda: None)()

    def _find_cluster(self, name: str, recipe: Mapping[str, Any]) -> NDArray[Any]:
        """Return the cluster whose documents' mean is nearest."""
        (embedding,) = recipe["from"]
        first = recipe.get("rows", len(self.corpus))
        vectors = np.asarray(self.corpus[embedding], np.float64)[:first]
        labels = np.asarray(self.corpus[name])[:first]
        known, codes = np.unique(labels, return_inverse=True)
        sums = np.zeros((len(known), vectors.shape[1]))
        np.add.at(sums, codes, vectors)
        means = sums / np.bincount(codes)[:, None]
        near, _ = nearest_rows(self.columns[embedding], means, 1)
        return np.asarray(known[near[:, 0]])

    def _find_place(self, name: str, recipe: Mapping[str, Any]) -> NDArray[Any]:
        """Return the places on the map that is there."""
        (embedding,) = recipe["from"]
        first = recipe.get("rows", len(self.corpus))
        return weighted_places(
            self.columns[embedding],
            self.corpus[embedding][:first],
            self.corpus[name][:first],
            PLACED_BY,
        )

    def _score(self, recipe: Mapping[str, Any], scorer: Scorer | None) -> Any:
        """Return the scores of a scorer that sees one document at a time, None of any other."""
        if scorer is None or recipe["given"] or not getattr(scorer, "row_by_row", False):
            return None
        target = None
        if recipe["target"] is not None:
            target = Target.of_record(self.corpus, recipe["target"])
            if target is None:
                return None
        names = {*recipe["from"], "text", "domain", "tokens"} & set(self.columns)
        small = Corpus(
            {name: self.columns[name] for name in names}, tokenizer=self.corpus.tokenizer
        )
        return Supply(small, scorer, target, recipe["columns"], recipe["seed"]).score()

    def _leave_out(self, name: str) -> None:
        n = len(self.given)
        self._missing[name] = n
        old = self.corpus[name]
        is_number = isinstance(old, np.ndarray) and old.dtype.kind == "f"
        if is_number and kind_of(name) not in NEEDED:
            self.columns[name] = np.full((n, *old.shape[1:]), np.nan, old.dtype)

    def _count_missing(self, name: str) -> None:
        values = self.columns[name]
        if isinstance(values, np.ndarray) and values.dtype.kind == "f" and values.ndim == 1:
            count = int(np.isnan(values).sum())
            if count:
                self._missing[name] = count

    def _tell_missing(self) -> None:
        refused = [name for name in self._missing if name not in self.columns]
        if refused:
            raise ReweightvizError(
                f"the documents to append need {list_names(refused)}, which no recipe makes: "
                "give them as columns."
            )
        n = len(self.given)
        absent = [name for name, count in self._missing.items() if count == n]
        if absent:
            warn(
                f"the {n:,} documents appended have no value of {list_names(absent)}, which no "
                f"recipe makes of them: it is NaN. {' '.join(self._reasons)}".rstrip()
            )
