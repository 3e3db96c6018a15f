"""The optimal design: of many candidates the mixtures that determine a law's parameters best."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from reweightviz.core.errors import InvalidValue, list_names
from reweightviz.core.protocols import ExponentialLaw, Law
from reweightviz.core.types import Array
from reweightviz.numerics.designs import (
    Drawn,
    dirichlet_design,
    information,
    keep_different,
    log_linear_features,
    optimal_design,
    space_filling_design,
)
from reweightviz.numerics.region import Region

__all__ = ["CURVES", "STEEPEST", "Draws", "design_optimally"]


CURVES = 8
"""Curves with random slopes that a design is made for, where no law is known yet."""
STEEPEST = 20
"""Largest slope that counts: steeper curves are flat but for a corner."""


class Draws(NamedTuple):
    """Settings of the draws: a prior (K,), a region, strengths, and the least weight but 0."""

    prior: Array
    where: Region
    strengths: tuple[float, float]
    least: float


def design_optimally(
    draws: Draws, domains: tuple[str, ...], runs: int, law: Law | None, rng: np.random.Generator
) -> tuple[Drawn, dict[str, Any]]:
    """Return the design, and its gain in information over one of random draws.

    Args:
        draws: how candidates are drawn.
        domains: (K,) of the mixtures.
        runs: mixtures to choose.
        law: a first fit, around which the design is made.
        rng: of all draws.
    """
    slopes = _slopes(law, domains, rng)
    half = min(max(400, 3 * runs), 2000)
    random = dirichlet_design(
        draws.prior, half, draws.where, strengths=draws.strengths, least=draws.least, rng=rng
    )
    spread = space_filling_design(half, draws.where, least=draws.least, rng=rng)
    # Dirichlet draws cluster where the prior is, so half of the candidates fill the space.
    pool = keep_different(np.concatenate([random.mixtures, spread.mixtures]))
    chosen = pool[optimal_design(pool, slopes, runs, rng=rng)]
    features = log_linear_features(np.concatenate([chosen, random.mixtures[:runs]]), slopes)
    ours = information(features[:, :runs]).mean()
    theirs = information(features[:, runs:]).mean()
    # Per parameter, as the literature gives D-efficiency.
    gain = float(np.exp((ours - theirs) / features.shape[2]))
    facts = {"information_against_dirichlet": gain, "curves": len(slopes)}
    return Drawn(chosen, random.pulled + spread.pulled), facts


def _slopes(law: Law | None, domains: tuple[str, ...], rng: np.random.Generator) -> Array:
    """Return the slopes (S, K) of the curves that the design is made for."""
    if law is None:
        return rng.normal(0, 1, (CURVES, len(domains)))
    if not isinstance(law, ExponentialLaw) or set(law.domains) != set(domains):
        raise InvalidValue(
            name="an optimal design",
            value=law,
            expected=f"made around a log-linear law of the same domains, {list_names(domains)}",
            got=f"{law!r:.80} of {list_names(getattr(law, 'domains', ()))}",
        )
    order = [law.domains.index(domain) for domain in domains]
    slopes = law.exponentials()[:, 1:][:, order]
    return np.asarray(np.clip(slopes, -STEEPEST, STEEPEST), np.float64)
