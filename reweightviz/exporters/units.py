"""Units: what a number in a framework's file counts, and how a share of tokens becomes one.

A number is proportional to ``weight / size``, where the size of a domain is 1, its mean tokens per
document, or all its tokens. It is either one of shares that sum to 1, or an absolute number of
passes at a budget.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.sources import Sources
from reweightviz.core.types import Array

__all__ = ["COPIES", "EXAMPLES", "FRACTION", "GRID", "SHARES", "TOKENS", "Unit", "exact_shares"]


GRID = 2**40
"""Shares that must sum to exactly 1 are multiples of 1/GRID.

That is fine enough for domains whose documents differ in length a thousandfold, and a sum of them
never rounds, in any order.
"""


@dataclass(frozen=True)
class Unit:
    """The meaning of a number in a file.

    Args:
        key: its name in ``unit=`` and in the provenance.
        sentence: the same for a person.
        size: the divisor of a share of tokens: "" (none), "mean_tokens" or "tokens" of the
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
        """Return domain to what its weight is divided by.

        Args:
            domains: names.
            sources: tokens and documents of each.
            title: of the framework, for the error.

        Raises:
            ReweightvizError: the sources lack the size of a domain.
        """
        if not self.size:
            return dict.fromkeys(domains, 1.0)
        found: dict[str, float] = {}
        absent: list[str] = []
        for domain in domains:
            size = None
            if sources is not None and domain in sources:
                size = getattr(sources[domain], self.size)
            if size:
                found[domain] = float(size)
            else:
                absent.append(domain)
        if not absent:
            return found
        wanted = "tokens"
        advice = "."
        if self.size == "mean_tokens":
            wanted = "tokens and documents"
            advice = "; unit='tokens' is for examples packed to one length."
        raise ReweightvizError(
            f"in {title} {self.sentence}, so sources= must give {wanted} of "
            f"{list_names(absent)}{advice}"
        )

    def numbers(
        self, weights: Mapping[str, float], sizes: Mapping[str, float], tokens: float | None
    ) -> dict[str, float]:
        """Return domain to number.

        Args:
            weights: shares of training tokens.
            sizes: as :meth:`sizes` returns them.
            tokens: budget, for a unit that counts passes; None takes no domain more than once.
        """
        # Weights that sum to 1 already are kept to the bit.
        if not self.size and not self.passes and abs(sum(weights.values()) - 1) < 1e-12:
            return dict(weights)
        ratio = np.array([weight / sizes[domain] for domain, weight in weights.items()])
        if not self.passes:
            values = ratio / ratio.sum()
        elif tokens is None:
            values = ratio * (1 / ratio.max())
        else:
            values = ratio * tokens
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


def exact_shares(ratio: Array) -> Array:
    """Return shares (K,) proportional to ``ratio``, on a binary grid by largest remainder.

    They sum to exactly 1 in any order, which some trainers ask for and 0.7 + 0.2 + 0.1 does not. A
    positive share never becomes 0.

    >>> sum(exact_shares(np.array([0.7, 0.2, 0.1])).tolist())
    1.0
    """
    # Divided by the largest first, so that the sum neither overflows nor underflows.
    scaled = ratio / ratio.max()
    shares = scaled / scaled.sum()
    units = np.where(ratio > 0, np.maximum(np.floor(shares * GRID), 1), 0).astype(np.int64)
    missing = GRID - int(units.sum())
    # Those that were rounded down furthest come first. The raise to 1 may make the sum too large:
    # then the largest share gives back.
    order = np.argsort(units - shares * GRID, kind="stable")
    units[order[: max(missing, 0)]] += 1
    units[np.argmax(units)] += min(missing, 0)
    return np.asarray(units / GRID, np.float64)
