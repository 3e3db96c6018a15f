"""The log loss of documents under a mixture of models, and the weights at which it is lowest.

    minimise  -sum_x c_x log sum_i p_i P_i(x) + kl * KL(p || q)   subject to  sum p = 1,  lower <= p <= upper

Convex in p: some tens of Newton steps of one K x K solve, where expectation maximisation and exponentiated gradient,
which reach the same weights, take thousands of passes over the documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.numerics.barrier import minimise_convex
from reweightviz.numerics.convex import Optimum
from reweightviz.numerics.simplex import share

Array = NDArray[np.float64]
BLOCK = 1 << 22
"""Documents times mixtures that are held at once."""


class Documents(NamedTuple):
    """Documents under K models: ``ratios`` (X, K), each row's probabilities divided by its largest, whose logarithm is ``top`` (X,)."""

    ratios: Array
    top: Array

    def loss(self, weights: Array, shares: Array) -> Array:
        """``-sum_x c_x log sum_i p_i P_i(x)`` for mixtures (n, K) and document shares c (..., X): (..., n)."""
        rows = max(1, BLOCK // max(len(self.top), 1))
        parts = [shares @ self.each(weights[first:first + rows]) for first in range(0, len(weights), rows)]
        return np.concatenate(parts, axis=-1) if parts else np.empty((*shares.shape[:-1], 0))

    def each(self, weights: Array) -> Array:
        """``-log sum_i p_i P_i(x)`` of each document, (X, n); inf where no weight explains it."""
        with np.errstate(divide="ignore"):
            return np.asarray(-np.log(self.ratios @ weights.T) - self.top[:, None], np.float64)


def documents(log_probs: Array) -> Documents:
    """From log probabilities (X, K), however small; -inf for a document that a model cannot make.

    >>> documents(np.array([[-1000.0, -1000.0]])).loss(np.array([[0.5, 0.5]]), np.ones(1)).tolist()
    [1000.0]
    """
    top = log_probs.max(1)
    if not np.isfinite(top).all():
        first = int(np.argmin(np.isfinite(top)))
        raise ReweightvizError("every document needs a finite log probability under one domain at least; "
                               f"document {first} has {log_probs[first]}.")
    return Documents(np.exp(log_probs - top[:, None]), top)


def minimise_mixture_loss(texts: Documents, shares: Array, *, kl: float = 0.0, prior: ArrayLike | None = None,
                          lower: ArrayLike | None = None, upper: ArrayLike | None = None,
                          names: Sequence[str] | None = None) -> Optimum:
    """Minimise ``-sum_x c_x log sum_i p_i P_i(x) + kl * KL(p || q)`` over the simplex within bounds.

    Args:
        texts: X documents under K models.
        shares: c (X,), >= 0.
        kl: strength of the pull towards the prior, in the unit of the loss.
        prior: q (K,), sums to 1; uniform when not given. A domain with q = 0 gets 0 when kl > 0.
        lower: (K,) floors, 0 when not given.
        upper: (K,) caps, 1 when not given.
        names: of the domains, for the error sentences.

    Returns:
        The optimum and its gap: the minimum is at least ``value - gap``.

    Raises:
        ReweightvizError: no p meets the bounds, or a document has probability 0 under all that the bounds allow.

    Example:
        >>> halves = documents(np.log([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]))
        >>> minimise_mixture_loss(halves, np.full(3, 1 / 3)).x.round(4).tolist()
        [0.2917, 0.7083]
    """
    count = texts.ratios.shape[1]
    if shares.shape != texts.top.shape or not np.isfinite(shares).all() or (shares < 0).any() or not shares.any():
        raise InvalidValue(
            name="shares",
            value=shares.shape,
            expected=f"{len(texts.top)} finite numbers >= 0, one a document, not all 0",
            got=f"shape {shares.shape}",
        )
    if not np.isfinite(kl) or kl < 0:
        raise InvalidValue(name="kl", value=kl, expected="a finite number >= 0")
    prior = np.full(count, 1 / count) if prior is None else share(prior, "the prior")
    if prior.size != count:
        raise ReweightvizError(f"the prior has {prior.size} weights; there are {count} domains.")
    allowed = np.broadcast_to(1.0 if upper is None else np.asarray(upper, np.float64), (count,)) * ((prior > 0) | (kl == 0))
    counted = shares > 0
    ratios, shares = texts.ratios[counted], shares[counted]
    if (ratios @ allowed == 0).any():
        raise ReweightvizError("some document has probability 0 under every domain that the bounds and the prior allow.")
    size = float(shares.sum()) + kl  # a loss of one nat a document more, so that a perfect domain leaves something to compare with

    def curved(x: Array) -> tuple[float, Array, Array]:
        mixed, some = ratios @ x, x > 0
        pull = np.where(some, np.log(np.where(some, x, 1.0) / np.where(prior > 0, prior, 1.0)), 0.0)
        slope = -(shares / mixed) @ ratios + kl * (pull + 1)
        bend = (ratios.T * (shares / mixed ** 2)) @ ratios + np.diag(np.where(some, kl / np.where(some, x, 1.0), 0.0))
        return size - float(shares @ np.log(mixed)) + kl * float(x @ pull), slope, bend

    found = minimise_convex(curved, count, lower=lower, upper=upper, closed=prior if kl else None, names=names)
    x = found.x if kl else _at_the_bounds(found.x, lower)
    return Optimum(x, curved(x)[0] - size - float(shares @ texts.top[counted]), found.gap)


def _at_the_bounds(x: Array, lower: ArrayLike | None) -> Array:
    """Weights that the barrier held a little above their bound are put on it."""
    low = np.zeros_like(x) if lower is None else np.asarray(lower, np.float64) + np.zeros_like(x)
    x = np.where(x - low < 1e-9, low, x)
    x[int(np.argmax(x - low))] += 1 - x.sum()
    return x
