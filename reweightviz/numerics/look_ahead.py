"""How the loss after a step depends on the weight of each example in that step.

Mengye Ren et al., "Learning to Reweight Examples for Robust Deep Learning", ICML 2018,
https://arxiv.org/abs/1803.09050, for weights as such; FLYT keeps the softmax that makes them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.types import Array
from reweightviz.numerics.inner import inner

__all__ = ["LookAhead", "look_ahead", "softmax", "through_softmax"]


class LookAhead(NamedTuple):
    """Derivatives of the target's loss after one step of gradient descent.

    Attributes:
        by_weight: (B,) by the weight of each example.
        by_logit: (B,) by the logit whose softmax the weight is.
    """

    by_weight: Array
    by_logit: Array


def look_ahead(
    G: Any, logits: ArrayLike, target_gradient: Callable[[Array], ArrayLike], *, step: float
) -> LookAhead:
    """Take a step by the weighted gradient, and differentiate the target's loss after it.

    Args:
        G: (B, D) gradients of the examples' losses; the weighted loss is their weighted sum.
        logits: (B,) whose softmax are the weights.
        target_gradient: change of the parameters (D,) to the gradient (D,) of the target's loss
            there.
        step: the learning rate.

    >>> found = look_ahead(
    ...     np.array([[1, 0], [0, 1], [-1, 0]]), np.zeros(3),
    ...     lambda change: change - [1, 0.5], step=0.1,
    ... )
    >>> found.by_weight.round(6).tolist(), found.by_logit.round(6).tolist()
    ([0.1, 0.053333, -0.1], [0.027407, 0.011852, -0.039259])
    """
    weights = softmax(logits)
    change = -step * (weights @ np.asarray(G, np.float64))
    by_weight = inner(G, -step * np.asarray(target_gradient(change), np.float64))
    return LookAhead(by_weight, through_softmax(by_weight, weights))


def softmax(logits: ArrayLike) -> Array:
    """Return weights (B,) that add up to 1."""
    values = np.asarray(logits, np.float64)
    raised = np.exp(values - values.max())
    weights: Array = raised / raised.sum()
    return weights


def through_softmax(by_weight: Array, weights: Array) -> Array:
    """Return the derivative by the logits from that by their softmax."""
    by_logit: Array = weights * (by_weight - weights @ by_weight)
    return by_logit
