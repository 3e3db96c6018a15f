"""Inputs of a law: the mixtures that it predicts for, and the numbers that it takes beside them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    UnmetNeed,
    WrongDomains,
    list_names,
)
from reweightviz.core.mixture import Mixture
from reweightviz.core.types import Array

__all__ = ["WIDE", "Inputs", "align_mixtures", "check_given", "varies"]


WIDE = ("available",)
"""Inputs with a number a domain."""


class Inputs(NamedTuple):
    """n mixtures, and what a law takes beside them.

    ``weights`` (n, K); ``given`` name to (n,), such as run_tokens, or (n, K) for those in ``WIDE``;
    ``fixed`` name to an array that belongs to the law and is not fitted, such as which domain a
    target is.
    """

    weights: Array
    # Read-only, since all tuples share their defaults.
    given: Mapping[str, Array] = MappingProxyType({})
    fixed: Mapping[str, Array] = MappingProxyType({})

    def take(self, rows: slice) -> Inputs:
        """Return the inputs of some of the mixtures."""
        given = {name: value[rows] for name, value in self.given.items()}
        return self._replace(weights=self.weights[rows], given=given)


def align_mixtures(weights: Any, domains: tuple[str, ...]) -> Array:
    """Return weights (n, K) in the order of ``domains``, however the mixtures are written.

    Args:
        weights: an array (K,) or (n, K), a mixture, or a list of mixtures.
        domains: names (K,).

    Raises:
        ReweightvizError: another number of weights, other domains, or no numbers.

    Example:
        >>> align_mixtures({"code": 0.25, "web": 0.75}, ("web", "code")).tolist()
        [[0.75, 0.25]]
    """
    if isinstance(weights, Mapping):
        weights = [weights]
    listing = isinstance(weights, list | tuple) and len(weights) > 0
    if listing and all(isinstance(row, Mapping) for row in weights):
        weights = [_align(row, domains) for row in weights]
    try:
        mixtures = np.atleast_2d(np.asarray(weights, np.float64))
    except (TypeError, ValueError):
        mixtures = np.empty(0)
    if mixtures.ndim != 2 or mixtures.shape[1] != len(domains):
        raise InvalidArgument(
            name="the law",
            value=weights,
            expected=f"weights (n, {len(domains)}), one for each of {list_names(domains)}, or "
            "mixtures of them",
            got=f"shape {np.shape(weights)}" if mixtures.size else None,
        )
    return mixtures


def check_given(who: str, name: str, values: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return a finite number above 0 for each of n runs or mixtures, (n,), or (n, K) if ``WIDE``.

    Args:
        who: name of the law, for the sentences.
        name: of the input.
        values: one for all, or one for each; where the input is wide, a row for each.
        shape: (n, K), that of the mixtures.

    Raises:
        ReweightvizError: another shape, or numbers that are not above 0.

    Example:
        >>> check_given("the law", "run_tokens", 1e9, (2, 3)).tolist()
        [1000000000.0, 1000000000.0]
        >>> check_given("the law", "available", [1e9, 2e9], (2, 2)).tolist()
        [[1000000000.0, 2000000000.0], [1000000000.0, 2000000000.0]]
    """
    given = np.asarray(values, np.float64)
    count, domains = shape
    if name in WIDE:
        fits = given.shape in ((domains,), (1, domains), (count, domains))
        expected = f"({domains},) or ({count}, {domains})"
    else:
        fits = given.ndim <= 1 and given.size in (1, count)
        expected = f"one number or ({count},)"
    if not fits:
        raise UnmetNeed(
            name=who,
            value=given.shape,
            expected=f"{name} as {expected}",
            got=f"shape {given.shape}",
        )
    usable = np.isfinite(given) & (given > 0)
    if not usable.all():
        raise InvalidValue(
            name=name, value=given[~usable].ravel()[:3], expected="finite numbers above 0"
        )
    full = shape if name in WIDE else (count,)
    # A broadcast view cannot be written to.
    return np.broadcast_to(given, full).copy()


def varies(values: ArrayLike) -> bool:
    """Return whether the runs differ in an input, so that its effect can be fitted.

    >>> varies([1e9, 1e9]), varies([1e9, 2e9])
    (False, True)
    """
    return len(np.unique(np.asarray(values, np.float64))) > 1


def _align(mixture: Mapping[str, float], domains: tuple[str, ...]) -> Array:
    given = Mixture.of(mixture)
    if set(given) != set(domains):
        raise WrongDomains(
            who="the mixture",
            asked=given,
            other="the law",
            there=domains,
            hint="after a split, corpus.lineage.mixture_onto(mixture, law.domains) gives the law's",
        )
    return given.aligned(domains)
