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

__all__ = ["HALVINGS", "LinearDynamics", "Policy", "fit_linear_dynamics", "move_towards"]


HALVINGS = 60
"""Of the interval in which a move ends: more than the 53 binary digits of a float64."""


class Policy(Protocol):
    """The choice that a data-mixing agent follows."""

    def next_weights(self, weights: Array, feedback: Array) -> Array:
        """Return the next weights (K,) from the history of both, (H, K)."""
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

    def predict_gains(self, losses: Array) -> Array:
        """Return what each domain alone would take off the sum of the losses in a round, (K,)."""
        # A loss that was not measured adds no row, but its domain can still lower the others.
        known = ~np.isnan(losses)
        return np.asarray((self.constant + self.share * losses[:, None])[known].sum(0), np.float64)

    def next_weights(self, weights: Array, feedback: Array) -> Array:
        """Return the next weights (K,) from the history of both, (H, K)."""
        return move_towards(weights[-1], self.predict_gains(feedback[-1]), self.eta, self.trust)


def fit_linear_dynamics(
    runs: Sequence[tuple[ArrayLike, ArrayLike]],
    *,
    ridge: float = 1e-6,
    eta: float = 10.0,
    trust: float = 0.3,
) -> LinearDynamics:
    """Fit by ridge regression what each round took off each loss.

    The features are the weights of the round, and these times the loss before it.

    Args:
        runs: logged runs, each weights (H, K) and feedback (H, K), H at least 2; feedback t after
            training at weights t.
        ridge: penalty, as a share of the mean square of the features.
        eta: of the policy.
        trust: of the policy.

    Raises:
        ReweightvizError: runs of other shapes, or of different domains.

    Example:
        >>> weights = np.random.default_rng(1).dirichlet(np.ones(2), 30)
        >>> losses = 5 - np.cumsum(weights @ np.array([[0.1, 0.0], [0.02, 0.05]]), axis=0)
        >>> policy = fit_linear_dynamics([(weights, losses)])
        >>> policy.predict_gains(losses[-1]).round(2).tolist()
        [0.1, 0.07]
    """
    logged = _check_runs(runs)
    used = np.concatenate([weights[1:] for weights, _ in logged])
    before = np.concatenate([feedback[:-1] for _, feedback in logged])
    fell = before - np.concatenate([feedback[1:] for _, feedback in logged])
    K = used.shape[1]
    constant = np.zeros((K, K))
    share = np.zeros((K, K))
    for i in range(K):
        # A loss that one round did not measure costs two differences, not the whole run.
        seen = np.isfinite(fell[:, i])
        features = np.hstack([used, used * before[:, i, None]])[seen]
        normal = features.T @ features
        # A penalty of 0 would leave the equations singular where nothing was ever drawn.
        penalty = ridge * max(np.trace(normal) / (2 * K), 1e-300) * np.eye(2 * K)
        solution = np.linalg.solve(normal + penalty, features.T @ fell[seen, i])
        constant[i], share[i] = solution.reshape(2, K)
    return LinearDynamics(constant, share, eta, trust)


def move_towards(weights: Array, scores: Array, eta: float, trust: float) -> Array:
    """Return weights (K,) moved towards the softmax of ``eta * scores / max |scores|``.

    The way is geometric, goes as far as a KL divergence of ``trust`` allows, and may end at the
    goal. Weights of 0 stay.

    >>> move_towards(np.array([0.5, 0.5]), np.array([3.0, 0.0]), 0.2, 1.0).round(4).tolist()
    [0.5498, 0.4502]
    """
    # A geometric way needs logs, and 0 has none.
    alive = weights > 0
    log_start = log_softmax(np.log(weights[alive]))
    # Divided by the largest, so that eta has one meaning for gains of any unit.
    goal = log_softmax(eta * scores[alive] / max(np.abs(scores[alive]).max(), 1e-300))

    def go(way: float) -> tuple[Array, float]:
        # In logs, where a geometric mean is a plain one.
        log_moved = log_softmax((1 - way) * log_start + way * goal)
        return softmax(log_moved), float(np.exp(log_moved) @ (log_moved - log_start))

    # The divergence grows along the way, so its last allowed point is found by bisection.
    low = 0.0
    high = 1.0
    # The goal is tried by itself: bisection comes close to it and never arrives.
    if go(high)[1] <= trust:
        low = high
    else:
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if go(middle)[1] <= trust:
                low = middle
            else:
                high = middle
    # The lower end of the interval: the upper one may lie beyond the trust region.
    moved = np.zeros_like(weights)
    moved[alive] = go(low)[0]
    return moved


def _check_runs(runs: Sequence[tuple[ArrayLike, ArrayLike]]) -> list[tuple[Array, Array]]:
    logged = [
        (np.asarray(weights, np.float64), np.asarray(feedback, np.float64))
        for weights, feedback in runs
    ]
    shapes = [(weights.shape, feedback.shape) for weights, feedback in logged]
    in_shape = all(w == f and len(w) == 2 and w[0] >= 2 for w, f in shapes)
    if not in_shape or len({w[1] for w, _ in shapes}) != 1:
        raise UnmetNeed(
            name="a fitted policy",
            value=shapes,
            expected="runs of weights (H, K) and feedback (H, K), of the same K domains and "
            "H of at least 2",
        )
    return logged
