"""The diagnostics of a design: how far apart its mixtures are, and what they reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reweightviz.core.mixture import Mixture
from reweightviz.core.types import Array
from reweightviz.numerics.hull import distance_outside

__all__ = ["MOST_PAIRED", "describe_design"]


MOST_PAIRED = 2000
"""Mixtures up to which all pairs are measured: more would fill the memory."""


def describe_design(
    mixtures: Array, natural: Mixture, available: Mapping[str, float] | None, tokens: float | None
) -> dict[str, Any]:
    """Return the diagnostics of mixtures (n, K) by name.

    Args:
        mixtures: the design.
        natural: the mixture by what there is.
        available: domain to tokens, where known.
        tokens: budget of one run, where known.
    """
    uniform = np.full(len(natural), 1 / len(natural))
    return {
        "condition_number": float(np.linalg.cond(mixtures)),
        "domains_a_run": float((mixtures > 0).sum(1).mean()),
        "nearest_pair": _nearest_pair(mixtures),
        "natural_outside_hull": float(distance_outside(natural.array, mixtures)[0]),
        "uniform_outside_hull": float(distance_outside(uniform, mixtures)[0]),
        "epochs": _most_epochs(mixtures, natural.domains, available, tokens),
    }


def _nearest_pair(mixtures: Array) -> float | None:
    """Return the least share of tokens by which two mixtures differ; None of too many."""
    if len(mixtures) > MOST_PAIRED:
        return None
    apart = np.abs(mixtures[:, None] - mixtures[None]).sum(2) / 2
    return float(apart[~np.eye(len(apart), dtype=bool)].min())


def _most_epochs(
    mixtures: Array,
    domains: tuple[str, ...],
    available: Mapping[str, float] | None,
    tokens: float | None,
) -> dict[str, float] | None:
    if available is None or tokens is None:
        return None
    there = np.array([available[domain] for domain in domains], np.float64)
    passes = np.divide(mixtures * tokens, there, out=np.zeros_like(mixtures), where=there > 0)
    return dict(zip(domains, passes.max(0).tolist(), strict=True))
