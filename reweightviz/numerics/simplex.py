"""Weights on the simplex: softmax without overflow, smoothing, filling up to caps."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.mixture import SUM_TOLERANCE
from reweightviz.core.types import Array

__all__ = [
    "LEAST",
    "as_prior",
    "ascend",
    "lift_to_floor",
    "log_smooth",
    "log_softmax",
    "numbers",
    "share",
    "softmax",
    "water_fill",
]


LEAST = 1e-30
"""The least weight that is not 0: above 0 in 32 bits too, too small for the sum to change."""


def numbers(values: ArrayLike, what: str) -> Array:
    """Return ``values`` as float64, of any shape; refuse in one sentence what cannot be that."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidValue(
            name=what, value=values, expected="numbers, in rows of one length"
        ) from error


def share(weights: ArrayLike, what: str = "weights") -> Array:
    """Return ``weights`` as (K,) float64 that sum to exactly 1, up to rounding.

    Raises:
        ReweightvizError: a weight is negative or not finite, or the sum is further than 1e-6 from
            1.
    """
    w = numbers(weights, what)
    if w.ndim != 1 or not w.size or not np.isfinite(w).all() or (w < 0).any():
        raise InvalidValue(name=what, value=w, expected="(K,) finite numbers >= 0, one a domain")
    if abs(w.sum() - 1) > SUM_TOLERANCE:
        raise ReweightvizError(
            f"{what} must sum to 1; these sum to {w.sum():.6g}: divide them by their sum."
        )
    return np.asarray(w / w.sum(), np.float64)


def as_prior(prior: ArrayLike | None, domains: int) -> Array:
    """Return a prior (K,) that sums to 1, uniform when not given.

    Raises:
        ReweightvizError: it is no such mixture, or not of ``domains`` weights.
    """
    if prior is None:
        return np.full(domains, 1 / domains)
    found = share(prior, "the prior")
    if found.size != domains:
        raise ReweightvizError(f"the prior has {found.size} weights; there are {domains} domains.")
    return found


def log_softmax(scores: Array) -> Array:
    """Return the log of weights (K,) proportional to ``exp(scores)``; -inf is a weight of 0.

    Raises:
        ReweightvizError: a score is NaN or infinite, because the step or the signal was too large.

    Example:
        >>> log_softmax(np.array([0.0, -1e7])).tolist()
        [0.0, -10000000.0]
    """
    if np.isnan(scores).any() or (scores == np.inf).any():
        raise ReweightvizError(
            f"the step is too large for a weight to be a number: the scores are {scores}; "
            "take a smaller step size."
        )
    # The largest score is 0 then, so that no exponential overflows.
    shifted = scores - scores.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()), np.float64)


def ascend(log_weights: Array, rate: float, scores: Array) -> Array:
    """Return log weights (K,) after a step of exponentiated gradient up ``scores``.

    A step that overflows is refused in one sentence.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return log_softmax(log_weights + rate * scores)


def softmax(log_weights: Array) -> Array:
    """Return the weights (K,) of their logs, which :func:`log_softmax` made.

    Only -inf is a weight of 0, the others are at least 1e-30.

    >>> softmax(np.array([0.0, -1e7, -np.inf])).tolist()
    [1.0, 1e-30, 0.0]
    """
    weights = np.where(log_weights > -np.inf, np.maximum(np.exp(log_weights), LEAST), 0.0)
    return np.asarray(weights / weights.sum(), np.float64)


def log_smooth(log_weights: Array, amount: float) -> Array:
    """Return the log of ``(1 - amount) * weights + amount / K``."""
    if amount == 0:
        return log_weights
    # In logarithms: a weight of 1e-400 is 0 as a number, and may still grow back as a logarithm.
    with np.errstate(divide="ignore"):
        smoothed = np.logaddexp(np.log1p(-amount) + log_weights, np.log(amount / log_weights.size))
    return np.asarray(smoothed, np.float64)


def water_fill(caps: Array, total: float) -> Array:
    """Share ``total`` evenly over (K,) vessels that hold ``caps``.

    The overflow goes to those with room.

    All vessels that are not full hold the same. When ``total`` is more than all caps, all are full.

    >>> water_fill(np.array([1000.0, 100, 10, 1]), 400).tolist()
    [289.0, 100.0, 10.0, 1.0]
    """
    ascending = np.sort(caps)
    open_vessels = np.arange(caps.size, 0, -1)
    in_full_ones = np.concatenate([[0.0], np.cumsum(ascending)[:-1]])
    # The smallest vessels fill up first. The level stops below the first cap at which it would
    # take more than there is.
    is_enough = in_full_ones + ascending * open_vessels >= total
    if not is_enough.any():
        return caps.copy()
    first = int(np.argmax(is_enough))
    level = (total - in_full_ones[first]) / open_vessels[first]
    return np.asarray(np.minimum(caps, level), np.float64)


def lift_to_floor(weights: Array, floor: float) -> Array:
    """Return weights (K,) none of which is below ``floor``; those above keep their proportions.

    Raises:
        ReweightvizError: K floors are more than 1.

    Example:
        >>> lift_to_floor(np.array([0.8, 0.2, 0.0]), 0.1).round(6).tolist()
        [0.72, 0.18, 0.1]
    """
    if weights.size * floor > 1 + 1e-12:
        raise ReweightvizError(
            f"a floor of {floor:g} for each of {weights.size} domains adds up to more than 1; "
            f"at most {1 / weights.size:g} will do."
        )
    low = np.zeros(weights.shape, bool)
    # What is lifted is taken from the others, which may bring some of them below the floor too.
    for _ in range(weights.size):
        left = 1 - floor * low.sum()
        scaled = weights * (left / max(weights[~low].sum(), 1e-300))
        more = ~low & (scaled < floor)
        if not more.any():
            break
        low |= more
    found = np.where(low, floor, scaled)
    return np.asarray(found / found.sum(), np.float64)
