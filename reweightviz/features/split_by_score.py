"""split_by_score: quality buckets of every domain become domains of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import DuplicateName
from reweightviz.core.types import Array
from reweightviz.core.validation import whole_number
from reweightviz.features.split_domain import move_documents

__all__ = ["split_by_score"]


def split_by_score(corpus: Corpus, score: str | None = None, *, buckets: int = 3) -> Corpus:
    """Split every domain into buckets of like score and like many tokens: ``web/1`` to ``web/3``.

    The last bucket has the best documents, those without a score are in the first. A domain of
    fewer documents than buckets has fewer. A law of the former domains still predicts.

    Args:
        corpus: documents with a score.
        score: name of the column; the only score when not given.
        buckets: of each domain.

    Raises:
        ReweightvizError: a domain has such a name already.

    Example:
        >>> corpus = Corpus({"text": ["aa", "bb"], "domain": ["web", "web"]})
        >>> corpus = corpus.with_column("score:x", [1.0, 3.0])
        >>> split_by_score(corpus, buckets=2).domains
        ('web/1', 'web/2')
    """
    count = whole_number("buckets", buckets, 2)
    values = np.asarray(corpus[score or corpus.only("score", "rv.split_by_score")], np.float64)
    numbers = np.zeros(len(corpus), np.int64)
    for code in range(len(corpus.domains)):
        rows = np.flatnonzero(corpus.domain_codes == code)
        numbers[rows] = _place(values[rows], np.asarray(corpus.tokens)[rows], count)
    names = [f"{name}/{n}" for name in corpus.domains for n in range(1, count + 1)]
    place = corpus.domain_codes * count + numbers
    # A name means one set of documents through all splits, or the lineage would mix two.
    before = {name for column in corpus.former_domains for name in corpus[column].to_pylist()}
    taken = set(names) & (before | set(corpus.domains))
    if taken:
        raise DuplicateName(kind="domain", names=sorted(taken)[:1], where="this corpus")
    there = [names[number] for number in np.unique(place)]
    return move_documents(corpus, np.array(names, object)[place], there)


def _place(score: Array, tokens: NDArray[np.int64], buckets: int) -> NDArray[np.int64]:
    """Return the bucket (n,) of documents, each with about as many tokens, the best in the last."""
    order = np.argsort(np.where(np.isfinite(score), score, -np.inf), kind="stable")
    middle = np.cumsum(tokens[order]) - tokens[order] / 2
    found = np.zeros(len(order), np.int64)
    found[order] = middle * buckets // max(int(tokens.sum()), 1)
    return found.clip(0, buckets - 1)
