"""Lineage: the domains in which a domain's tokens lay before they were split off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.mixture import Mixture
from reweightviz.core.types import Array

__all__ = ["Lineage", "Path", "natural_inside"]


Path = tuple[str, ...]
"""Former domains, the latest first; empty for tokens that no split moved."""


@dataclass(frozen=True)
class Lineage:
    """Shares of each domain's tokens, by the domains in which they lay before.

    A law of the domains before a split predicts through it: its weights then sum to 1 over its own
    domains.

    Args:
        former: domain to {former domains: share of its tokens}; a domain that no split moved is
            left out.

    Example:
        >>> lineage = Lineage({"mine": {("web",): 0.75, ("code",): 0.25}})
        >>> lineage.onto(("web", "code", "mine"), ("web", "code")).tolist()
        [[1.0, 0.0, 0.75], [0.0, 1.0, 0.25]]
        >>> lineage.mixture_onto({"web": 0.5, "code": 0.1, "mine": 0.4}, ("web", "code"))
        Mixture({'web': 0.8, 'code': 0.2})
    """

    former: Mapping[str, Mapping[Path, float]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.former)

    @classmethod
    def of_documents(cls, names: Sequence[NDArray[np.object_]], amounts: Array) -> Lineage:
        """Return the lineage of documents.

        Args:
            names: each document's domain (N,), now and before each split, the latest first.
            amounts: tokens of each document (N,).
        """
        if len(names) < 2:
            return cls()
        # Documents of one history are a group, and there are few. Numbered anew for each column, so
        # that the product of all numbers of names cannot overflow.
        group = np.zeros(len(amounts), np.int64)
        for column in names:
            codes, known = pd.factorize(column)
            group, _ = pd.factorize(group * len(known) + codes)
        _, first = np.unique(group, return_index=True)
        totals: dict[str, dict[Path, float]] = {}
        for row, amount in zip(first, np.bincount(group, amounts), strict=True):
            domain, *before = (str(column[row]) for column in names)
            totals.setdefault(domain, {})[_path(domain, before)] = float(amount)
        moved = {domain: paths for domain, paths in totals.items() if set(paths) != {()}}
        return cls({domain: _shares(paths) for domain, paths in moved.items()})

    @classmethod
    def from_jsonable(cls, record: Mapping[str, Any] | None) -> Lineage:
        """Read what :meth:`to_jsonable` gave.

        Raises:
            ReweightvizError: it is no lineage.
        """
        try:
            table = {
                domain: {tuple(path): float(share) for path, share in pairs}
                for domain, pairs in (record or {}).items()
            }
        except (AttributeError, TypeError, ValueError):
            raise ReweightvizError(
                "a lineage maps a domain to pairs of its former domains and a share, such as "
                f"{{'mine': [[['web'], 1.0]]}}; got {record!r:.80}."
            ) from None
        return cls(table)

    def to_jsonable(self) -> dict[str, list[list[Any]]]:
        """Return it as JSON holds it: domain to [former domains, share] pairs."""
        return {
            domain: [[list(path), share] for path, share in paths.items()]
            for domain, paths in self.former.items()
        }

    def onto(self, domains: Sequence[str], law_domains: Sequence[str]) -> Array:
        """Return how much of each of ``domains`` counts as each of a law's: shares (M, K).

        Every column sums to 1. Tokens count as the latest of their domains that the law knows.

        Raises:
            ReweightvizError: tokens of a domain never lay in one that the law knows.
        """
        shares = self.known_shares(domains, law_domains)
        known = shares.sum(0) >= 1 - 1e-9
        strangers = [
            domain for domain, is_known in zip(domains, known, strict=True) if not is_known
        ]
        if strangers:
            raise ReweightvizError(
                f"the law does not know {list_names(strangers)}, so it cannot predict "
                "this mixture; "
                f"it knows {list_names(law_domains)}."
            )
        return np.asarray(shares / shares.sum(0), np.float64)

    def known_shares(self, domains: Sequence[str], law_domains: Sequence[str]) -> Array:
        """Return the same as :meth:`onto`, with a sum below 1 for what the law does not know."""
        place = {name: row for row, name in enumerate(law_domains)}
        shares = np.zeros((len(law_domains), len(domains)))
        for column, domain in enumerate(domains):
            for path, share in self.former.get(domain, {(): 1.0}).items():
                row = next((place[name] for name in (domain, *path) if name in place), None)
                if row is not None:
                    shares[row, column] += share
        return shares

    def mixture_onto(self, mixture: Mapping[str, float], law_domains: Sequence[str]) -> Mixture:
        """Return a mixture as one of a law's domains, as :meth:`onto` counts them.

        A domain of weight 0 may be a stranger to the law.
        """
        given = Mixture.of(mixture)
        weights = {domain: weight for domain, weight in given.items() if weight}
        shares = self.onto(tuple(weights), law_domains)
        theirs = shares @ np.fromiter(weights.values(), np.float64, len(weights))
        return Mixture(zip(law_domains, theirs.tolist(), strict=True), source=given.source)


def natural_inside(shares: Array, tokens: Array) -> Array:
    """Return the make-up of each of a law's domains (K, M): its parts by the tokens from it.

    Args:
        shares: (M, K), as :meth:`Lineage.onto` gives them.
        tokens: available in each of the K domains.

    >>> shares = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5]])
    >>> natural_inside(shares, np.array([30.0, 10.0, 20.0])).tolist()
    [[0.75, 0.0], [0.0, 0.5], [0.25, 0.5]]
    """
    amounts = shares * tokens
    empty = amounts.sum(1) == 0
    # A domain without tokens is made up of its parts by their shares alone.
    amounts[empty] = shares[empty]
    totals = amounts.sum(1, keepdims=True)
    inside = np.zeros_like(amounts)
    np.divide(amounts, totals, out=inside, where=totals > 0)
    return inside.T


def _path(domain: str, before: Sequence[str]) -> Path:
    """Return the former domains without repeats of neighbours."""
    return tuple(_changes(domain, before))


def _changes(domain: str, before: Sequence[str]) -> Iterator[str]:
    latest = domain
    for name in before:
        if name != latest:
            yield name
        latest = name


def _shares(amounts: Mapping[Path, float]) -> dict[Path, float]:
    total = sum(amounts.values())
    if not total:
        return dict.fromkeys(amounts, 1 / len(amounts))
    return {path: amount / total for path, amount in amounts.items()}
