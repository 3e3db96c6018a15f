"""ADO, adaptive data optimization: more of the domains that, by their scaling law, learn fast.

Yiding Jiang, Allan Zhou, Zhili Feng, Sadhika Malladi and J. Zico Kolter, "Adaptive Data
Optimization: Dynamic Sample Selection with Scaling Laws", ICLR 2025,
https://arxiv.org/abs/2410.11820. Followed: the authors' public code after its correction of the
credit (their commit bc3d8d0), with every domain's law over the steps of the whole run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, UnmetNeed
from reweightviz.core.types import Array
from reweightviz.mixers._hyperparameters import check_fields
from reweightviz.mixers._signals import check_signals
from reweightviz.numerics.loss_curves import fit_loss_curves, smooth
from reweightviz.numerics.simplex import log_softmax, share

__all__ = ["ADO", "LEAST_EXPONENT", "MOST_POINTS", "State"]


MOST_POINTS = 1024
"""Of the loss curves that are kept; beyond, each two become one, so that a long run stays small."""
LEAST_EXPONENT = 0.05
"""No domain counts with a smaller exponent than this in the preference."""


class State(NamedTuple):
    """Policy, prior, mean preference, shares drawn and last losses, (K,) each, and laws (K, 3).

    Of the loss curves there are ``points`` (P, 1 + K), a step and the losses, each the mean over
    ``stride`` steps; of the next point there is the sum (1 + K,) of its first ``pended`` steps.
    """

    policy: Array
    prior: Array
    mean: Array
    drawn: Array
    laws: Array
    last: Array
    points: Array
    pending: Array
    pended: int
    stride: int
    step: int


@dataclass(frozen=True)
class ADO:
    """Prefer domain k by ``prior_k drawn_k ** power exponent_k (loss_k - floor_k)``, from its law.

    Every ``every`` steps from ``start`` on, each domain's training loss, smoothed and without the
    first ``skip`` steps, is fitted by ``exp(floor) + exp(scale) n ** -exponent``, with n the steps
    of the run, which is the public default up to a unit. ``drawn`` is a moving average of the
    shares really drawn. The preference is raised to ``least`` and divided by its sum, so its
    smallest entry can be below ``least``, as in the public code; the policy is 0.9 of the
    preferences' mean over the run and 0.1 of the last. Domains with the same law and a uniform
    prior stay uniform. With another prior the first preference is ``prior ** (1 + power)``; as
    what is drawn follows the policy, it tends to ``prior ** (1 / (1 - power))``, by default the
    square, slowly: the mean over the run holds it back.

    The defaults are for runs of 60,000 steps: nothing changes before step 2000. For a run of 300
    steps take, say, ``ADO(start=50, every=25, skip=10, window=21)``.

    A domain absent from the batch (NaN) counts with its last loss; one that never came has no law
    and keeps the share of the prior. A prior of 0 comes back through ``least``.

    Args:
        start: first step at which laws are fitted.
        every: steps between two fits.
        skip: first steps that the fit leaves out.
        window: steps that are smoothed over.
        power: the paper's s, of the credit for what was drawn.
        least: delta_min, under any preference.
        memory: of the shares drawn, per step.
        fresh: share of the last preference in the policy.
        least_floor: log of the least irreducible loss, 1.65 nats a token; it does not bind where
            losses are below, as for bytes.

    Example:
        >>> mixer, n = ADO(start=20, every=20, skip=0, window=5), np.arange(1.0, 201)
        >>> state = mixer.init(prior=[0.5, 0.5])
        >>> for losses in np.stack([3 + 2 * n ** -0.1, 3 + 2 * n ** -0.7], axis=1):
        ...     state = mixer.update(state, loss=losses, drawn_tokens=mixer.weights(state))
        >>> mixer.weights(state).round(2).tolist()
        [0.71, 0.29]
    """

    start: int = 500
    every: int = 1000
    skip: int = 1000
    window: int = 101
    power: float = 0.5
    least: float = 0.01
    memory: float = 0.9
    fresh: float = 0.1
    least_floor: float = 0.5

    applies_to: ClassVar[str] = "sampling"
    paper: ClassVar[str] = "https://arxiv.org/abs/2410.11820"
    verified: ClassVar[str] = (
        "law, preference and policy checked against the public code (yidingjiang/ado, "
        "src/data_selectors/ado.py)"
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if min(self.start, self.every, self.window) < 1 or self.skip < 0:
            raise UnmetNeed(
                name="ADO",
                value=(self.start, self.every, self.window, self.skip),
                expected="start, every and window of at least 1 step and skip of at least 0",
                got=f"{self.start}, {self.every}, {self.window} and {self.skip}",
            )
        shares_in_range = 0 <= self.least < 1 and 0 <= self.memory < 1 and 0 <= self.fresh <= 1
        if self.power < 0 or not shares_in_range:
            raise UnmetNeed(
                name="ADO",
                value=(self.power, self.least, self.memory, self.fresh),
                expected="power of at least 0, least and memory from 0 to below 1, fresh from 0 "
                "to 1",
                got=f"{self.power}, {self.least}, {self.memory} and {self.fresh}",
            )

    def init(self, *, prior: ArrayLike) -> State:
        """Start at ``prior`` (K,); the paper's is natural."""
        start = share(prior, "the prior")
        K = start.size
        if K * self.least > 1:
            raise ReweightvizError(
                f"ADO cannot give each of {K} domains a preference of {self.least}; take "
                f"least of at most {1 / K:.3g}."
            )
        return State(
            policy=start,
            prior=start,
            mean=start,
            drawn=start,
            laws=np.full((K, 3), np.nan),
            last=np.full(K, np.nan),
            points=np.empty((0, 1 + K)),
            pending=np.zeros(1 + K),
            pended=0,
            stride=1,
            step=0,
        )

    def update(self, state: State, *, loss: ArrayLike, drawn_tokens: ArrayLike) -> State:
        """Learn from one step.

        Args:
            state: the last one; stays as it is.
            loss: (K,) nats per token, NaN for a domain absent from the batch; without any, no
                point is added.
            drawn_tokens: (K,) tokens of each domain in the batch.
        """
        losses, drawn = check_signals(self, State, state, loss=loss, drawn_tokens=drawn_tokens)
        state = state._replace(step=state.step + 1)
        if not np.isnan(losses).all():
            state = _record(state, losses)
        total = np.nansum(drawn)
        if total > 0:
            lately = (1 - self.memory) * np.nan_to_num(drawn) / total
            state = state._replace(drawn=self.memory * state.drawn + lately)
        if state.step >= self.start and state.step % self.every == 0:
            state = state._replace(laws=self._fit_laws(state))
        return self._follow_laws(state)

    def weights(self, state: State) -> Array:
        """Return the weights (K,) to train with now."""
        return state.policy

    def result(self, state: State) -> Array:
        """Return the policy of now (K,); ADO's product is the model it trains, not a mixture."""
        return state.policy

    def _fit_laws(self, state: State) -> Array:
        """Return the laws of now, (K, 3); a domain whose fit fails keeps its last."""
        if not len(state.points):
            return state.laws
        # The window counts steps, and a point is the mean over `stride` of them.
        losses = smooth(state.points[:, 1:], self.window // state.stride)
        used = state.points[:, 0] > self.skip
        found = fit_loss_curves(state.points[used, 0], losses[used], least_floor=self.least_floor)
        return np.where(np.isfinite(found).all(1, keepdims=True), found, state.laws)

    def _follow_laws(self, state: State) -> State:
        """Return the state with the policy that follows from its laws and shares drawn."""
        # The floor drops out: by the law, loss - floor is exp(scale) n ** -exponent.
        scale, _, exponent = state.laws.T
        least = np.maximum(exponent, LEAST_EXPONENT)
        # That times the exponent is how fast the loss falls in log n.
        # Products of tiny numbers underflow, so the preference is a softmax of sums of logs.
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.log(least) + scale - exponent * np.log(state.step)
            score = slope + np.log(state.prior) + self.power * np.log(state.drawn)
        # A domain without a law keeps its share of the prior; the others divide what is left.
        known = ~np.isnan(score)
        if not np.isfinite(score).any():
            return state
        preference = state.prior.copy()
        preference[known] = np.exp(log_softmax(score[known])) * state.prior[known].sum()
        preference = np.maximum(preference, self.least)
        preference /= preference.sum()
        policy = (1 - self.fresh) * state.mean + self.fresh * preference
        # The prior counts for step 0 and for every step before the first laws.
        mean = state.mean + (preference - state.mean) / (state.step + 1)
        return state._replace(policy=policy / policy.sum(), mean=mean)


def _record(state: State, losses: Array) -> State:
    """Return the state with one more step in its loss curves."""
    last = np.where(np.isnan(losses), state.last, losses)
    pending = state.pending + np.append(state.step, last)
    state = state._replace(last=last, pending=pending, pended=state.pended + 1)
    if state.pended < state.stride:
        return state
    points = np.vstack([state.points, pending / state.stride])
    state = state._replace(points=points, pending=np.zeros_like(pending), pended=0)
    if len(points) < MOST_POINTS:
        return state
    # Half as many points, over the whole run as before.
    pairs = points.reshape(MOST_POINTS // 2, 2, -1)
    return state._replace(points=pairs.mean(1), stride=2 * state.stride)
