"""What documents are scored for: texts, a selection, a corpus or one query, by tasks or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.columns import as_strings, combine_digests, digest
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import InvalidArgument, UnmetNeed
from reweightviz.core.selection import Selection, find_rows
from reweightviz.core.types import kind_of
from reweightviz.features.embed import embed_texts
from reweightviz.features.gradients import text_gradients

__all__ = ["QUERIES", "Target", "make_query", "read_target"]


QUERIES = {"query_embedding": "embedding", "query_gradient": "gradient"}
"""What is asked of the target, to the kind of the corpus' column that it is beside."""


@dataclass(frozen=True, eq=False)
class Target:
    """Q documents that others are scored for.

    Attributes:
        texts: (Q,).
        groups: (Q,) number of the task of each, None without tasks.
        rows: (Q,) their rows in the corpus, None where they are no part of it.
    """

    texts: list[str]
    groups: NDArray[np.int64] | None = None
    rows: NDArray[np.int64] | None = None

    @property
    def digest(self) -> str:
        """A short hash of the texts."""
        return combine_digests([digest(as_strings(self.texts))])


def read_target(target: Any, corpus: Corpus) -> Target:
    """Return the target's documents.

    Args:
        target: a corpus, a selection of ``corpus``, texts, one text, or a mapping of the name of a
            task to any of these.
        corpus: that is scored.

    Raises:
        ReweightvizError: something else came, or a target without a document.
    """
    if isinstance(target, Mapping):
        parts = [read_target(part, corpus) for part in target.values()]
        counts = [len(part.texts) for part in parts]
        texts = [text for part in parts for text in part.texts]
        return Target(texts, np.repeat(np.arange(len(parts)), counts))
    if isinstance(target, Selection):
        rows = find_rows(target, corpus)
        found = Target(corpus.text(rows), rows=rows)
    elif isinstance(target, Corpus):
        found = Target(target.text(np.arange(len(target))))
    elif isinstance(target, str):
        found = Target([target])
    elif isinstance(target, Iterable):
        found = Target(list(target))
    else:
        found = Target([])
    if not found.texts or not all(isinstance(text, str) for text in found.texts):
        raise InvalidArgument(
            name="target",
            value=target,
            expected="a corpus, a selection, texts or one text, of at least one document",
            got=type(target).__name__,
        )
    return found


def make_query(corpus: Corpus, column: str, target: Target, who: str) -> NDArray[Any]:
    """Return of the target what a column of the corpus holds of its documents, (Q, D).

    Raises:
        ReweightvizError: nobody knows how the column was made.
    """
    if target.rows is not None:
        return np.asarray(corpus[column])[target.rows]
    recipe = corpus.recipes.get(column, {})
    name = next(query for query, kind in QUERIES.items() if kind == kind_of(column))
    if not recipe.get("model"):
        raise UnmetNeed(
            name=who,
            value=column,
            expected=f"{name}=, made of the target's texts as the column {column!r} was made of "
            "the corpus'",
            got="a column without a recipe",
        )
    if recipe["verb"] == "embed":
        return embed_texts(target.texts, corpus, recipe)
    # The documents alone are preconditioned by Adam, where they are: the target stays plain.
    return text_gradients(target.texts, recipe["model"], **recipe["options"])
