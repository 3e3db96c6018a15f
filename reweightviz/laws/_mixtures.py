"""The mixtures that a law is asked about, however they are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reweightviz.core.errors import InvalidArgument, WrongDomains, listed
from reweightviz.core.mixture import Mixture
from reweightviz.core.types import Array


def asked_mixtures(weights: Any, domains: tuple[str, ...]) -> Array:
    """Weights (n, K) in the order of ``domains`` from an array (K,) or (n, K), a mixture, or a list of mixtures.

    Raises:
        ReweightvizError: another number of weights, other domains, or no numbers.

    Example:
        >>> asked_mixtures({"code": 0.25, "web": 0.75}, ("web", "code")).tolist()
        [[0.75, 0.25]]
    """
    if isinstance(weights, Mapping):
        weights = [weights]
    if (
        isinstance(weights, list | tuple)
        and weights
        and all(isinstance(row, Mapping) for row in weights)
    ):
        weights = [_aligned(row, domains) for row in weights]
    try:
        mixtures = np.atleast_2d(np.asarray(weights, np.float64))
    except (TypeError, ValueError):
        mixtures = np.empty(0)
    if mixtures.ndim != 2 or mixtures.shape[1] != len(domains):
        raise InvalidArgument(
            name="the law",
            value=weights,
            expected=f"weights (n, {len(domains)}), one for each of {listed(domains)}, or "
            "mixtures of them",
            got=f"shape {np.shape(weights)}" if mixtures.size else None,
        )
    return mixtures


def _aligned(mixture: Mapping[str, float], domains: tuple[str, ...]) -> Array:
    given = mixture if isinstance(mixture, Mixture) else Mixture(mixture)
    if set(given) != set(domains):
        raise WrongDomains(
            who="the mixture",
            asked=given,
            other="the law",
            there=domains,
            hint="after a split, corpus.lineage.mixture_onto(mixture, law.domains) gives the law's",
        )
    return given.aligned(domains)
