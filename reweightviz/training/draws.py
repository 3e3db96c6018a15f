"""The documents of a step: a function of the seed, the weights, and how many were drawn before."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.validation import whole_number
from reweightviz.numerics.permutation import GOLDEN, hash_numbers, permute

__all__ = ["Counts", "Draws"]


Counts = NDArray[np.int64]


class Draws:
    """Global batches as a function of the step; it holds no state.

    Counts follow the weights by systematic sampling: each domain gets floor or ceil of ``batch *
    w_k``, by an offset that goes round by the golden ratio from step to step, so that the shares
    of many steps are as even as those of one. A domain is drawn without repeats until it is
    exhausted, then in another order: epochs are exact.

    Args:
        sizes: documents of each domain (K,).
        batch: documents a step, over all ranks.
        seed: of the offset and of all orders.

    Example:
        >>> draws = Draws([3, 100], batch=4, seed=0)
        >>> domains = draws.draw_domains(0, np.array([0.5, 0.5]))
        >>> places = draws.draw_places(domains, np.array([0, 0]))
        >>> domains.tolist(), len(set(places.tolist()))
        ([0, 0, 1, 1], 4)
    """

    def __init__(self, sizes: NDArray[np.int64] | list[int], batch: int, seed: int) -> None:
        self.sizes = np.asarray(sizes, np.int64)
        self.batch = whole_number("batch", batch, 1)
        self.seed = whole_number("seed", seed, most=2**63 - 1)
        self._offset = int(hash_numbers(self.seed))
        self._slots = np.arange(self.batch)

    def draw_domains(self, step: int, weights: NDArray[np.float64]) -> Counts:
        """Return the domain (B,) of every document of a step, in the order of the domains."""
        heights = np.cumsum(weights)
        # In whole numbers modulo 2**64: a float would lose the offset after many steps.
        offset = ((self._offset + step * GOLDEN) % 2**64) / 2**64
        edges = heights * (self.batch / heights[-1])
        domains = np.searchsorted(edges, self._slots + offset, side="right")
        # Rounding may not reach past the last domain that has weight.
        return domains.clip(0, int(np.flatnonzero(weights)[-1]))

    def draw_places(self, domains: Counts, seen: Counts, slots: slice = slice(None)) -> Counts:
        """Return the place in its domain of the document in each slot.

        Args:
            domains: (B,) of a step, in order.
            seen: (K,) documents of each domain that were drawn before.
            slots: the part of the batch that is asked for.
        """
        # searchsorted finds where each domain begins in the batch, so this counts on within it.
        nth = (seen[domains] + self._slots - np.searchsorted(domains, domains))[slots]
        chosen = domains[slots]
        sizes = self.sizes[chosen]
        epochs, places = np.divmod(nth, sizes)
        return permute(places, sizes, hash_numbers(self.seed, chosen, epochs))
