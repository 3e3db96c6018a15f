"""Units: what a number in a framework's file counts, and how a share of tokens becomes one.

A number is proportional to ``weight / size``, where the size of a domain is 1, its mean tokens per
document, or all its tokens. It is either one of shares that sum to 1, or an absolute number of
passes at a budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, listed
from reweightviz.core.sources import Sources

GRID = 2**40
"""Shares that must sum to exactly 1 are multiples of 1/GRID: fine enough for domains whose documents differ in length a
thousandfold, and a sum of them never rounds, in any order."""


@dataclass(frozen=True)
class Unit:
    """What a number counts.

    Args:
        key: how ``unit=`` and the provenance name it.
        sentence: the same for a person.
        size: what a share of tokens is divided by: "" (nothing), "mean_tokens" or "tokens" of the
            domain.
        passes: numbers are passes over the domain at a budget, instead of shares that sum to 1.
    """

    key: str
    sentence: str
    size: str = ""
    passes: bool = False

    def sizes(
        self, domains: Iterable[str], sources: Sources | None, title: str
    ) -> dict[str, float]:
        """Domain to what its weight is divided by; refuses where the sources do not say it."""
        names = list(domains)
        if not self.size:
            return dict.fromkeys(names, 1.0)
        found = {
            d: getattr(sources[d], self.size) or 0.0
            for d in names
            if sources is not None and d in sources
        }
        absent = [d for d in names if not found.get(d)]
        if absent:
            wanted = "tokens and documents" if self.size == "mean_tokens" else "tokens"
            raise ReweightvizError(
                f"in {title} {self.sentence}, so sources= must give {wanted} of {listed(absent)}"
                + (
                    "; unit='tokens' is for examples packed to one length."
                    if self.size == "mean_tokens"
                    else "."
                )
            )
        return {d: float(size) for d, size in found.items()}

    def numbers(
        self, weights: Mapping[str, float], sizes: Mapping[str, float], tokens: float | None
    ) -> dict[str, float]:
        """Domain to number; ``tokens`` is the budget of a unit that counts passes (None: no domain more than once)."""
        if not self.size and abs(sum(weights.values()) - 1) < 1e-12:
            return dict(weights)
        ratio = np.array([weight / sizes[domain] for domain, weight in weights.items()])
        values = (
            ratio * (tokens if tokens is not None else 1 / ratio.max())
            if self.passes
            else ratio / ratio.sum()
        )
        return dict(zip(weights, values.tolist(), strict=True))


SHARES = Unit("tokens", "a weight is a share of training tokens")
TOKENS = Unit(
    "tokens",
    "a weight is a share of training sequences of one fixed length, which is a share of tokens",
)
EXAMPLES = Unit("examples", "a weight is a share of examples (documents)", size="mean_tokens")
FRACTION = Unit(
    "fraction", "a weight is the fraction of that dataset which is kept", size="tokens", passes=True
)
COPIES = Unit(
    "copies", "a weight is how many copies of each document are taken", size="tokens", passes=True
)


def exact_shares(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares (K,) proportional to ``ratio``, rounded to a binary grid by largest remainder.

    They sum to exactly 1 in any order, which some trainers ask for and 0.7 + 0.2 + 0.1 does not. A
    positive share never becomes 0.

    >>> sum(exact_shares(np.array([0.7, 0.2, 0.1])).tolist())
    1.0
    """
    scaled = ratio / ratio.max()
    shares = scaled / scaled.sum()
    units = np.where(ratio > 0, np.maximum(np.floor(shares * GRID), 1), 0).astype(np.int64)
    missing = GRID - int(units.sum())
    order = np.argsort(units - shares * GRID, kind="stable")
    units[order[: max(missing, 0)]] += 1
    units[np.argmax(units)] += min(missing, 0)
    return np.asarray(units / GRID, np.float64)
