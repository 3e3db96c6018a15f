"""The design of a swarm: the mixtures of the proxy runs from which a law is to be fitted.

The recipe of Dirichlet draws is that of Qian Liu et al., "RegMix: Data Mixture as Regression for
Language Model Pre-training", ICLR 2025, https://arxiv.org/abs/2407.01492, as their public code has
it: natural weights to the power 0.5, strengths 0.1 to 5, no domain above 15 times its natural
share. Ours: caps hold after normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from reweightviz.core.errors import InvalidArgument, InvalidValue, UnknownName, warn
from reweightviz.core.mixture import SUM_TOLERANCE, Mixture
from reweightviz.core.protocols import Law
from reweightviz.core.sources import Sources
from reweightviz.core.token_counts import parse_budget, parse_count
from reweightviz.core.validation import whole_number
from reweightviz.numerics.designs import Drawn, dirichlet_design, space_filling_design
from reweightviz.numerics.region import Region, region
from reweightviz.numerics.threads import one_thread
from reweightviz.proposals.constraints import Epochs, build_space
from reweightviz.proposals.design_diagnostics import describe_design
from reweightviz.proposals.limit import Limit
from reweightviz.proposals.optimal_design import Draws, design_optimally
from reweightviz.proposals.space import Space

__all__ = ["METHODS", "design_swarm"]


METHODS = ("dirichlet", "optimal", "space-filling")


@one_thread
def design_swarm(
    sources: Sources | Mapping[str, float] | Sequence[str],
    runs: int,
    *,
    method: str = "dirichlet",
    seed: int = 0,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    groups: Mapping[str, tuple[Sequence[str], float, float]] | None = None,
    tokens: float | str | None = None,
    max_epochs: Epochs = None,
    usage: float | None = 15.0,
    strengths: tuple[float, float] = (0.1, 5.0),
    exponent: float = 0.5,
    least: float = 2e-4,
    law: Law | None = None,
) -> pd.DataFrame:
    """Draw mixtures to train proxy runs on.

    Args:
        sources: what there is of each domain; or a mixture around which to draw; or the domains'
            names alone.
        runs: how many mixtures; a log-linear law needs one more than there are domains, and three
            times as many to be good.
        method: "dirichlet" (draws of every density around the natural mixture, as RegMix),
            "space-filling" (far apart, evenly over all that is allowed) or "optimal" (those that
            determine a log-linear law's parameters best).
        seed: of the draws.
        bounds: domain to (lowest, highest) weight.
        groups: name to (domains, lowest, highest) sum of their weights.
        tokens: training tokens of one proxy run, for ``max_epochs``.
        max_epochs: most passes over a domain in one run, one number for all or domain to number.
        usage: most times its natural share that a domain gets; None for no such cap.
        strengths: least and largest concentration of the Dirichlet draws.
        exponent: of the natural weights, before drawing; a mixture that is given is taken as it is.
        least: smallest weight that is not 0.
        law: a first fit, around which an "optimal" design is made; curves with random slopes
            otherwise.

    Returns:
        A row a run, a column a domain; rows sum to 1 and meet every bound and cap.
        ``.attrs["diagnostics"]`` holds how far apart the mixtures are (``condition_number``),
        how far the natural and the uniform mixture lie outside their hull, the largest number of
        ``epochs``, and how many mixtures were ``pulled`` within tight caps.

    Raises:
        ReweightvizError: caps and bounds that no mixture meets, by name; fewer than two runs.

    Example:
        >>> design = design_swarm({"web": 8e9, "code": 1e9, "math": 1e9}, 12)
        >>> design.shape, bool((design.sum(axis=1).round(9) == 1).all())
        ((12, 3), True)
    """
    if method not in METHODS:
        raise UnknownName(kind="method of a design", name=method, known=METHODS)
    runs = whole_number("runs", runs, 2)
    budget = parse_budget(tokens)
    _check_draws(strengths, least)
    natural, centre, available = _parse_sources(sources, exponent)
    space = build_space(
        natural.domains,
        bounds=bounds,
        groups=groups,
        tokens=budget,
        sources=available,
        max_epochs=max_epochs,
    )
    where = _compile_region(space, natural, usage)
    rng = np.random.default_rng(seed)
    # A Dirichlet distribution has no parameter of 0.
    prior = np.asarray(np.maximum(centre.array, 1e-12), np.float64)
    draws = Draws(prior, where, strengths, least)
    facts: dict[str, Any] = {}
    if method == "optimal":
        drawn, facts = design_optimally(draws, natural.domains, runs, law, rng)
    else:
        drawn = _draw_at_random(method, draws, runs, rng)
    if runs <= len(natural):
        # A curve c + exp(t.w) has the floor c beside a slope a domain.
        warn(
            f"{runs} runs are too few for a law: a log-linear one needs at least "
            f"{len(natural) + 1} for {len(natural)} domains."
        )
    design = pd.DataFrame(drawn.mixtures, columns=list(natural)).rename_axis("run")
    design.attrs["diagnostics"] = {
        "method": method,
        "seed": seed,
        "pulled": drawn.pulled,
        **facts,
        **describe_design(drawn.mixtures, natural, available, budget),
    }
    return design


def _draw_at_random(method: str, draws: Draws, runs: int, rng: np.random.Generator) -> Drawn:
    if method == "space-filling":
        return space_filling_design(runs, draws.where, least=draws.least, rng=rng)
    return dirichlet_design(
        draws.prior, runs, draws.where, strengths=draws.strengths, least=draws.least, rng=rng
    )


def _check_draws(strengths: Any, least: float) -> None:
    in_order = (
        isinstance(strengths, tuple | list)
        and len(strengths) == 2
        and 0 < strengths[0] <= strengths[1]
    )
    if not in_order or not 0 <= least < 0.5:
        raise InvalidValue(
            name="strengths",
            value=(strengths, least),
            expected="(least, largest) above 0 and least a weight from 0 to 0.5",
            got=f"{strengths} and {least}",
        )


def _parse_sources(
    sources: Sources | Mapping[str, float] | Sequence[str], exponent: float
) -> tuple[Mixture, Mixture, Mapping[str, float] | None]:
    """Return the natural mixture, the one around which to draw, and the tokens where known."""
    if isinstance(sources, Sources):
        available: Mapping[str, float] = sources.token_table
    elif isinstance(sources, Mapping):
        available = {str(name): parse_count(value) for name, value in sources.items()}
        # Numbers that sum to 1 are weights: no domain has less than one token.
        if abs(sum(available.values()) - 1) <= SUM_TOLERANCE:
            mixture = Mixture(available)
            return mixture, mixture, None
    elif isinstance(sources, Sequence) and not isinstance(sources, str):
        even = Mixture.uniform(sources)
        return even, even, None
    else:
        raise InvalidArgument(
            name="design_swarm",
            value=sources,
            expected="Sources, domain to tokens, a mixture, or a list of domains",
        )
    return Mixture.natural(available), Mixture.temper(available, exponent), available


def _compile_region(space: Space, natural: Mixture, usage: float | None) -> Region:
    """Return the region of a space in which no domain exceeds its natural share by ``usage``."""
    if usage is not None:
        if not usage > 0:
            raise InvalidValue(
                name="usage", value=usage, expected="a number above 0, times the natural share"
            )
        caps = [
            Limit("usage cap", domain, space.row(domain), usage * share)
            for domain, share in natural.items()
            if usage * share < 1
        ]
        space = space.with_limits(caps)
    # Before the region is compiled: the solver's sentence would name no limit.
    space.refuse_conflict()
    lower, upper, limits = space.compile()
    return region(lower, upper, limits)
