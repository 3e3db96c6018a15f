"""DSIR: a document is worth more when its words are more frequent in the target than here.

Sang Michael Xie et al., "Data Selection for Language Models via Importance Resampling", NeurIPS
2023, https://arxiv.org/abs/2302.03169.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reweightviz.core.types import Array
from reweightviz.numerics.ngrams import count_hashed, hash_crc, hash_sha256, split_words

__all__ = ["DSIR"]


@dataclass(frozen=True)
class DSIR:
    """Log importance weight of a document: bags of hashed n-grams, of the target over the corpus.

    It grows with the document's length, by design; short documents win by chance, so those with
    fewer than ``fewest`` words have NaN. The authors draw by these weights (Gumbel top-k).

    Args:
        n: longest n-gram, in words and marks.
        buckets: of the hash.
        fewest: words and marks of a document that has a score.
        sha256: hash as the authors' package, for equal numbers; CRC-32 is faster.

    Example:
        >>> text = ["the cat sat " * 40, "for x in range " * 40]
        >>> scores = DSIR().score(text=text, target_text=["a cat sat by the cat"])
        >>> bool(scores[0] > scores[1])
        True
    """

    n: int = 2
    buckets: int = 10_000
    fewest: int = 100
    sha256: bool = False

    higher_is_better: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2302.03169"
    verified: ClassVar[str] = "not verified against the paper"

    def score(self, *, text: Sequence[str], target_text: Sequence[str]) -> Array:
        """Return log weights (N,) in nats.

        Args:
            text: (N,) documents; the corpus' own frequencies are theirs.
            target_text: (Q,) of the target.
        """
        bucket_of = hash_sha256 if self.sha256 else hash_crc
        counts = count_hashed(text, self.n, self.buckets, bucket_of)
        aims = count_hashed(target_text, self.n, self.buckets, bucket_of)
        # The constant is the authors': a bucket that one side lacks has a finite ratio.
        ratio = np.log(_share(aims) + 1e-8) - np.log(_share(counts) + 1e-8)
        lengths = np.array([len(split_words(one, marks=True)) for one in text])
        return np.where(lengths >= self.fewest, counts @ ratio, np.nan)


def _share(counts: Any) -> Array:
    total: Array = np.asarray(counts.sum(0), np.float64).ravel()
    return total / max(float(total.sum()), 1.0)
