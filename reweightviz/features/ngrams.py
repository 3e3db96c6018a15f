"""ngrams: hashed words and word pairs, TF-IDF, truncated SVD; fitted once, then for any text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from reweightviz.core.cache import Arrays
from reweightviz.core.errors import MissingPackage
from reweightviz.features._vectors import Matrix
from reweightviz.numerics.threads import one_thread

__all__ = ["apply_ngrams", "count_ngrams", "fit_ngrams"]


HASHES = 2**16
"""Columns to which words and word pairs are hashed."""


def count_ngrams(chunks: Iterable[list[str]]) -> Any:
    """Return how often each hashed word and word pair is in each text: sparse (N, 2 ** 16)."""
    try:
        from scipy.sparse import vstack
        from sklearn.feature_extraction.text import HashingVectorizer
    except ImportError:
        raise _missing() from None
    hasher = HashingVectorizer(
        n_features=HASHES,
        ngram_range=(1, 2),
        token_pattern=r"\w+|[^\w\s]",
        alternate_sign=False,
        norm=None,
        dtype=np.float32,
    )
    return vstack([hasher.transform(texts) for texts in chunks], "csr")


def fit_ngrams(counts: Any, dimensions: int, seed: int) -> Arrays:
    """Return what makes vectors of counts (N, F): ``idf`` (F,), ``used`` (U,), ``axes`` (D, U).

    The axes lie in the U columns that the N texts use. With fewer than two texts there is none.
    """
    try:
        from sklearn.decomposition import TruncatedSVD
    except ImportError:
        raise _missing() from None
    N = counts.shape[0]
    found = np.bincount(counts.indices, minlength=HASHES)
    # As scikit-learn's TfidfTransformer: smooth, as if one more text had every word.
    idf = np.log((N + 1) / (found + 1).astype(np.float32)) + 1
    used = np.flatnonzero(found)
    wanted = min(dimensions, N - 1)
    axes = np.zeros((0, len(used)), np.float32)
    if wanted >= 1:
        # Another number of threads rounds otherwise, and axes of noise turn by what is rounded.
        fit = one_thread(TruncatedSVD(wanted, n_iter=3, random_state=seed).fit)
        axes = fit(_weigh(counts, idf)).components_[:, used]
    return {"idf": idf, "used": used, "axes": np.ascontiguousarray(axes, np.float32)}


def apply_ngrams(fitted: Arrays, counts: Any) -> Matrix:
    """Return vectors (n, D) of counts (n, F); each depends on its own text alone."""
    axes = fitted["axes"]
    if not len(axes):
        return np.ones((counts.shape[0], 1), np.float32)
    spread = np.zeros((HASHES, len(axes)), np.float32)
    spread[fitted["used"]] = axes.T
    return np.asarray(_weigh(counts, fitted["idf"]) @ spread, np.float32)


def _missing() -> MissingPackage:
    return MissingPackage(package="scikit-learn", extra="features", who="rv.embed")


def _weigh(counts: Any, idf: Any) -> Any:
    """Return counts as TF-IDF with 1 + log of the count, every row of length 1."""
    from sklearn.preprocessing import normalize

    weighted = counts.copy()
    weighted.data = (1 + np.log(weighted.data)) * idf[weighted.indices]
    return normalize(weighted, copy=False)
