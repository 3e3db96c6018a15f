"""Near duplicates by MinHash: signatures, bands, and groups whose overlap was checked.

Andrei Z. Broder, "On the resemblance and containment of documents", SEQUENCES 1997,
https://doi.org/10.1109/SEQUEN.1997.666900. Memory grows with the words, never with pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reweightviz.numerics.ngrams import hash_crc, list_ngrams, split_words

__all__ = ["group_alike", "hash_ngrams", "jaccard", "join_groups"]


def hash_ngrams(text: str, n: int) -> NDArray[np.uint64]:
    """Return the distinct hashes, sorted, of a text's runs of n words; of all, where it has fewer.

    >>> len(hash_ngrams("a b c a b c", 2))
    3
    """
    words = split_words(text)
    grams = list_ngrams(words, min(n, max(len(words), 1)))
    return np.unique(np.array([hash_crc(gram, 1 << 32) for gram in grams], "u8"))


def jaccard(a: NDArray[np.uint64], b: NDArray[np.uint64]) -> float:
    """Return the share of two sets' members that both have; of two empty sets 1."""
    both = len(np.intersect1d(a, b, assume_unique=True))
    return both / max(len(a) + len(b) - both, 1) if len(a) or len(b) else 1.0


def group_alike(
    sets: Sequence[NDArray[np.uint64]], threshold: float, bands: int, rows: int, seed: int
) -> NDArray[np.int64]:
    """Return groups (N,), each the lowest row of it, of sets that overlap by the threshold.

    Two sets that share a band of the signature are compared in full, so no pair is joined by
    chance; one whose bands all differ is missed, with chance ``(1 - J ** rows) ** bands``.
    """
    parents = np.arange(len(sets))
    signatures = _sign(sets, bands * rows, seed)
    for band in np.split(signatures, bands, axis=1):
        _, codes = np.unique(band, axis=0, return_inverse=True)
        order = np.argsort(codes.ravel(), kind="stable")
        cuts = np.flatnonzero(np.diff(codes.ravel()[order])) + 1
        for bucket in np.split(order, cuts):
            if len(bucket) > 1:
                _join_bucket(sets, bucket, threshold, parents)
    return np.array([_find(parents, row) for row in range(len(sets))], np.int64)


def join_groups(N: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return groups (N,), each the lowest row of it, that pairs (P, 2) connect.

    >>> join_groups(4, np.array([[1, 3]])).tolist()
    [0, 1, 2, 1]
    """
    parents = np.arange(N)
    for one, other in pairs.tolist():
        _join(parents, one, other)
    return np.array([_find(parents, row) for row in range(N)], np.int64)


def _sign(sets: Sequence[NDArray[np.uint64]], count: int, seed: int) -> NDArray[np.uint64]:
    """Return the least of each hash function's values, (N, count)."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, 2**63, count, np.uint64) * np.uint64(2) + np.uint64(1)
    shifts = rng.integers(0, 2**63, count, np.uint64)
    signatures = np.full((len(sets), count), np.iinfo(np.uint64).max)
    for row, members in enumerate(sets):
        for part in np.array_split(members, len(members) // 4096 + 1):
            if len(part):
                # The upper half of the product is the better mixed one.
                values = (part[:, None] * factors + shifts) >> np.uint64(32)
                signatures[row] = np.minimum(signatures[row], values.min(0))
    return signatures


def _join_bucket(
    sets: Sequence[NDArray[np.uint64]],
    bucket: NDArray[np.int64],
    threshold: float,
    parents: NDArray[np.int64],
) -> None:
    """Join all pairs of a bucket that overlap; those of one group need no look."""
    for place, row in enumerate(bucket.tolist()):
        for other in bucket[:place].tolist():
            is_joined = _find(parents, row) == _find(parents, other)
            if not is_joined and jaccard(sets[row], sets[other]) >= threshold:
                _join(parents, row, other)


def _join(parents: NDArray[np.int64], one: int, other: int) -> None:
    roots = sorted((_find(parents, one), _find(parents, other)))
    parents[roots[1]] = roots[0]


def _find(parents: NDArray[np.int64], row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = int(parents[row])
    return row
