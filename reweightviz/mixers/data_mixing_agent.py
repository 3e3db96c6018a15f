"""A data-mixing agent: a policy from the history of weights and held-out losses to new weights.

Kailai Yang, Xiao Liu, Lei Ji, Hao Li, Xiao Liang, Zhiwei Liu, Yeyun Gong, Peng Cheng and Mao Yang,
"Data Mixing Agent: Learning to Re-weight Domains for Continual Pre-training", 2025,
https://arxiv.org/abs/2507.15640. The paper's: an agent that maps the history of domain weights and
evaluation feedback to the next weights, trained by reinforcement learning on many logged runs of
small models. Ours, for no code or weights are public: the same interface with two policies that
need no reinforcement learning, a rule without training and one fitted to logged runs by ridge
regression (:func:`reweightviz.mixers._mixing_policy.fit_linear_dynamics`). Nothing here reproduces
the paper's agent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, UnmetNeed
from reweightviz.core.types import Array
from reweightviz.mixers._hyperparameters import check_fields
from reweightviz.mixers._mixing_policy import Policy, move_towards
from reweightviz.mixers._signals import check_signals
from reweightviz.numerics.simplex import share

__all__ = ["DataMixingAgent", "State"]


class State(NamedTuple):
    """Weights (K,), history of weights and feedback, both (H, K), the policy, the steps seen."""

    weights: Array
    past_weights: Array
    past_feedback: Array
    policy: Policy | None
    step: int


@dataclass(frozen=True)
class DataMixingAgent:
    """Weights that a policy chooses anew every ``every`` steps, from the last ``history`` rounds.

    Without a ``policy`` the rule is: what a round took off a domain's loss, per weight that it
    had, averaged with memory; then the exponentiated gradient of that average from uniform, as far
    as a trust region around the last weights allows. It credits a domain with its own loss only. A
    domain whose prior is 0 stays at 0 under both policies of ours. One whose loss is not measured
    (NaN) keeps its last average, which before two measurements is the lowest of the others. In
    simulated trainings with linear dynamics the rule closes about half of the way from uniform to
    the greedy optimum, and the fitted policy 85% or more.

    Args:
        eta: step size of the rule, on improvements divided by the largest, so that losses of any
            unit do.
        trust: most KL divergence between the weights of two rounds, in nats.
        memory: share of the past in the rule's averages.
        every: steps a round; the held-out losses are measured at its end.
        history: rounds that a policy sees.

    Example:
        >>> mixer = DataMixingAgent(every=1)
        >>> state = mixer.init(prior=[0.5, 0.5])
        >>> for losses in ([4.0, 4.0], [3.9, 3.6], [3.8, 3.2]):
        ...     state = mixer.update(state, held_out_loss=losses)
        >>> mixer.weights(state).round(3).tolist()
        [0.098, 0.902]
    """

    eta: float = 5.0
    trust: float = 0.1
    memory: float = 0.5
    every: int = 100
    history: int = 20

    applies_to: ClassVar[str] = "sampling"
    paper: ClassVar[str] = "https://arxiv.org/abs/2507.15640"
    verified: ClassVar[str] = (
        "the paper's interface (its abstract) with policies of ours; no public code"
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if not (
            self.eta >= 0
            and self.trust >= 0
            and 0 <= self.memory < 1
            and self.every >= 1
            and self.history >= 2
        ):
            raise UnmetNeed(
                name="DataMixingAgent",
                value=self,
                expected="eta and trust of at least 0, memory from 0 to below 1, every of at "
                "least 1 and history of at least 2",
                got=str(self),
            )

    def init(self, *, prior: ArrayLike, policy: Policy | None = None) -> State:
        """Start at ``prior`` (K,).

        Args:
            prior: (K,).
            policy: anything with ``next_weights(weights (H, K), feedback (H, K)) -> (K,)``; the
                class's own rule when not given.
        """
        start = share(prior, "the prior")
        if policy is not None and not callable(getattr(policy, "next_weights", None)):
            raise ReweightvizError(
                "a policy has next_weights(weights, feedback), both (H, K); got "
                f"{type(policy).__name__}."
            )
        return State(start, np.empty((0, start.size)), np.empty((0, start.size)), policy, 0)

    def measures(self, state: State) -> tuple[str, ...]:
        """Return the held-out losses at the end of every round."""
        return ("held_out_loss",) if (state.step + 1) % self.every == 0 else ()

    def trained_on(self, state: State, weights: ArrayLike) -> State:
        """Return the state of an agent whose round was trained with other ``weights`` (K,).

        So it is on the log of another run: the losses of the next update are then feedback on
        these, and the next weights go on from them.
        """
        return state._replace(weights=share(weights, "the weights trained with"))

    def update(self, state: State, *, held_out_loss: ArrayLike) -> State:
        """Learn from one step.

        Args:
            state: the last one; stays as it is.
            held_out_loss: (K,) nats per token where :meth:`measures` names it; without any,
                only the step advances.
        """
        (losses,) = check_signals(self, State, state, held_out_loss=held_out_loss)
        state = state._replace(step=state.step + 1)
        if np.isnan(losses).all():
            return state
        weights = np.vstack([state.past_weights, state.weights])[-self.history :]
        feedback = np.vstack([state.past_feedback, losses])[-self.history :]
        state = state._replace(past_weights=weights, past_feedback=feedback)
        if state.policy is None:
            return state._replace(weights=self._follow_rule(weights, feedback))
        name = type(state.policy).__name__
        # A policy may be the user's own, so its weights are checked as any input.
        chosen = np.asarray(state.policy.next_weights(weights, feedback), np.float64)
        if chosen.shape != losses.shape:
            raise ReweightvizError(
                f"the policy {name} must return {losses.size} weights; got {chosen}."
            )
        return state._replace(weights=share(chosen, f"the weights of the policy {name}"))

    def weights(self, state: State) -> Array:
        """Return the weights (K,) to train with now."""
        return state.weights

    def result(self, state: State) -> Array:
        """Return the weights of the next round (K,); the agent's product is the model it trains."""
        return state.weights

    def _follow_rule(self, weights: Array, feedback: Array) -> Array:
        """Return the next weights (K,) by what each domain took off its own loss, per weight."""
        # Less weight than this is not taken for less effort, or noise would win.
        least = 1 / (4 * weights.shape[1])
        credit = np.full(weights.shape[1], np.nan)
        for used, before, after in zip(weights[1:], feedback[:-1], feedback[1:], strict=True):
            fell = (before - after) / np.maximum(used, least)
            average = self.memory * credit + (1 - self.memory) * fell
            average = np.where(np.isnan(credit), fell, average)
            credit = np.where(np.isnan(fell), credit, average)
        if np.isnan(credit).all():
            return np.asarray(weights[-1], np.float64)
        credit = np.where(np.isnan(credit), np.nanmin(credit), credit)
        return move_towards(weights[-1], credit, self.eta, self.trust)
