"""What a proposed mixture must obey: bounds, epoch caps, groups, caps on targets, and parts whose inner ratios are fixed.

All of them are linear in the weights that are still free. Where they contradict each other, the
sentence names a smallest set of them that does and says how far it reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnknownName, listed
from reweightviz.core.lineage import natural_inside
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Sources
from reweightviz.core.types import Array
from reweightviz.core.validation import mapping
from reweightviz.numerics.linear_constraints import Limits, conflict

Epochs = float | Mapping[str, float] | None
"""Most passes over a domain: one number for all, or domain to number, the others free."""
LEAST, MOST = "at least", "at most"


@dataclass(frozen=True)
class Limit:
    """One thing that was asked for: ``row . z <= most`` over the free weights z (Z,), and the words for it.

    ``kind`` and ``name`` say what it is; ``shown`` turns a value of the row into the number a
    person wrote.
    """

    kind: str
    name: str
    row: Array
    most: float
    shown: Callable[[float], float] = float

    @property
    def side(self) -> str:
        """Whether the person asked for at least or at most."""
        return LEAST if self.kind.startswith("lower") else MOST


@dataclass(frozen=True)
class Space:
    """The mixtures that may be proposed.

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
        """The weight of a domain, or of a fixed part, as a row (Z,) over the free weights."""
        if name in self.domains:
            return np.asarray(self.spread[self.domains.index(name)], np.float64)
        if name in self.names:
            return np.asarray(np.eye(len(self.names))[self.names.index(name)], np.float64)
        raise UnknownName(kind="domain of the law", name=name, known={*self.domains, *self.names})

    def mixture(self, free: Array, source: Mapping[str, Any]) -> Mixture:
        """The mixture that free weights (Z,) stand for."""
        weights = np.maximum(self.spread @ free, 0)
        return Mixture.normalized(zip(self.domains, weights.tolist(), strict=True), source=source)

    def prior(self, near: Mapping[str, float] | None) -> Array:
        """The prior over the free weights (Z,): the KL to it is that of the mixtures, up to a constant.

        A fixed part has the weight that makes ``KL(mixture || near)`` the KL of the free weights:
        where its inner ratios are those of ``near``, the sum of its domains there.
        """
        if near is not None and not isinstance(near, Mapping):
            raise InvalidValue(
                name="near", value=near, expected="a mixture, a mapping of domain to weight"
            )
        if near is None:
            even = np.full(len(self.domains), 1 / len(self.domains))
            weights = even if self.uniform is None else self.uniform
        elif set(near) == set(self.names) and set(near) != set(self.domains):
            return Mixture(near).aligned(self.names)
        else:
            weights = Mixture(near).aligned(self.domains)
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

    def compiled(self) -> tuple[Array, Array, Limits]:
        """Lower and upper bounds (Z,) of the free weights, and the limits that are more than bounds."""
        lower, upper = np.zeros(len(self.names)), np.ones(len(self.names))
        rows = []
        for limit in self.limits:
            places = np.flatnonzero(limit.row)
            if len(places) != 1:
                rows.append(limit)
                continue
            at, factor = places[0], limit.row[places[0]]
            if factor > 0:
                upper[at] = min(upper[at], limit.most / factor)
            else:
                lower[at] = max(lower[at], limit.most / factor)
        table = np.array([limit.row for limit in rows]).reshape(-1, len(self.names))
        return lower, upper, Limits(table, np.array([limit.most for limit in rows]))

    def with_limits(self, limits: Sequence[Limit]) -> Space:
        """The same with more limits."""
        return replace(self, limits=(*self.limits, *limits))

    def refuse_conflict(self) -> None:
        """Raise a sentence that names limits which contradict each other, if some do."""
        ranks = (
            "usage cap",
            "upper bound",
            "epoch cap",
            "lower bound",
            "upper limit of group",
            "lower limit of group",
            "cap on target",
        )
        order = sorted(range(len(self.limits)), key=lambda i: ranks.index(self.limits[i].kind))
        table = np.array([limit.row for limit in self.limits]).reshape(-1, len(self.names))
        found = conflict(Limits(table, np.array([limit.most for limit in self.limits])), order)
        if found is None:
            return
        asked, others = self.limits[found.asked], [self.limits[i] for i in found.others]
        both = [*others, asked]
        if others and all(limit.kind in ranks[:3] for limit in both):
            total = sum(limit.most for limit in both)
            raise ReweightvizError(
                f"{_named(both)} sum to {total:.4g}, so no weights can sum to 1: allow "
                "more epochs, fewer tokens, "
                "or add domains."
            )
        if others and all(limit.kind == "lower bound" for limit in both):
            raise ReweightvizError(
                f"{_named(both)} sum to {-sum(limit.most for limit in both):.4g}, more "
                "than 1: lower some of them."
            )
        beside = f"with {_named(others)}" if others else "by itself"
        if not np.isfinite(found.reach):
            raise ReweightvizError(f"no weights meet {_named(both)} together.")
        raise ReweightvizError(_sentence(asked, beside, found.reach))


