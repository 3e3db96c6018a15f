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
from reweightviz.mixers._signals import checked
from reweightviz.numerics.simplex import ascended, share, softmax


class State(NamedTuple):
    """Weights to train on (K,), logs of what the rounds found (K,), the law A and the gains of this round (K, K).

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
        ...     state = mixer.update(state, probe_loss=losses if mixer.measures(state) else [np.nan] * 2)
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
        if not (
            np.isfinite(self.eta)
            and 0 < self.one_hot <= 1
            and (self.ema is None or 0 <= self.ema < 1)
        ):
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
            start, np.zeros(K), np.full((K, K), np.nan), np.zeros((K, K)), np.full(K, np.nan), 0
        )

    def measures(self, state: State) -> tuple[str, ...]:
        """The losses before the first probe of a round and after each."""
        at = self._place(state, state.step + 1)
        return (
            ("probe_loss",)
            if at is not None and at <= self._probes(state) and at % self.lp_steps == 0
            else ()
        )

    def update(self, state: State, *, probe_loss: ArrayLike) -> State:
        """One step.

        Args:
            state: the last one; stays as it is.
            probe_loss: (K,) held-out nats per token where :meth:`measures` asked for it.
        """
        (losses,) = checked(self, State, state, probe_loss=probe_loss)
        asked, at, gains = (
            bool(self.measures(state)),
            self._place(state, state.step + 1),
            state.gains,
        )
        if asked and at == 0:
            gains = np.zeros_like(gains)
        elif asked:
            gains = gains.copy()
            gains[:, self._probed(state, state.step)] += (state.before - losses) / self.lp_rounds
        state = state._replace(
            gains=gains, before=losses if asked else state.before, step=state.step + 1
        )
        return self._learn(state) if at == self._probes(state) else state

    def weights(self, state: State) -> Array:
        """What to train with now, (K,): a probe, or the weights found."""
        at = self._place(state, state.step)
        if at is None or at >= self._probes(state):
            return state.main
        return np.asarray(
            _mixtures(state.main.size, self.one_hot)[self._probed(state, state.step)], np.float64
        )

    def result(self, state: State) -> Array:
        """The answer, (K,): the weights that the last finished round of probes found, and the prior before the first."""
        return state.main

    def _probes(self, state: State) -> int:
        """Steps of a round that are probes."""
        return self.lp_rounds * self.lp_steps * state.main.size

    def _place(self, state: State, step: int) -> int | None:
        """How many steps into its round a step is; None before the first round."""
        return (
            None
            if step < self.prior_steps
            else (step - self.prior_steps) % (self._probes(state) + self.every)
        )

    def _probed(self, state: State, step: int) -> int:
        """Which domain the step probes."""
        turn, at = divmod(step - self.prior_steps, self._probes(state) + self.every)
        sweep, place = divmod(at // self.lp_steps, state.main.size)
        return int(
            np.random.default_rng((self.seed, turn, sweep)).permutation(state.main.size)[place]
        )

    def _learn(self, state: State) -> State:
        """Weights from the gains of a finished round."""
        measured = np.isfinite(state.gains).all(1)
        if not measured.any():
            return state
        law = np.full_like(state.law, np.nan)
        law[measured] = _normalised(mixing_law(state.gains[measured], self.one_hot))
        if self.ema is not None:
            law = np.where(
                np.isfinite(law) & np.isfinite(state.law),
                (1 - self.ema) * law + self.ema * state.law,
                law,
            )
        before = state.log_weights if self.ema is None else np.zeros(len(law))
        log_weights = ascended(before, self.eta, np.nansum(law, axis=0))
        return state._replace(main=softmax(log_weights), log_weights=log_weights, law=law)


def mixing_law(gains: Array, one_hot: float) -> Array:
    """What a step on domain j alone takes off loss i, (M, K), from what the smoothed probes took off, (M, K).

    >>> mixing_law(np.array([[0.30, 0.10, 0.12]]), 0.625).round(6).tolist()
    [[0.462857, 0.005714, 0.051429]]
    """
    return np.asarray(np.linalg.solve(_mixtures(gains.shape[1], one_hot), gains.T).T, np.float64)


def _mixtures(K: int, one_hot: float) -> Array:
    """The mixtures probed, a row each, (K, K)."""
    if K == 1:
        return np.ones((1, 1))
    return np.asarray(
        np.eye(K) * (one_hot - (1 - one_hot) / (K - 1)) + (1 - one_hot) / (K - 1), np.float64
    )


def _normalised(law: Array) -> Array:
    """At least 0 and of sum 1; zeros, if nothing but rounding tells the domains apart."""
    shifted = law - min(law.min(), 0.0)
    total = shifted.sum()
    return np.asarray(
        shifted / total if total > 1e-9 * np.abs(law).max() else 0 * shifted, np.float64
    )
