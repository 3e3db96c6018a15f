"""Designing a swarm: the mixtures of the proxy runs from which a law is to be fitted.

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

from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    UnknownName,
    listed,
    warn,
)
from reweightviz.core.mixture import SUM_TOLERANCE, Mixture
from reweightviz.core.protocols import ExponentialLaw, Law
from reweightviz.core.sources import Sources
from reweightviz.core.token_counts import parse_budget, parse_count
from reweightviz.core.types import Array
from reweightviz.core.validation import whole_number
from reweightviz.numerics.designs import (
    Drawn,
    different,
    dirichlet_design,
    information,
    log_linear_features,
    optimal_design,
    space_filling_design,
)
from reweightviz.numerics.hull import distance_outside
from reweightviz.numerics.simplex_search import Region, region
from reweightviz.numerics.threads import one_thread
from reweightviz.proposals.limits import Epochs, Limit, Space, space_of

METHODS = ("dirichlet", "optimal", "space-filling")
CURVES = 8
"""Curves with random slopes that an optimal design is made for, where no law is known yet."""


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
    """Mixtures to train proxy runs on.

    Args:
        sources: what there is of each domain; or a mixture around which to draw; or the domains'
            names alone.
        runs: how many mixtures; a log-linear law needs one more than there are domains, and three
            times as many to be good.
        method: "dirichlet" (draws of every density around the natural mixture, as RegMix),
            "space-filling" (far apart, evenly over all that is allowed) or "optimal" (those that
            tell a log-linear law's parameters best).
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
        ``.attrs["diagnostics"]`` says how well the mixtures are told apart (``condition_number``),
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
    tokens = parse_budget(tokens)
    if (
        not isinstance(strengths, tuple | list)
        or len(strengths) != 2
        or not 0 < strengths[0] <= strengths[1]
        or not 0 <= least < 0.5
    ):
        raise InvalidValue(
            name="strengths",
            value=(strengths, least),
            expected="(least, largest) above 0 and least a weight from 0 to 0.5",
            got=f"{strengths} and {least}",
        )
    natural, centre, table = _centre(sources, exponent)
    domains = tuple(natural)
    space = space_of(
        domains, bounds=bounds, groups=groups, tokens=tokens, sources=table, max_epochs=max_epochs
    )
    where = _region(space, natural, usage)
    rng = np.random.default_rng(seed)
    facts: dict[str, Any] = {}
    if method == "dirichlet":
        drawn = dirichlet_design(
            _drawable(centre.array), runs, where, strengths=strengths, least=least, rng=rng
        )
    elif method == "space-filling":
        drawn = space_filling_design(runs, where, least=least, rng=rng)
    else:
        drawn, facts = _optimal(domains, centre.array, runs, where, strengths, least, law, rng)
    if runs <= len(domains):
        warn(
            f"{runs} runs are too few for a law: a log-linear one needs at least "
            f"{len(domains) + 1} for {len(domains)} domains."
        )
    design = pd.DataFrame(drawn.mixtures, columns=list(domains)).rename_axis("run")
    design.attrs["diagnostics"] = {
        "method": method,
        "seed": seed,
        "pulled": drawn.pulled,
        **facts,
        **_diagnostics(drawn.mixtures, natural, table, tokens),
    }
    return design


def _centre(
    sources: Sources | Mapping[str, float] | Sequence[str],
    exponent: float,
) -> tuple[Mixture, Mixture, Mapping[str, float] | None]:
    """The natural mixture, the one around which to draw, and the tokens where they are known."""
    if isinstance(sources, Sources):
        table: Mapping[str, float] = sources.token_table
    elif isinstance(sources, Mapping):
        numbers = {str(name): parse_count(value) for name, value in sources.items()}
        if abs(sum(numbers.values()) - 1) <= SUM_TOLERANCE:
            given = Mixture(numbers)
            return given, given, None
        table = numbers
    else:
        if isinstance(sources, str) or not isinstance(sources, Sequence):
            raise InvalidArgument(
                name="design_swarm",
                value=sources,
                expected="Sources, domain to tokens, a mixture, or a list of domains",
            )
        even = Mixture.uniform(sources)
        return even, even, None
    return Mixture.natural(table), Mixture.temper(table, exponent), table


def _drawable(centre: Array) -> Array:
    return np.asarray(np.maximum(centre, 1e-12), np.float64)


def _region(space: Space, natural: Mixture, usage: float | None) -> Region:
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
    space.refuse_conflict()
    lower, upper, limits = space.compiled()
    return region(lower, upper, limits)


def _optimal(
    domains: tuple[str, ...],
    centre: Array,
    runs: int,
    where: Region,
    strengths: tuple[float, float],
    least: float,
    law: Law | None,
    rng: np.random.Generator,
) -> tuple[Drawn, dict[str, Any]]:
    slopes = _slopes(law, domains, rng)
    half = min(max(400, 3 * runs), 2000)
    draws = dirichlet_design(
        _drawable(centre), half, where, strengths=strengths, least=least, rng=rng
    )
    spread = space_filling_design(half, where, least=least, rng=rng)
    pool = different(np.concatenate([draws.mixtures, spread.mixtures]))
    chosen = optimal_design(pool, slopes, runs, rng=rng)
    features = log_linear_features(np.concatenate([pool[chosen], draws.mixtures[:runs]]), slopes)
    known, plain = (information(part).mean() for part in (features[:, :runs], features[:, runs:]))
    gain = float(
        np.exp((known - plain) / features.shape[2])
    )  # per parameter, as D-efficiency is told
    return Drawn(pool[chosen], draws.pulled + spread.pulled), {
        "information_against_dirichlet": gain,
        "curves": len(slopes),
    }


def _slopes(law: Law | None, domains: tuple[str, ...], rng: np.random.Generator) -> Array:
    if law is None:
        return rng.normal(0, 1, (CURVES, len(domains)))
    if not isinstance(law, ExponentialLaw) or set(law.domains) != set(domains):
        raise InvalidValue(
            name="an optimal design",
            value=law,
            expected=f"made around a log-linear law of the same domains, {listed(domains)}",
            got=f"{law!r:.80} of {listed(getattr(law, 'domains', ()))}",
        )
    order = [law.domains.index(domain) for domain in domains]
    return np.asarray(np.clip(law.exponentials()[:, 1:][:, order], -20, 20), np.float64)


def _diagnostics(
    mixtures: Array, natural: Mixture, table: Mapping[str, float] | None, tokens: float | None
) -> dict[str, Any]:
    apart = (
        np.abs(mixtures[:, None] - mixtures[None]).sum(2) / 2
        if len(mixtures) <= 2000
        else np.empty((0, 0))
    )
    facts: dict[str, Any] = {
        "condition_number": float(np.linalg.cond(mixtures)),
        "domains_a_run": float((mixtures > 0).sum(1).mean()),
        "nearest_pair": float(apart[~np.eye(len(apart), dtype=bool)].min()) if len(apart) else None,
        "natural_outside_hull": float(distance_outside(natural.array, mixtures)[0]),
        "uniform_outside_hull": float(
            distance_outside(np.full(len(natural), 1 / len(natural)), mixtures)[0]
        ),
        "epochs": None,
    }
    if table is not None and tokens is not None:
        available = np.array([table[domain] for domain in natural], np.float64)
        passes = np.divide(
            mixtures * tokens, available, out=np.zeros_like(mixtures), where=available > 0
        )
        facts["epochs"] = dict(zip(natural, passes.max(0).tolist(), strict=True))
    return facts
