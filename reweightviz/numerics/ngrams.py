"""Word n-grams: counted in hashed buckets, or as sets."""

from __future__ import annotations

import functools
import hashlib
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

__all__ = ["count_hashed", "hash_crc", "hash_sha256", "list_ngrams", "split_words"]


_WORDS_AND_MARKS = re.compile(r"\w+|[^\w\s]+")
_WORDS = re.compile(r"\w+")


def split_words(text: str, *, marks: bool = False) -> list[str]:
    """Return the words of a text in lower case, with runs of punctuation where asked.

    >>> split_words("It's on.", marks=True)
    ['it', "'", 's', 'on', '.']
    """
    pattern = _WORDS_AND_MARKS if marks else _WORDS
    return pattern.findall(text.lower())


def list_ngrams(words: Sequence[str], n: int) -> Iterator[str]:
    """Generate every run of n words, joined by blanks.

    >>> list(list_ngrams(["a", "b", "c"], 2))
    ['a b', 'b c']
    """
    return (" ".join(words[start : start + n]) for start in range(len(words) - n + 1))


def count_hashed(
    texts: Sequence[str], n: int, buckets: int, bucket_of: Callable[[str, int], int]
) -> Any:
    """Return counts (N, buckets), sparse, of all runs of 1 to n words and marks."""
    from scipy.sparse import csr_array

    columns: list[int] = []
    ends = [0]
    for text in texts:
        words = split_words(text, marks=True)
        for length in range(1, n + 1):
            columns += [bucket_of(gram, buckets) for gram in list_ngrams(words, length)]
        ends.append(len(columns))
    ones = np.ones(len(columns), np.float64)
    counts = csr_array((ones, columns, ends), shape=(len(texts), buckets))
    counts.sum_duplicates()
    return counts


def hash_crc(gram: str, buckets: int) -> int:
    """Return the bucket of an n-gram by CRC-32, which is fast."""
    return zlib.crc32(gram.encode("utf-8", "replace")) % buckets


@functools.lru_cache(1 << 18)
def hash_sha256(gram: str, buckets: int) -> int:
    """Return the bucket of an n-gram by SHA-256, as the package data-selection has it.

    >>> hash_sha256("alice", 10_000), hash_sha256("alice went", 10_000)
    (6720, 114)
    """
    return int(hashlib.sha256(gram.encode("utf-8", "replace")).hexdigest(), 16) % buckets
