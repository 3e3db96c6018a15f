"""The mixtures that may be proposed: free weights, and how they spread over domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnknownName, list_names
from reweightviz.core.lineage import natural_inside
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Sources
from reweightviz.core.types import Array
from reweightviz.numerics.linear_constraints import Limits
from reweightviz.proposals.limit import Limit, refuse_conflict, stack_limits

__all__ = ["Space", "fix_parts", "split_domains"]


@dataclass(frozen=True)
class Space:
    """Hold the mixtures that may be proposed.

    Args:
        names: of the free weights (Z,): domains, and the names of fixed parts.
        domains: of the mixture that comes out (D,).
        spread: (D, Z) from free weights to the mixture; columns sum to 1.
        law_spread: (K, Z) from free weights to the weights that the law takes.
        limits: what was asked for.
        uniform: (D,) the mixture that gives each of the law's domains the same; None where that is
            the same for every domain.
    """

    names: tuple[str, ...]
    domains: tuple[str, ...]
    spread: Array
    law_spread: Array
    limits: tuple[Limit, ...] = field(default=())
    uniform: Array | None = None

    def row(self, name: str) -> Array:
        """Return the weight of a domain or a fixed part as a row (Z,) over the free weights."""
        if name in self.domains:
            return np.asarray(self.spread[self.domains.index(name)], np.float64)
        if name in self.names:
            return np.asarray(np.eye(len(self.names))[self.names.index(name)], np.float64)
        raise UnknownName(kind="domain of the law", name=name, known={*self.domains, *self.names})

    def mixture(self, free: Array, source: Mapping[str, Any]) -> Mixture:
        """Return the mixture that free weights (Z,) stand for."""
        # A solver may leave weights a rounding below 0.
        weights = np.maximum(self.spread @ free, 0)
        return Mixture.normalized(zip(self.domains, weights.tolist(), strict=True), source=source)

    def prior(self, near: Mapping[str, float] | None) -> Array:
        """Return the prior over the free weights (Z,); uniform over the domains for None.

        The KL to it is that of the mixtures, up to a constant: a fixed part has the weight that
        makes ``KL(mixture || near)`` the KL of the free weights. Where its inner ratios are those
        of ``near``, that is the sum of its domains there.
        """
        if near is not None and not isinstance(near, Mapping):
            raise InvalidValue(
                name="near", value=near, expected="a mixture, a mapping of domain to weight"
            )
        if near is not None and set(near) == set(self.names) != set(self.domains):
            return Mixture(near).aligned(self.names)
        weights = self._uniform()
        if near is not None:
            weights = Mixture(near).aligned(self.domains)
        # The KL inside a part does not depend on its weight; exp(-KL) moves it into the prior.
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(
                self.spread > 0, self.spread * np.log(self.spread / weights[:, None]), 0.0
            )
        prior = np.exp(-terms.sum(0))
        if not prior.any():
            raise ReweightvizError(
                "near gives 0 to every domain that may have a weight: name another prior."
            )
        return np.asarray(prior / prior.sum(), np.float64)

    def _uniform(self) -> Array:
        if self.uniform is not None:
            return self.uniform
        return np.full(len(self.domains), 1 / len(self.domains))

    def compile(self) -> tuple[Array, Array, Limits]:
        """Return lower and upper bounds (Z,) of the free weights, and limits of more than one."""
        lower = np.zeros(len(self.names))
        upper = np.ones(len(self.names))
        wide = []
        for limit in self.limits:
            places = np.flatnonzero(limit.row)
            if len(places) != 1:
                wide.append(limit)
                continue
            at = places[0]
            factor = limit.row[at]
            if factor > 0:
                upper[at] = min(upper[at], limit.most / factor)
            else:
                lower[at] = max(lower[at], limit.most / factor)
        return lower, upper, stack_limits(wide, len(self.names))

    def with_limits(self, limits: Sequence[Limit]) -> Space:
        """Return the same space under more limits."""
        return replace(self, limits=(*self.limits, *limits))

    def refuse_conflict(self) -> None:
        """Raise a sentence that names limits which contradict each other, if some do."""
        refuse_conflict(self.limits, len(self.names))


def fix_parts(domains: tuple[str, ...], fixed: Mapping[str, Mapping[str, float]]) -> Space:
    """Return the space of a law's domains (K,) in which the inner ratios of some parts are fixed.

    Args:
        domains: that the law takes.
        fixed: name to mixture. Its domains are the law's, which then move together; or the name is
            itself a domain of the law, and the mixture that comes out is spread over the part.
    """
    parts = {name: Mixture(inner) for name, inner in fixed.items()}
    owner = _owners(domains, parts)
    names = tuple(dict.fromkeys(owner.get(domain, domain) for domain in domains))
    members = [parts.get(domain, (domain,)) for domain in domains]
    out = tuple(dict.fromkeys(name for part in members for name in part))
    eye = np.eye(len(names))

    def share(domain: str) -> Array:
        part = owner[domain]
        return np.asarray(parts[part][domain] * eye[names.index(part)], np.float64)

    spread = [share(d) if d in owner else eye[names.index(d)] for d in out]
    law_spread = [eye[names.index(d)] if d in names else share(d) for d in domains]
    return Space(names, out, np.array(spread), np.array(law_spread))


def _owners(domains: tuple[str, ...], parts: Mapping[str, Mixture]) -> dict[str, str]:
    """Return domain to the fixed part that holds it."""
    owner: dict[str, str] = {}
    for name, inner in parts.items():
        for member in inner:
            if member in owner:
                raise ReweightvizError(
                    f"{member!r} is in two fixed parts, {owner[member]!r} and {name!r}: "
                    "keep it in one."
                )
            if name in domains and member in domains:
                raise ReweightvizError(
                    f"{name!r} is a domain of the law, so its fixed parts must not be: "
                    f"{member!r} is one too."
                )
            if name not in domains and member not in domains:
                raise ReweightvizError(
                    f"the fixed part {name!r} holds {member!r}, which is no domain "
                    f"of the law; there is {list_names(domains)}."
                )
            owner[member] = name
    return owner


def split_domains(space: Space, domains: tuple[str, ...], sources: Sources) -> Space:
    """Return the space of mixtures over the parts of a law's domains.

    It is the same space where the sources are the law's domains. A part that holds tokens of two
    domains counts as both, so the law is asked about the mixture that comes out.
    """
    if set(space.domains) != set(domains) or set(sources) == set(domains):
        return space
    shares = sources.lineage.onto(sources.domains, domains)
    absent = [domain for domain, row in zip(domains, shares, strict=True) if not row.any()]
    if absent:
        raise ReweightvizError(
            f"the law knows {list_names(absent)}, of which the sources hold no part; "
            f"they hold {list_names(sources)}."
        )
    order = [space.domains.index(domain) for domain in domains]
    inside = natural_inside(shares, sources.tokens)
    spread = inside @ space.spread[order]
    return Space(space.names, sources.domains, spread, shares @ spread, uniform=inside.mean(1))
