"""The mean of the numbers that a language model may answer, by its own probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidValue
from reweightviz.core.types import Array

__all__ = ["expected_answer"]


def expected_answer(log_probs: ArrayLike, values: ArrayLike) -> Array:
    """Return ``sum_a value_a p_a`` (...,), p the probabilities of these answers alone.

    Args:
        log_probs: (..., A) in nats, or logits; -inf where an answer is not among those told.
        values: (A,) the number that each answer stands for.

    Returns:
        NaN where a log probability is NaN, or none of the answers was told.

    Raises:
        ReweightvizError: not one number for each answer.

    Example:
        >>> expected_answer([[-1.8, -0.2], [-0.1, -np.inf], [-np.inf, -np.inf]], [0, 1]).round(6)
        array([0.832018, 0.      ,      nan])
    """
    logits = np.asarray(log_probs, np.float64)
    numbers = np.asarray(values, np.float64)
    if logits.ndim < 1 or logits.shape[-1:] != numbers.shape or (logits == np.inf).any():
        raise InvalidValue(
            name="log probabilities of answers",
            value=logits.shape,
            expected=f"(N, {len(numbers)}) below inf, one for each answer",
            got=f"shape {logits.shape}" if logits.shape[-1:] != numbers.shape else "inf",
        )
    peak = logits.max(-1, keepdims=True)
    told = np.isfinite(peak)
    weights = np.exp(logits - np.where(told, peak, 0.0))
    total = weights.sum(-1)
    found = np.full(total.shape, np.nan)
    np.divide(weights @ numbers, total, out=found, where=told[..., 0])
    return found
