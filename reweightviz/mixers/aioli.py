"""Aioli: try each domain for a few steps, see whose loss falls, and weigh by that.

Mayee F. Chen, Michael Y. Hu, Nicholas Lourie, Kyunghyun Cho and Christopher Ré, "Aioli: A Unified
Optimization Framework for Language Model Data Mixing", ICLR 2025,
https://arxiv.org/abs/2411.05735. Followed: the authors' public code, except that a round's probes
come on top of its ``every`` steps, where the code counts them among these.
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
from reweightviz.numerics.simplex import ascend, share, softmax

__all__ = ["Aioli", "State", "solve_mixing_law"]


class State(NamedTuple):
    """Weights found and their logs (K,), the law A and this round's gains (K, K).

    ``before`` (K,) are the losses before the probe that is on, ``step`` the steps seen.
    """

    main: Array
    log_weights: Array
    law: Array
    gains: Array
    before: Array
    step: int


@dataclass(frozen=True)
class Aioli:
    """Measure a linear mixing law while training, then weigh domain j by ``exp(eta sum_i A_ij)``.

    Steps run so: ``prior_steps`` at the prior; then rounds, each of ``lp_rounds`` times K probes
    of ``lp_steps`` steps in a seeded random order, and ``every`` steps at the weights found. A
    probe trains on a smoothed one-hot mixture, ``one_hot`` on its domain and the rest spread
    evenly, and the held-out losses are measured before and after it. A column of gains G is what
    the probes of one domain took off each loss; A solves ``A W = G`` with W the mixtures probed,
    so that mixtures that share domains are told apart. A is shifted to be at least 0 and divided
    by its sum, so one round changes the log weights by at most eta: with the moving average, which
    starts at uniform every time, no weight is ever further than ``exp(eta)`` from another.

    Started from another method's weights as the prior, with ``prior_steps`` of them, this is the
    paper's restricted setting. After the prior's steps its zeros come back: the rounds start from
    uniform. A held-out loss that is not measured (NaN) leaves its row out of the sum; a round in
    which a whole probe went unmeasured teaches nothing. Adding a constant to all losses changes
    nothing.

    Args:
        eta: step size; the paper tries 0.1, 0.2 and 0.5.
        lp_rounds: probes of each domain a round.
        lp_steps: steps a probe.
        one_hot: share of the probed domain, above 1 / K; 1 probes each domain alone.
        every: steps at the found weights between two rounds of probes.
        ema: share of the past in a moving average of A; None multiplies the weights up instead.
        prior_steps: steps before the first round, at least 1, after which the first losses are
            measured.
        seed: of the order of the probes.

    Example:
        >>> mixer = Aioli(lp_rounds=1, lp_steps=1, one_hot=1.0, eta=1.0)
        >>> state, losses = mixer.init(prior=[0.5, 0.5]), np.array([3.0, 3.0])
        >>> for _ in range(3):
        ...     losses = losses - 0.1 * mixer.weights(state) * [1, 2]
        ...     state = mixer.update(state, probe_loss=losses)
        >>> mixer.weights(state).round(6).tolist()
        [0.41743, 0.58257]
    """

    eta: float = 0.2
    lp_rounds: int = 4
    lp_steps: int = 4
    one_hot: float = 0.625
    every: int = 250
    ema: float | None = None
    prior_steps: int = 1
    seed: int = 0

    applies_to: ClassVar[str] = "sampling"
    paper: ClassVar[str] = "https://arxiv.org/abs/2411.05735"
    verified: ClassVar[str] = (
        "LearnParams and the update checked against the public code (HazyResearch/aioli, "
        "trainer/aioli_trainer.py)"
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if min(self.lp_rounds, self.lp_steps, self.every, self.prior_steps) < 1 or self.seed < 0:
            raise UnmetNeed(
                name="Aioli",
                value=(self.lp_rounds, self.lp_steps, self.every, self.prior_steps, self.seed),
                expected="lp_rounds, lp_steps, every and prior_steps of at least 1 and a seed "
                "of at least 0",
                got=f"{self.lp_rounds}, {self.lp_steps}, {self.every}, {self.prior_steps} "
                f"and {self.seed}",
            )
        if not 0 < self.one_hot <= 1 or not (self.ema is None or 0 <= self.ema < 1):
            raise UnmetNeed(
                name="Aioli",
                value=(self.eta, self.one_hot, self.ema),
                expected="a finite eta, one_hot above 0 and up to 1, and ema None or from 0 to "
                "below 1",
                got=f"{self.eta}, {self.one_hot} and {self.ema}",
            )

    def init(self, *, prior: ArrayLike) -> State:
        """Start at ``prior`` (K,)."""
        start = share(prior, "the prior")
        K = start.size
        if K > 1 and self.one_hot <= 1 / K:
            raise UnmetNeed(
                name="Aioli",
                value=self.one_hot,
                expected=f"one_hot above 1 / {K} to tell {K} domains apart",
            )
        return State(
            main=start,
            log_weights=np.zeros(K),
            law=np.full((K, K), np.nan),
            gains=np.zeros((K, K)),
            before=np.full(K, np.nan),
            step=0,
        )

    def measures(self, state: State) -> tuple[str, ...]:
        """Return the losses before the first probe of a round and after each."""
        place = self._find_place(state, state.step + 1)
        if place is None or place > self._count_probe_steps(state) or place % self.lp_steps:
            return ()
        return ("probe_loss",)

    def update(self, state: State, *, probe_loss: ArrayLike) -> State:
        """Learn from one step.

        Args:
            state: the last one; stays as it is.
            probe_loss: (K,) held-out nats per token where :meth:`measures` names it.
        """
        (losses,) = check_signals(self, State, state, probe_loss=probe_loss)
        measured = bool(self.measures(state))
        place = self._find_place(state, state.step + 1)
        if measured and place == 0:
            state = state._replace(gains=np.zeros_like(state.gains), before=losses)
        elif measured:
            gains = state.gains.copy()
            # Of the step that has just ended: the count moves on below.
            domain = self._choose_domain(state, state.step)
            gains[:, domain] += (state.before - losses) / self.lp_rounds
            state = state._replace(gains=gains, before=losses)
        state = state._replace(step=state.step + 1)
        if place == self._count_probe_steps(state):
            return self._learn(state)
        return state

    def weights(self, state: State) -> Array:
        """Return the weights (K,) to train with now: a probe, or the weights found."""
        place = self._find_place(state, state.step)
        if place is None or place >= self._count_probe_steps(state):
            return state.main
        probes = _make_probes(state.main.size, self.one_hot)
        return np.asarray(probes[self._choose_domain(state, state.step)], np.float64)

    def result(self, state: State) -> Array:
        """Return the answer (K,), the weights of the last finished round; first the prior."""
        return state.main

    def _count_probe_steps(self, state: State) -> int:
        """Return the steps of a round that are probes."""
        return self.lp_rounds * self.lp_steps * state.main.size

    def _find_place(self, state: State, step: int) -> int | None:
        """Return the steps that a step is into its round; None before the first round."""
        if step < self.prior_steps:
            return None
        return (step - self.prior_steps) % (self._count_probe_steps(state) + self.every)

    def _choose_domain(self, state: State, step: int) -> int:
        """Return the domain that the step probes."""
        length = self._count_probe_steps(state) + self.every
        turn, place = divmod(step - self.prior_steps, length)
        sweep, number = divmod(place // self.lp_steps, state.main.size)
        # The order is a function of seed and sweep, so that a state needs no random generator.
        order = np.random.default_rng((self.seed, turn, sweep)).permutation(state.main.size)
        return int(order[number])

    def _learn(self, state: State) -> State:
        """Return the state with weights from the gains of a finished round."""
        measured = np.isfinite(state.gains).all(1)
        if not measured.any():
            return state
        law = np.full_like(state.law, np.nan)
        law[measured] = _normalise(solve_mixing_law(state.gains[measured], self.one_hot))
        before = state.log_weights
        if self.ema is not None:
            average = (1 - self.ema) * law + self.ema * state.law
            # A loss that is measured for the first time has no past to be averaged with.
            law = np.where(np.isfinite(law) & np.isfinite(state.law), average, law)
            # The average holds the past already; adding to the old weights would count it twice.
            before = np.zeros(len(law))
        log_weights = ascend(before, self.eta, np.nansum(law, axis=0))
        return state._replace(main=softmax(log_weights), log_weights=log_weights, law=law)


def solve_mixing_law(gains: Array, one_hot: float) -> Array:
    """Return what a step on domain j alone takes off loss i, (M, K), from the probes' gains (M, K).

    >>> solve_mixing_law(np.array([[0.30, 0.10, 0.12]]), 0.625).round(6).tolist()
    [[0.462857, 0.005714, 0.051429]]
    """
    return np.asarray(np.linalg.solve(_make_probes(gains.shape[1], one_hot), gains.T).T, np.float64)


def _make_probes(K: int, one_hot: float) -> Array:
    """Return the mixtures to probe, a row each, (K, K)."""
    if K == 1:
        return np.ones((1, 1))
    others = (1 - one_hot) / (K - 1)
    return np.asarray(np.eye(K) * (one_hot - others) + others, np.float64)


def _normalise(law: Array) -> Array:
    """Return the law shifted to at least 0 and divided by its sum."""
    shifted = law - min(law.min(), 0.0)
    total = shifted.sum()
    # Where only rounding separates the domains, dividing by the sum would make it a preference.
    if total <= 1e-9 * np.abs(law).max():
        return np.zeros_like(shifted)
    return np.asarray(shifted / total, np.float64)
