"""score: the worth of every document."""

from __future__ import annotations

import numpy as np

from reweightviz.core.corpus import Corpus
from reweightviz.core.protocols import Scorer, check_method, needs

__all__ = ["score"]


def score(corpus: Corpus, scorer: Scorer) -> Corpus:
    """Add ``score:<scorer>`` (N,), higher is better, from the columns that the scorer names."""
    check_method(scorer, Scorer, "rv.score", "rv.scorers.Loss()")
    who = type(scorer).__name__
    columns = {kind: corpus[corpus.only(kind, who)] for kind in needs(scorer.score)}
    values = np.asarray(scorer.score(**columns), np.float64)
    if not scorer.higher_is_better:
        values = -values
    return corpus.with_column(f"score:{who.lower()}", values)