def _sentence(asked: Limit, beside: str, reach: float) -> str:
    if asked.kind == "cap on target":
        worst = "lowest" if asked.shown(reach) > asked.shown(asked.most) else "highest"
        return (
            f"no mixture meets all constraints: {beside}, the {worst} predicted "
            f"{asked.name!r} is {asked.shown(reach):.4g} "
            f"and its cap is {asked.shown(asked.most):.4g}."
        )
    who = f"group {asked.name!r}" if asked.kind.endswith("group") else repr(asked.name)
    shown = round(asked.shown(reach), 12) + 0.0  # never "-0"
    reached = f"{MOST if asked.side == LEAST else LEAST} {shown:.4g}"
    return (
        f"no mixture meets all constraints: {beside}, {who} gets {reached}; "
        f"{asked.side} {asked.shown(asked.most):.4g} was asked for "
        f"({asked.kind.removesuffix(' of group')})."
    )


def _named(limits: Sequence[Limit]) -> str:
    """The limits by kind: ``the epoch caps of 'a', 'b' and the least of the group 'code'``."""
    kinds: dict[str, list[str]] = {}
    for limit in limits:
        kinds.setdefault(limit.kind, []).append(limit.name)
    parts = []
    for kind, names in kinds.items():
        own = kind.endswith("group") or kind.startswith("cap on")
        parts.append(
            f"the {kind} {listed(names)}"
            if own
            else f"the {kind}{'s' if len(names) > 1 else ''} of {listed(names)}"
        )
    return " and ".join(parts)


def space_of(
    domains: Sequence[str],
    *,
    fixed: Mapping[str, Mapping[str, float]] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    groups: Mapping[str, tuple[Sequence[str], float, float]] | None = None,
    tokens: float | None = None,
    sources: Sources | Mapping[str, float] | None = None,
    max_epochs: Epochs = None,
) -> Space:
    """The mixtures of a law's domains (K,) that obey everything that was asked for.

    Args:
        domains: that the law takes.
        fixed: name to mixture whose inner ratios stay. Its domains are the law's: they then move
            together. Or the name is itself a domain of the law (fitted with the part as one
            domain): the mixture that comes out is spread over it.
        bounds: domain, or name of a fixed part, to (lowest, highest) weight.
        groups: name to (domains, lowest, highest) sum of their weights.
        tokens: training budget, for ``max_epochs``.
        sources: what there is of each domain that comes out, for ``max_epochs``. Where domains of
            the law were split, the mixture is over the parts, which keep their natural shares.
        max_epochs: most passes over a domain, one number for all or domain to number.

    Raises:
        ReweightvizError: an unknown name, a limit that is no pair of numbers, a domain in two
            fixed parts.
    """
    space = _spread(tuple(domains), mapping("fixed", fixed, "name to a mixture"))
    if isinstance(sources, Sources) and sources.lineage:
        space = _over_parts(space, tuple(domains), sources)
    limits: list[Limit] = []
    for name, pair in mapping("bounds", bounds, "domain to (lowest, highest) weight").items():
        low, high = _pair(f"bounds of {name!r}", pair)
        row = space.row(name)
        limits += [Limit("upper bound", name, row, high)] if high < 1 else []
        limits += [Limit("lower bound", name, -row, -low, _minus)] if low > 0 else []
    for name, members in mapping("groups", groups, "name to (domains, lowest, highest)").items():
        if (
            not isinstance(members, tuple | list)
            or len(members) != 3
            or isinstance(members[0], str)
        ):
            raise InvalidValue(
                name=f"group {name!r}",
                value=members,
                expected="(domains, lowest, highest), such as (['code', 'math'], 0.2, 0.5)",
            )
        low, high = _pair(f"limits of group {name!r}", members[1:])
        named = dict.fromkeys(members[0])
        if not named:
            raise ReweightvizError(f"group {name!r} holds no domain.")
        row = np.sum([space.row(domain) for domain in named], 0)
        limits += [Limit("upper limit of group", name, row, high)] if high < 1 else []
        limits += [Limit("lower limit of group", name, -row, -low, _minus)] if low > 0 else []
    return space.with_limits([*limits, *_epoch_caps(space, tokens, sources, max_epochs)])


