"""A corpus cut into sequences once, so that many runs share it."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.training.domain_stream import domain_blocks, held_out_rows

EVALUATED = 48  # held-out sequences a domain
PARTS = ("held_out", "validation", "test")
Blocks = list[NDArray[np.uint8]]


class ProxyData:
    """Training and held-out sequences of each domain, (n_k, context + 1) bytes.

    The held-out documents of every domain are dealt in turn, in the order of a hash of their ids,
    to two halves that share no document: ``validation`` is what a mixer may look at while it
    trains, ``test`` is for the comparison afterwards.

    Args:
        corpus: documents.
        context: bytes a sequence predicts.
    """

    def __init__(self, corpus: Corpus, context: int) -> None:
        self._corpus, self._length, self.context = corpus, context + 1, context
        self._rows = held_out_rows(corpus)
        self.domains = corpus.domains
        self.tokens = corpus.sources.tokens
        self.documents = np.array(
            [corpus.sources[name].documents for name in corpus.domains], np.float64
        )
        self.training = domain_blocks(corpus, ~self._rows, self._length)
        self.held_out = spread(domain_blocks(corpus, self._rows, self._length), EVALUATED)

    @cached_property
    def validation(self) -> Blocks:
        """All held-out sequences that a mixer may look at."""
        return domain_blocks(self._corpus, self._half(0), self._length)

    @cached_property
    def test(self) -> Blocks:
        """Held-out sequences that no mixer looks at."""
        return spread(domain_blocks(self._corpus, self._half(1), self._length), EVALUATED)

    def _half(self, which: int) -> NDArray[np.bool_]:
        chosen = np.zeros(len(self._rows), bool)
        for code in range(len(self.domains)):
            rows = np.flatnonzero(self._rows & (self._corpus.domain_codes == code))
            marks = [
                hashlib.blake2b(f"half {self._corpus.ids[row]}".encode(), digest_size=8).digest()
                for row in rows
            ]
            chosen[rows[sorted(range(len(rows)), key=marks.__getitem__)[which::2]]] = True
        return chosen


def spread(blocks: Blocks, count: int) -> Blocks:
    """At most ``count`` sequences of each domain, evenly spaced."""
    return [_spread(block, count) for block in blocks]


def _spread(block: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    return block[np.linspace(0, len(block) - 1, min(count, len(block))).astype(np.int64)]
