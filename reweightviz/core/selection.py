"""Selection: which documents, with which weight, in which order, and how they were chosen.

A document without an id of its own is known by its row, and a row is there in every corpus. A
selection of such documents says in ``how["corpus"]`` whose rows they are, by a digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError

__all__ = ["ORIGIN", "Selection", "check_origin", "find_rows", "tell_origin"]


ORIGIN = "corpus"
"""Key of ``how``: the digest of the documents whose rows were selected."""


@dataclass(frozen=True, eq=False)
class Selection:
    """Documents chosen from a corpus.

    Args:
        rows: (n,) int64, in pick order, unique.
        ids: (n,) the documents' ids, the only thing that leaves.
        how: the method and its parameters.
        weight: (n,) weights, or None when all count the same.
    """

    rows: NDArray[np.int64]
    ids: NDArray[np.object_]
    how: Mapping[str, Any] = field(default_factory=dict)
    weight: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Selection({len(self):,} documents, {dict(self.how)})"


def tell_origin(corpus: Corpus) -> dict[str, str]:
    """Return what ``how`` must say of a corpus: its digest, or nothing where it has ids."""
    if "id" in corpus.columns:
        return {}
    return {ORIGIN: _digest(corpus)}


def check_origin(how: Mapping[str, Any], corpus: Corpus) -> None:
    """Refuse a selection of rows whose documents are not those of this corpus.

    Raises:
        ReweightvizError: the texts differ.
    """
    if how.get(ORIGIN, "") not in ("", _digest(corpus)):
        raise ReweightvizError(
            "the selection holds rows of another corpus, whose documents have no ids: "
            "pass the corpus that it was made from."
        )


def find_rows(selection: Selection, corpus: Corpus) -> NDArray[np.int64]:
    """Return the rows (n,) in a corpus of the selected documents.

    Raises:
        ReweightvizError: the selection holds rows of another corpus, or a document that this one
            has not.
    """
    check_origin(selection.how, corpus)
    rows = selection.rows
    ids = [str(name) for name in selection.ids]
    # A corpus whose ids stand twice has no other way to tell which was meant.
    is_within = bool(np.all((rows >= 0) & (rows < len(corpus))))
    if is_within and [str(name) for name in corpus.ids[rows]] == ids:
        return rows
    return corpus.rows(ids)


def _digest(corpus: Corpus) -> str:
    # The texts alone: a split or a merge of domains leaves them as they are.
    text = next(name for name in ("text", "tokens", "domain") if name in corpus.columns)
    return corpus.digest(text)
