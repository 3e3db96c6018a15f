"""Blocks of bytes drawn from each domain, in epochs, by weight."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError

__all__ = ["HELD_OUT_EVERY", "SEPARATOR", "Blocks", "DomainStream", "cut_blocks", "find_held_out"]


HELD_OUT_EVERY = 20  # one document in twenty is never trained on
SEPARATOR = b"\0"

Blocks = list[NDArray[np.uint8]]
"""Of each domain its sequences of bytes, (n_k, length)."""


def find_held_out(corpus: Corpus) -> NDArray[np.bool_]:
    """Return true (N,) for the documents held out, by a hash of the id: the same for every run."""
    digests = (hashlib.blake2b(str(name).encode(), digest_size=4).digest() for name in corpus.ids)
    numbers = np.fromiter((int.from_bytes(digest, "little") for digest in digests), np.int64)
    return np.asarray(numbers % HELD_OUT_EVERY == 0, np.bool_)


def cut_blocks(corpus: Corpus, rows: NDArray[np.bool_], length: int) -> Blocks:
    """Return of each domain the bytes of the documents ``rows``, joined and cut to (n_k, length).

    Raises:
        ReweightvizError: a domain with fewer bytes than one sequence.
    """
    blocks = []
    for code, domain in enumerate(corpus.domains):
        chosen = np.flatnonzero(rows & (corpus.domain_codes == code))
        # A lone surrogate has no UTF-8.
        texts = [text.encode("utf-8", "replace") for text in corpus.text(chosen)]
        stream = np.frombuffer(SEPARATOR.join(texts), np.uint8)
        if len(stream) < length:
            raise ReweightvizError(
                f"domain {domain[:60]!r} has {len(stream)} bytes here, less than one "
                f"sequence of {length}; drop or merge it."
            )
        blocks.append(stream[: len(stream) // length * length].reshape(-1, length))
    return blocks


class DomainStream:
    """Sequences of each domain without repeats until all were seen, then reshuffled.

    Args:
        blocks: per domain (n_k, length) bytes.
        seed: of the shuffles and of the draw of domains.
    """

    def __init__(self, blocks: Blocks, seed: int | tuple[int, int]) -> None:
        self._blocks = blocks
        self._rng = np.random.default_rng(seed)
        self._orders = [self._rng.permutation(len(block)) for block in blocks]
        self._places = [0] * len(blocks)

    def draw(
        self, weights: NDArray[np.float64], batch: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Draw a batch (B, length) and the domain (B,) of each sequence.

        Counts follow the weights by systematic sampling: each domain gets floor or ceil of B * w_k.
        """
        edges = np.cumsum(weights / weights.sum()) * batch
        # One offset for all slots: this is what makes the sampling systematic.
        slots = np.arange(batch) + self._rng.random()
        # Rounding may leave the last edge just below the last slot.
        domains = np.searchsorted(edges, slots, side="right").clip(0, len(weights) - 1)
        return np.stack([self._take_one(int(k)) for k in domains]), domains.astype(np.int64)

    def take(self, domain: int, count: int) -> NDArray[np.uint8]:
        """Take the next ``count`` sequences (count, length) of one domain."""
        return np.stack([self._take_one(domain) for _ in range(count)])

    def _take_one(self, domain: int) -> NDArray[np.uint8]:
        block = self._blocks[domain]
        if self._places[domain] == len(block):
            self._orders[domain] = self._rng.permutation(len(block))
            self._places[domain] = 0
        row = self._orders[domain][self._places[domain]]
        self._places[domain] += 1
        return np.asarray(block[row], np.uint8)
