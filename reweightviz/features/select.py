"""select: the documents that a selector takes by their score."""

from __future__ import annotations

import numpy as np

from reweightviz.core.corpus import Corpus
from reweightviz.core.protocols import Selector, check_method
from reweightviz.core.selection import Selection, tell_origin

__all__ = ["select"]


def select(corpus: Corpus, selector: Selector, *, k: int, score: str | None = None) -> Selection:
    """Choose ``k`` documents by a score column (the only one, or the one named)."""
    check_method(selector, Selector, "rv.select", "rv.selectors.TopK()")
    name = score or corpus.only("score", type(selector).__name__)
    rows = np.asarray(selector.select(score=corpus[name], k=k), np.int64)
    how = {"selector": repr(selector), "score": name, "k": k} | tell_origin(corpus)
    return Selection(rows, corpus.ids[rows], how)
