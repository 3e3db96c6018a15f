"""The worth of repeated data: effective tokens, data-constrained scaling, halving utility."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import exp1

from reweightviz.core.types import Array

__all__ = [
    "ALPHA",
    "COUNTED",
    "DATA_DECAY",
    "LOG_A",
    "LOG_B",
    "LOG_E",
    "SIZE_DECAY",
    "data_constrained_loss",
    "effective_tokens",
    "halving_samples",
    "utility_loss",
    "worn_log",
]


DATA_DECAY = 15.387756
"""R*_D of Muennighoff et al.: repetitions after which a further one adds 1/e of fresh data."""
SIZE_DECAY = 5.309743
"""R*_N of Muennighoff et al., the same for parameters beyond what the unique data can use."""
LOG_A = 6.255414
LOG_B = 7.3049974
LOG_E = 0.6254804
ALPHA = 0.3526596
"""Their fit of ``E + A / N^alpha + B / D^beta`` on C4, with beta = alpha."""
COUNTED = 64
"""Epochs that are summed one by one; the rest are integrated, however many they are."""


def effective_tokens(tokens: ArrayLike, unique: ArrayLike, decay: float = DATA_DECAY) -> Array:
    """Return how many fresh tokens ``tokens`` are worth when only ``unique`` are different.

    Niklas Muennighoff et al., "Scaling Data-Constrained Language Models", NeurIPS 2023,
    https://arxiv.org/abs/2305.16264, equation 5: ``U + U R* (1 - exp(-R / R*))`` with
    ``R = tokens / U - 1``; fewer than ``unique`` tokens are worth themselves.

    >>> effective_tokens([0.5, 1, 4, 1e9], 1.0).round(6).tolist()
    [0.5, 1.0, 3.725673, 16.387756]
    """
    total, fresh = np.broadcast_arrays(
        np.asarray(tokens, np.float64), np.asarray(unique, np.float64)
    )
    seen = np.minimum(total, fresh)
    again = np.divide(total - seen, seen, out=np.zeros(seen.shape), where=seen > 0)
    return np.asarray(seen * (1 - decay * np.expm1(-again / decay)), np.float64)


def data_constrained_loss(size: ArrayLike, tokens: ArrayLike, unique: ArrayLike) -> Array:
    """Return the loss of a model after ``tokens`` of which ``unique`` are different.

    In nats per token, for ``size`` parameters, by the parametric fit in the same authors' public
    code. Parameters too count less beyond what ``unique`` tokens can use.

    >>> float(data_constrained_loss(6.34e9, 242e9, 25e9).round(6))
    2.225644
    """
    fresh = np.minimum(np.asarray(unique, np.float64), tokens)
    # The parameters that are compute-optimal for the unique tokens. With
    # beta = alpha these are G^2 U, where G = (A / B)^(1 / (2 alpha)).
    ratio = np.exp((LOG_A - LOG_B) / (2 * ALPHA))
    usable = np.minimum(np.asarray(size, np.float64), fresh * ratio**2)
    parameters = effective_tokens(size, usable, SIZE_DECAY)
    data = effective_tokens(tokens, fresh)
    return np.asarray(
        np.exp(LOG_E) + np.exp(LOG_A) * parameters**-ALPHA + np.exp(LOG_B) * data**-ALPHA,
        np.float64,
    )


def utility_loss(
    samples: float,
    per_epoch: float,
    utilities: ArrayLike,
    half_lives: ArrayLike,
    *,
    rate: float,
    floor: float,
    floor_decays: bool = False,
) -> float:
    """Return the loss after ``samples`` of equal pools whose utility halves by the epoch.

    One pool or more, mixed evenly.

    Sachin Goyal et al., "Scaling Laws for Data Filtering", CVPR 2024,
    https://arxiv.org/abs/2404.07177: after the first epoch ``floor + (rate n)^b``, and each
    further one multiplies by ``(n_k / n_{k-1})^{b_k}``, where b_k is the mean over the pools of
    their utility, halved every ``half_lives`` epochs times the number of pools.

    Args:
        samples: seen in all.
        per_epoch: samples in all pools together.
        utilities: b (p,), below 0, one a pool.
        half_lives: tau (p,), in epochs.
        rate: a, in 1 over samples.
        floor: d, the loss that stays.
        floor_decays: multiply the floor too, as the authors' public code does; the formula keeps
            it outside.

    >>> fit = {"rate": 2e-7, "floor": 0.1, "floor_decays": True}
    >>> round(utility_loss(25.6e6, 12.8e6, [-0.15], [3.0], **fit), 6)
    0.891775
    """
    b = np.atleast_1d(np.asarray(utilities, np.float64))
    tau = np.atleast_1d(np.asarray(half_lives, np.float64))
    epochs = np.arange(_count_epochs(samples, per_epoch))
    utility = (b[:, None] * 0.5 ** (epochs / (len(b) * tau[:, None]))).mean(0)
    ends = np.minimum(per_epoch * (epochs + 1), samples)
    first = (rate * ends[0]) ** utility[0]
    factor = float(np.prod((ends[1:] / ends[:-1]) ** utility[1:]))
    if floor_decays:
        return float((first + floor) * factor)
    return float(first * factor + floor)


def halving_samples(samples: float, per_epoch: float, half_life: float) -> float:
    """Return how many fresh samples ``samples`` are worth when each epoch halves them.

    Each epoch over ``per_epoch`` counts by half after ``half_life``.

    It is the alternative of the same paper: the worth of the samples falls, not the utility. The
    loss is then ``floor + (rate n)^b``.

    >>> halving_samples(3.0, 1.0, 1.0)
    1.75
    """
    starts = np.arange(_count_epochs(samples, per_epoch)) * per_epoch
    seen = np.minimum(per_epoch, samples - starts)
    worth = 0.5 ** (starts / per_epoch / half_life)
    return float((seen * worth).sum())


def _count_epochs(samples: float, per_epoch: float) -> int:
    """Return the epochs that were begun."""
    # Floor division of the negative rounds up without the rounding error of a quotient.
    return int(-(-samples // per_epoch))


def worn_log(epochs: Array, wear: Array) -> tuple[Array, Array]:
    """Return ``sum over passes k of exp(-k wear) log(end_k / start_k)``, and its derivative.

    The sum is over the passes after the first, the derivative by ``wear``.

    What training beyond the first pass adds to ``log n`` when the k-th repetition counts ``exp(-k
    wear)``. Passes up to 64 are summed, later ones integrated.

    Args:
        epochs: (n, K), passes over each pool; up to one adds nothing.
        wear: (..., n, K), >= 0.

    >>> value, _ = worn_log(np.array([[1.0, 2.0, 3.0]]), np.zeros((1, 3)))
    >>> np.exp(value).round(6).tolist()
    [[1.0, 2.0, 3.0]]
    """
    value = np.zeros(wear.shape)
    slope = np.zeros(wear.shape)
    for k in range(1, int(min(np.ceil(epochs.max(initial=1.0)), COUNTED))):
        on = epochs > k
        kept = np.exp(-k * wear[..., on]) * np.log(np.minimum(epochs[on], k + 1) / k)
        value[..., on] += kept
        slope[..., on] -= k * kept
    late = epochs > COUNTED
    if late.any():
        # sum exp(-k r) log((k + 1) / k) is about the integral of exp(-t r) / t, which is E1; it
        # diverges at r = 0.
        rate = np.maximum(wear[..., late], 1e-12)
        last = epochs[late]
        half = np.exp(rate / 2)  # a pass counts from its start, half a pass before its middle
        tail = exp1(COUNTED * rate) - exp1(last * rate)
        fall = (np.exp(-last * rate) - np.exp(-COUNTED * rate)) / rate
        value[..., late] += half * tail
        slope[..., late] += half * (fall + tail / 2)
    return value, slope
