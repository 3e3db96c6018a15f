"""Policies for the data-mixing agent: from the history of weights and feedback to the next weights.

A policy is any object with ``next_weights(weights (H, K), feedback (H, K)) -> (K,)``: feedback t
was measured after training at weights t. Here is one that is fitted to logged runs; a person may
bring another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.numerics.simplex import log_softmax, softmax


class Policy(Protocol):
    """What a data-mixing agent follows."""

    def next_weights(self, weights: Array, feedback: Array) -> Array:
        """Next weights (K,) from the history of both, (H, K)."""
        ...


@dataclass(frozen=True, eq=False)
class LinearDynamics:
    """Greedy steps on dynamics fitted by :func:`fit_linear_dynamics`.

    A round at weights w is taken to lower loss i by ``sum_j (constant_ij + share_ij loss_i) w_j``,
    so that what a domain has left to give fades as the losses fall. The policy solves the next
    round's linear mixing with an entropy term, softmax of eta times the gains, and moves there as
    far as the trust region allows.

    Args:
        constant: (K, K), rows the loss, columns the domain trained on.
        share: (K, K), what a domain takes off a loss in proportion to it.
        eta: how sharply the gains count, after division by the largest.
        trust: most KL divergence between the weights of two rounds, in nats.
    """

    constant: Array
    share: Array
    eta: float = 10.0
    trust: float = 0.3

    def gains(self, losses: Array) -> Array:
        """What each domain alone would take off the sum of the losses in a round, (K,)."""
        known = ~np.isnan(losses)
        return np.asarray((self.constant + self.share * losses[:, None])[known].sum(0), np.float64)

    def next_weights(self, weights: Array, feedback: Array) -> Array:
        """Next weights (K,) from the history of both, (H, K)."""
        return towards(weights[-1], self.gains(feedback[-1]), self.eta, self.trust)


def fit_linear_dynamics(
    runs: Sequence[tuple[ArrayLike, ArrayLike]],
    *,
    ridge: float = 1e-6,
    eta: float = 10.0,
    trust: float = 0.3,
) -> LinearDynamics:
    """Ridge regression of what each round took off each loss, on the weights of the round and on these times the loss.

    Args:
        runs: logged runs, each weights (H, K) and feedback (H, K), H at least 2; feedback t after
            training at weights t.
        ridge: penalty, as a share of the mean square of the features.
        eta: of the policy.
        trust: of the policy.

    Example:
        >>> rng, weights = np.random.default_rng(0), np.random.default_rng(1).dirichlet(np.ones(2), 30)
        >>> losses = 5 - np.cumsum(weights @ np.array([[0.1, 0.0], [0.02, 0.05]]), axis=0)
        >>> fit_linear_dynamics([(weights, losses)]).gains(losses[-1]).round(2).tolist()
        [0.1, 0.07]
    """
    logged = [
        (np.asarray(weights, np.float64), np.asarray(feedback, np.float64))
        for weights, feedback in runs
    ]
    if not logged or any(
        w.ndim != 2 or w.shape != f.shape or len(w) < 2 or w.shape[1] != logged[0][0].shape[1]
        for w, f in logged
    ):
        raise UnmetNeed(
            name="a fitted policy",
            value=[(w.shape, f.shape) for w, f in logged],
            expected="runs of weights (H, K) and feedback (H, K), of the same K domains and "
            "H of at least 2",
        )
    used = np.concatenate([w[1:] for w, _ in logged])
    before = np.concatenate([f[:-1] for _, f in logged])
    fell = before - np.concatenate([f[1:] for _, f in logged])
    K = used.shape[1]
    constant, share = np.zeros((K, K)), np.zeros((K, K))
    for i in range(K):
        seen = np.isfinite(fell[:, i])
        features = np.hstack([used, used * before[:, i, None]])[seen]
        normal = features.T @ features
        penalty = ridge * max(np.trace(normal) / (2 * K), 1e-300) * np.eye(2 * K)
        constant[i], share[i] = np.linalg.solve(
            normal + penalty, features.T @ fell[seen, i]
        ).reshape(2, K)
    return LinearDynamics(constant, share, eta, trust)


def towards(weights: Array, scores: Array, eta: float, trust: float) -> Array:
    """From ``weights`` (K,) towards the softmax of ``eta * scores / max |scores|``, as far as a KL divergence of ``trust`` allows.

    The way is geometric, and it may end at the goal. Weights of 0 stay.

    >>> towards(np.array([0.5, 0.5]), np.array([3.0, 0.0]), 0.2, 1.0).round(4).tolist()
    [0.5498, 0.4502]
    """
    alive = weights > 0
    log_start = log_softmax(np.log(weights[alive]))
    goal = log_softmax(eta * scores[alive] / max(np.abs(scores[alive]).max(), 1e-300))

    def at(way: float) -> tuple[Array, float]:
        log_moved = log_softmax((1 - way) * log_start + way * goal)
        return softmax(log_moved), float(np.exp(log_moved) @ (log_moved - log_start))

    low, high = (1.0, 1.0) if at(1.0)[1] <= trust else (0.0, 1.0)
    for _ in range(60 if low < high else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if at(middle)[1] <= trust else (low, middle)
    moved = np.zeros_like(weights)
    moved[alive] = at(low)[0]
    return moved
