"""The constraints of a proposal, parsed: fixed parts, bounds, groups and caps on epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnknownName
from reweightviz.core.mixture import Mixture
from reweightviz.core.sources import Sources
from reweightviz.core.types import Array
from reweightviz.core.validation import is_number, mapping
from reweightviz.proposals.limit import Limit
from reweightviz.proposals.space import Space, fix_parts, split_domains

__all__ = ["Epochs", "build_space"]


Epochs = float | Mapping[str, float] | None
"""Most passes over a domain: one number for all, or domain to number, the others free."""


def build_space(
    domains: Sequence[str],
    *,
    fixed: Mapping[str, Mapping[str, float]] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    groups: Mapping[str, tuple[Sequence[str], float, float]] | None = None,
    tokens: float | None = None,
    sources: Sources | Mapping[str, float] | None = None,
    max_epochs: Epochs = None,
) -> Space:
    """Return the mixtures of a law's domains (K,) that obey everything that was asked for.

    Args:
        domains: that the law takes.
        fixed: name to mixture whose inner ratios stay; see
            :func:`reweightviz.proposals.space.fix_parts`.
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
    space = fix_parts(tuple(domains), mapping("fixed", fixed, "name to a mixture"))
    if isinstance(sources, Sources) and sources.lineage:
        space = split_domains(space, tuple(domains), sources)
    return space.with_limits(
        [
            *_limit_domains(space, bounds),
            *_limit_groups(space, groups),
            *_limit_epochs(space, tokens, sources, max_epochs),
        ]
    )


def _limit_domains(space: Space, bounds: Mapping[str, tuple[float, float]] | None) -> list[Limit]:
    limits: list[Limit] = []
    for name, pair in mapping("bounds", bounds, "domain to (lowest, highest) weight").items():
        low, high = _parse_pair(f"bounds of {name!r}", pair)
        limits += _limit_between("bound", name, space.row(name), low, high)
    return limits


def _limit_groups(
    space: Space, groups: Mapping[str, tuple[Sequence[str], float, float]] | None
) -> list[Limit]:
    limits: list[Limit] = []
    for name, group in mapping("groups", groups, "name to (domains, lowest, highest)").items():
        # A string in place of the domains would be a sequence of domains of one letter.
        if not isinstance(group, tuple | list) or len(group) != 3 or isinstance(group[0], str):
            raise InvalidValue(
                name=f"group {name!r}",
                value=group,
                expected="(domains, lowest, highest), such as (['code', 'math'], 0.2, 0.5)",
            )
        low, high = _parse_pair(f"limits of group {name!r}", group[1:])
        named = dict.fromkeys(group[0])
        if not named:
            raise ReweightvizError(f"group {name!r} holds no domain.")
        row = np.sum([space.row(domain) for domain in named], 0)
        limits += _limit_between("limit of group", name, row, low, high)
    return limits


def _limit_between(kind: str, name: str, row: Array, low: float, high: float) -> list[Limit]:
    """Return the limits of a weight, without those that every weight meets."""
    limits = []
    if high < 1:
        limits.append(Limit(f"upper {kind}", name, row, high))
    if low > 0:
        limits.append(Limit(f"lower {kind}", name, -row, -low, _negate))
    return limits


def _negate(value: float) -> float:
    return -value


def _parse_pair(what: str, pair: Any) -> tuple[float, float]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InvalidValue(name=what, value=pair, expected="(lowest, highest) weight")
    try:
        low, high = map(float, pair)
    except (TypeError, ValueError):
        raise InvalidValue(
            name=what, value=pair, expected="two numbers, (lowest, highest) weight"
        ) from None
    if not 0 <= low <= high <= 1:
        raise InvalidValue(
            name=what, value=pair, expected="(lowest, highest) with 0 <= lowest <= highest <= 1"
        )
    return low, high


def _limit_epochs(
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
    if isinstance(max_epochs, Mapping):
        most = dict(max_epochs)
    else:
        most = dict.fromkeys(space.domains, max_epochs)
    for domain, number in most.items():
        if domain not in space.domains:
            raise UnknownName(kind="domain", name=domain, known=space.domains)
        if not is_number(number) or not number > 0:
            raise InvalidValue(
                name="max_epochs",
                value=number,
                expected="a number of passes above 0, or one for each domain",
            )
    if not isinstance(sources, Sources):
        sources = Sources(sources)
    # Passes are proportional to the weight, so those of the uniform mixture give all others.
    passes = Mixture.uniform(space.domains).epochs(sources.token_table, tokens)
    limits = []
    for domain, number in most.items():
        cap = number / (len(space.domains) * passes[domain])
        row = space.row(domain)
        if cap < 1 and row.any():
            limits.append(Limit("epoch cap", domain, row, cap))
    return limits
