"""duplicates: how often each document is in the corpus, word for word, nearly, or in meaning.

In meaning: by cosine, as Amro Abbas et al., "SemDeDup: Data-efficient learning at web-scale through
semantic deduplication", 2023, https://arxiv.org/abs/2303.09540, within clusters; here over all.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.cache import compute_once
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import InvalidValue, UnknownName
from reweightviz.features._vectors import as_embedding, unit_rows
from reweightviz.numerics.minhash import group_alike, hash_ngrams, join_groups
from reweightviz.numerics.ngrams import split_words

__all__ = ["WAYS", "duplicates"]


WAYS = ("exact", "minhash", "semantic")
"""What makes two documents copies of each other."""
BANDS = 32
ROWS = 4
"""Of the signature: a pair that overlaps by 0.8 is missed once in ten million."""
BLOCK = 1024
"""Rows whose cosines with all others are held at once."""


def duplicates(
    corpus: Corpus,
    how: str = "exact",
    *,
    threshold: float | None = None,
    n: int = 5,
    seed: int = 0,
    embedding: str = "embedding",
) -> Corpus:
    """Add column ``copies`` (N,): how often each document is in the corpus, itself included.

    That of another way than "exact" is ``copies:<how>``. Copies of copies are one group.

    Args:
        corpus: documents.
        how: "exact" takes texts of the same words for copies, whatever their case, blanks and
            marks; texts without any word must be equal. "minhash" those whose runs of n words
            overlap; "semantic" those of nearby embeddings, N * N cosines in blocks.
        threshold: least Jaccard overlap, 0.8 when not given, or cosine, 0.95.
        n: words of a run.
        seed: of the hashes.
        embedding: which embedding column.
    """
    if how not in WAYS:
        raise UnknownName(kind="way of rv.duplicates", name=str(how), known=WAYS)
    least = threshold
    if least is None:
        least = 0.95 if how == "semantic" else 0.8
    if not 0 < least <= 1:
        raise InvalidValue(name="threshold", value=threshold, expected="above 0, at most 1")
    if n < 1:
        raise InvalidValue(name="n", value=n, expected="at least 1 word")
    source = embedding if how == "semantic" else "text"
    key = (corpus.digest(source), how, least, n, seed)
    found = compute_once("copies", key, lambda: _count(corpus, how, least, n, seed, embedding))
    name = "copies" if how == "exact" else f"copies:{how}"
    options = {"how": how, "threshold": least, "n": n, "seed": seed}
    recipe = {"verb": "duplicates", "from": [source], "options": options}
    return corpus.with_column(name, found["copies"], recipe=recipe)


def _count(
    corpus: Corpus, how: str, threshold: float, n: int, seed: int, embedding: str
) -> dict[str, NDArray[np.generic]]:
    if how == "semantic":
        group = _group_near(as_embedding(corpus[embedding], len(corpus)), threshold)
    else:
        texts = corpus.text(np.arange(len(corpus)))
        if how == "exact":
            digests = [hashlib.sha256(_normalise(text)).digest() for text in texts]
            group = np.unique(np.array(digests, "V32").view("S32"), return_inverse=True)[1].ravel()
        else:
            sets = [hash_ngrams(text, n) for text in texts]
            group = group_alike(sets, threshold, BANDS, ROWS, seed)
    copies = np.bincount(group, minlength=1)[group].astype(np.int64)
    return {"copies": copies}


def _normalise(text: str) -> bytes:
    return (" ".join(split_words(text)) or text).encode("utf-8", "replace")


def _group_near(vectors: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    unit = unit_rows(vectors)
    pairs = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(unit), BLOCK):
        near = np.argwhere(unit[start : start + BLOCK] @ unit[start:].T >= threshold - 1e-6)
        pairs.append(near[near[:, 0] < near[:, 1]] + start)
    return join_groups(len(unit), np.concatenate(pairs))
