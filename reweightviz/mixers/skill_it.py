"""Skill-It: more weight to domains that help the domains whose held-out loss is still high.

Mayee F. Chen, Nicholas Roberts, Kush Bhatia, Jue Wang, Ce Zhang, Frederic Sala and Christopher Ré,
"Skill-it! A Data-Driven Skills Framework for Understanding and Training Language Models", NeurIPS
2023, https://arxiv.org/abs/2307.14430. Followed: the authors' public code, whose every round
restarts from the prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.mixers._hyperparameters import check_fields
from reweightviz.mixers._signals import check_signals
from reweightviz.numerics.simplex import ascend, numbers, share, softmax

__all__ = ["SkillIt", "State"]


class State(NamedTuple):
    """Weights, prior and first losses (K,), the graph (K, K), the last losses (w, K), steps."""

    weights: Array
    prior: Array
    graph: Array
    first: Array
    recent: Array
    step: int


@dataclass(frozen=True)
class SkillIt:
    """Weights proportional to ``prior_i exp(eta sum_j A_ij L_j)``, L the last held-out losses.

    The graph A has a row for each domain that is trained on and a column for each that is
    measured: ``A_ij`` is what training on i alone takes off the loss of j, as a share of that
    loss. Transposed, it gives other weights, and nothing shows it; one public analysis of the
    method was run so by accident. A graph of zeros gives the prior, and one that is nearly
    complete gives little more, as its authors write. They halve off-diagonal entries that are
    exactly 1, because their synthetic graphs hold only 0 and 1; here the graph is taken as it is.

    A domain whose prior is 0 stays at 0. One whose held-out loss is not measured (NaN) counts with
    its last measured loss, and not at all before the first.

    Args:
        eta: step size, one number for graph and losses together.
        every: steps a round; the held-out losses are measured at the end of each.
        window: rounds whose losses are summed, the public code's default.
        normalize_loss: divide the losses by those of the first round; a domain whose first loss is
            0 then counts not at all.
        eta_schedule: divide eta by how far the total loss has come down since the first round.
        keep_lone: domains that no edge joins to another keep their prior; the others share what is
            left.

    Example:
        >>> mixer = SkillIt(eta=0.8)
        >>> state = mixer.init(graph=[[0.5, 0.2], [0.0, 0.6]], prior=[0.5, 0.5])
        >>> mixer.weights(state).round(6).tolist()
        [0.519989, 0.480011]
    """

    eta: float = 0.2
    every: int = 100
    window: int = 3
    normalize_loss: bool = False
    eta_schedule: bool = False
    keep_lone: bool = False

    applies_to: ClassVar[str] = "sampling"
    paper: ClassVar[str] = "https://arxiv.org/abs/2307.14430"
    verified: ClassVar[str] = (
        "update rule checked against the public code (HazyResearch/skill-it, trainer/mw_trainer.py)"
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.eta < 0 or self.every < 1 or self.window < 1:
            raise UnmetNeed(
                name="SkillIt",
                value=(self.eta, self.every, self.window),
                expected="a finite eta of at least 0, and every and window of at least 1",
                got=f"{self.eta}, {self.every} and {self.window}",
            )

    def init(self, *, graph: ArrayLike, prior: ArrayLike) -> State:
        """Find the weights for losses of 1.

        Args:
            graph: (K, K), rows the domain trained on, columns the domain measured.
            prior: (K,) to restart from every round; the paper's is uniform.
        """
        start = share(prior, "the prior")
        edges = numbers(graph, "the graph")
        if edges.shape != (start.size, start.size) or not np.isfinite(edges).all():
            raise UnmetNeed(
                name="SkillIt",
                value=edges.shape,
                expected=f"a graph of {start.size} x {start.size} finite numbers, a row for each "
                "domain trained on",
            )
        return State(
            weights=self._weigh(start, edges, np.ones(start.size), self.eta),
            prior=start,
            graph=edges,
            first=np.full(start.size, np.nan),
            recent=np.empty((0, start.size)),
            step=0,
        )

    def measures(self, state: State) -> tuple[str, ...]:
        """Return the held-out losses at the end of every round."""
        return ("held_out_loss",) if (state.step + 1) % self.every == 0 else ()

    def update(self, state: State, *, held_out_loss: ArrayLike) -> State:
        """Learn from one step.

        Args:
            state: the last one; stays as it is.
            held_out_loss: (K,) nats per token where :meth:`measures` names it; without any,
                only the step advances.
        """
        (measured,) = check_signals(self, State, state, held_out_loss=held_out_loss)
        state = state._replace(step=state.step + 1)
        if np.isnan(measured).all():
            return state
        # What was not measured in this round counts with its last loss.
        last = state.recent[-1] if len(state.recent) else state.first
        losses = np.where(np.isnan(measured), last, measured)
        first = np.where(np.isnan(state.first), losses, state.first)
        recent = np.vstack([state.recent, losses])[-self.window :]
        eta = self.eta
        seen = ~np.isnan(losses)
        if self.eta_schedule and losses[seen].sum() > 0:
            eta = eta * first[seen].sum() / losses[seen].sum()
        counted = recent
        if self.normalize_loss:
            counted = np.divide(recent, first, out=np.zeros_like(recent), where=first != 0)
        weights = self._weigh(state.prior, state.graph, np.nansum(counted, axis=0), eta)
        return state._replace(weights=weights, first=first, recent=recent)

    def weights(self, state: State) -> Array:
        """Return the weights (K,) to train with now."""
        return state.weights

    def result(self, state: State) -> Array:
        """Return the weights of the next round (K,); its product is the model it trains."""
        return state.weights

    def _weigh(self, prior: Array, graph: Array, losses: Array, eta: float) -> Array:
        # Not from the last weights: in the public code every round restarts from the prior.
        with np.errstate(divide="ignore"):  # a prior of 0 is a log weight of -inf
            weights = softmax(ascend(np.log(prior), eta, graph @ losses))
        edges = (graph != 0) & ~np.eye(len(graph), dtype=bool)
        # Without keep_lone no domain counts as lone, and the rest changes nothing.
        lone = ~(edges.any(0) | edges.any(1)) & self.keep_lone
        joined = weights[~lone].sum()
        # Softmax is over all domains; scaled so, the lone ones keep exactly their prior.
        left = prior[~lone].sum() / joined if joined > 0 else 0.0
        weights = np.where(lone, prior, weights * left)
        return np.asarray(weights / weights.sum(), np.float64)