def _over_parts(space: Space, domains: tuple[str, ...], sources: Sources) -> Space:
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
            f"the law knows {listed(absent)}, of which the sources hold no part; "
            f"they hold {listed(sources)}."
        )
    order = [space.domains.index(domain) for domain in domains]
    inside = natural_inside(shares, sources.tokens)
    spread = inside @ space.spread[order]
    return Space(space.names, sources.domains, spread, shares @ spread, uniform=inside.mean(1))


def _minus(value: float) -> float:
    return -value


def _pair(what: str, pair: Any) -> tuple[float, float]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InvalidValue(name=what, value=pair, expected="(lowest, highest) weight")
    try:
        low, high = float(pair[0]), float(pair[1])
    except (TypeError, ValueError):
        raise InvalidValue(
            name=what, value=pair, expected="two numbers, (lowest, highest) weight"
        ) from None
    if not low <= high or high < 0 or low > 1:
        raise InvalidValue(
            name=what, value=pair, expected="(lowest, highest) with 0 <= lowest <= highest <= 1"
        )
    return low, high


def _epoch_caps(
    space: Space,
    tokens: float | None,
    sources: Sources | Mapping[str, float] | None,
    max_epochs: Epochs,
) -> list[Limit]:
    if max_epochs is None:
        return []
    if tokens is None or sources is None:
        raise ReweightvizError(
            "max_epochs needs tokens= (the budget) and sources= (what there is of each domain)."
        )
    most = (
        dict(max_epochs)
        if isinstance(max_epochs, Mapping)
        else dict.fromkeys(space.domains, max_epochs)
    )
    for domain, number in most.items():
        if domain not in space.domains:
            raise UnknownName(kind="domain", name=domain, known=space.domains)
        if (
            isinstance(number, bool)
            or not isinstance(number, int | float | np.number)
            or not number > 0
        ):
            raise InvalidValue(
                name="max_epochs",
                value=number,
                expected="a number of passes above 0, or one for each domain",
            )
    table = (sources if isinstance(sources, Sources) else Sources(sources)).token_table
    passes = Mixture.uniform(space.domains).epochs(table, tokens)
    caps = {
        domain: number / (len(space.domains) * passes[domain]) for domain, number in most.items()
    }
    return [
        Limit("epoch cap", domain, space.row(domain), cap)
        for domain, cap in caps.items()
        if cap < 1 and space.row(domain).any()
    ]


def _spread(domains: tuple[str, ...], fixed: Mapping[str, Mapping[str, float]]) -> Space:
    """Which free weights there are, and how they spread over domains."""
    parts = {name: Mixture(inner) for name, inner in fixed.items()}
    owner: dict[str, str] = {}
    for name, inner in parts.items():
        expands = name in domains
        for member in inner:
            if member in owner:
                raise ReweightvizError(
                    f"{member!r} is in two fixed parts, {owner[member]!r} and {name!r}: "
                    "keep it in one."
                )
            if expands == (member in domains):
                what = (
                    f"{name!r} is a domain of the law, so its fixed parts must not be: "
                    f"{member!r} is one too"
                    if expands
                    else f"the fixed part {name!r} holds {member!r}, which is no domain "
                    f"of the law; there is {listed(domains)}"
                )
                raise ReweightvizError(f"{what}.")
            owner[member] = name
    names = tuple(dict.fromkeys(owner.get(domain, domain) for domain in domains))
    out = tuple(
        dict.fromkeys(member for domain in domains for member in parts.get(domain, (domain,)))
    )
    eye = np.eye(len(names))
    spread = np.array(
        [
            parts[owner[d]][d] * eye[names.index(owner[d])] if d in owner else eye[names.index(d)]
            for d in out
        ]
    )
    law_spread = np.array(
        [
            eye[names.index(d)] if d in names else parts[owner[d]][d] * eye[names.index(owner[d])]
            for d in domains
        ]
    )
    return Space(names, out, spread, law_spread)
