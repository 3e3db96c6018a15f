"""A corpus cut into sequences once, so that many runs share it."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError
from reweightviz.training.domain_stream import Blocks, cut_blocks, find_held_out

__all__ = ["EVALUATED", "ProxyData", "cut_corpus", "thin_out"]


EVALUATED = 48  # held-out sequences a domain


class ProxyData:
    """Training and held-out sequences of each domain, (n_k, context + 1) bytes.

    The held-out documents of every domain are dealt in turn, in the order of a hash of their ids,
    to two halves that share no document: a mixer may look at ``validation`` while it trains,
    ``test`` is for the comparison afterwards.

    Args:
        corpus: documents.
        context: bytes a sequence predicts.
    """

    def __init__(self, corpus: Corpus, context: int) -> None:
        self.context = context
        self._length = context + 1  # the first byte is not predicted
        self._corpus = corpus
        self._held_out = find_held_out(corpus)
        self.domains = corpus.domains
        self.tokens = corpus.sources.tokens
        documents = [corpus.sources[name].documents for name in corpus.domains]
        self.documents = np.array(documents, np.float64)
        self.training = cut_blocks(corpus, ~self._held_out, self._length)
        held_out = cut_blocks(corpus, self._held_out, self._length)
        self.held_out = thin_out(held_out, EVALUATED)

    @cached_property
    def validation(self) -> Blocks:
        """All held-out sequences that a mixer may look at."""
        return cut_blocks(self._corpus, self._deal_half(0), self._length)

    @cached_property
    def test(self) -> Blocks:
        """Held-out sequences that no mixer looks at."""
        half = cut_blocks(self._corpus, self._deal_half(1), self._length)
        return thin_out(half, EVALUATED)

    def _deal_half(self, half: int) -> NDArray[np.bool_]:
        """Return true (N,) for the held-out documents of one half, 0 or 1."""
        chosen = np.zeros(len(self._held_out), bool)
        for code in range(len(self.domains)):
            rows = np.flatnonzero(self._held_out & (self._corpus.domain_codes == code))
            # By another hash than the one that held them out, or the order would not be random.
            order = sorted(rows, key=self._hash_id)
            chosen[order[half::2]] = True
        return chosen

    def _hash_id(self, row: np.int64) -> bytes:
        return hashlib.blake2b(f"half {self._corpus.ids[row]}".encode(), digest_size=8).digest()


def cut_corpus(corpus: Corpus | ProxyData, context: int) -> ProxyData:
    """Return the sequences of a corpus, or those that were cut from it already.

    Raises:
        ReweightvizError: they are of another context.
    """
    data = corpus if isinstance(corpus, ProxyData) else ProxyData(corpus, context)
    if data.context != context:
        raise ReweightvizError(
            f"these ProxyData are sequences of {data.context} bytes and the model's context is "
            f"{context}: make them with ProxyData(corpus, {context})."
        )
    return data


def thin_out(blocks: Blocks, count: int) -> Blocks:
    """Return at most ``count`` sequences of each domain, evenly spaced."""
    return [_thin_out(block, count) for block in blocks]


def _thin_out(block: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    # Not the first ones, which come from the first few documents.
    return block[np.linspace(0, len(block) - 1, min(count, len(block))).astype(np.int64)]
