"""Blocks of bytes drawn from each domain, in epochs, by weight."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError

HELD_OUT_EVERY = 20  # one document in twenty is never trained on
SEPARATOR = b"\0"


def held_out_rows(corpus: Corpus) -> NDArray[np.bool_]:
    """Which documents (N,) are held out: decided by a hash of the id, so the same for every run."""
    marks = (hashlib.blake2b(str(name).encode(), digest_size=4).digest() for name in corpus.ids)
    return np.fromiter(
        (int.from_bytes(mark, "little") % HELD_OUT_EVERY == 0 for mark in marks), bool, len(corpus)
    )


def domain_blocks(corpus: Corpus, rows: NDArray[np.bool_], length: int) -> list[NDArray[np.uint8]]:
    """Per domain the bytes of the documents ``rows``, joined and cut to (n_k, length)."""
    blocks = []
    for code, domain in enumerate(corpus.domains):
        chosen = np.flatnonzero(rows & (corpus.domain_codes == code))
        stream = np.frombuffer(
            SEPARATOR.join(text.encode("utf-8", "replace") for text in corpus.text(chosen)),
            np.uint8,
        )
        if len(stream) < length:
            raise ReweightvizError(
                f"domain {domain[:60]!r} has {len(stream)} bytes here, less than one "
                f"sequence of {length}; "
                "drop or merge it."
            )
        blocks.append(stream[: len(stream) // length * length].reshape(-1, length))
    return blocks


class DomainStream:
    """Draws sequences of a domain without repeats until all were seen, then reshuffles: epochs are exact.

    Args:
        blocks: per domain (n_k, length) bytes.
        seed: of the shuffles and of the draw of domains.
    """

    def __init__(self, blocks: list[NDArray[np.uint8]], seed: int | tuple[int, int]) -> None:
        self._blocks = blocks
        self._rng = np.random.default_rng(seed)
        self._orders = [self._rng.permutation(len(block)) for block in blocks]
        self._places = [0] * len(blocks)

    def draw(
        self, weights: NDArray[np.float64], batch: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """A batch (B, length) and the domain (B,) of each sequence.

        Counts follow the weights by systematic sampling: each domain gets floor or ceil of B * w_k.
        """
        edges = np.cumsum(weights / weights.sum()) * batch
        domains = np.searchsorted(edges, np.arange(batch) + self._rng.random(), side="right").clip(
            0, len(weights) - 1
        )
        return np.stack([self._next(int(k)) for k in domains]), domains.astype(np.int64)

    def of(self, domain: int, count: int) -> NDArray[np.uint8]:
        """The next ``count`` sequences (count, length) of one domain."""
        return np.stack([self._next(domain) for _ in range(count)])

    def _next(self, domain: int) -> NDArray[np.uint8]:
        block, order = self._blocks[domain], self._orders[domain]
        if self._places[domain] == len(order):
            self._orders[domain] = order = self._rng.permutation(len(block))
            self._places[domain] = 0
        row = order[self._places[domain]]
        self._places[domain] += 1
        return np.asarray(block[row], np.uint8)
