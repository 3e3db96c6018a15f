"""Data-filtering scaling law: every domain has a utility that wears off as the domain is repeated.

Sachin Goyal, Pratyush Maini, Zachary C. Lipton, Aditi Raghunathan and J. Zico Kolter, "Scaling
Laws for Data Filtering: Data Curation cannot be Compute Agnostic", CVPR 2024,
https://arxiv.org/abs/2404.07177. Followed: the utility that halves every tau epochs, its mean over
the pools of a mixture, and half-lives that grow with the number of pools (theorem 1); checked
against the numbers of the authors' public code in ``numerics/effective_data.py``, where the floor
d is multiplied too; here it stays outside, as in the formula. Ours: pools of any size and weight,
by integrating the utility over training with 1 / weight in place of the number of pools; factor,
unit and floor fitted; Levenberg-Marquardt where they use a grid; the bootstrap with its prediction
intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.laws._curve_fit import fit_curve_law
from reweightviz.laws._curve_law import CurveLaw
from reweightviz.laws._curves import CURVES, Curve, Start
from reweightviz.laws._inputs import Inputs, check_given
from reweightviz.laws._runs import check_runs
from reweightviz.numerics.effective_data import worn_log

__all__ = ["FASTEST", "HALF_LIFE", "KIND", "STEEPEST", "DataFiltering"]


KIND = "data-filtering"
HALF_LIFE = 5.0
"""Epochs; where no run repeats a domain its half-life stays at this. The authors search 1 to 10."""
STEEPEST = 5.0
"""Utilities are looked for down to minus this."""
FASTEST = 3.0
"""The most that 1 / tau may be, a half-life of a third of an epoch."""


@dataclass(frozen=True)
class DataFiltering:
    """Fit utilities that wear off with repetition: ``d + A exp(sum_i w_i b_i log(worn_i / u))``.

    The law is over weights w and T tokens. b_i <= 0 is the utility of domain i, and worn_i the
    tokens seen, with each further pass over the domain counting in its logarithm by half after
    tau_i epochs. Without repetition it is ``d + A (T / u)^(w.b)``. The law takes ``run_tokens`` and
    ``available``; what all runs share of them is taken for granted where a prediction is not given
    it. Runs of one length do not show how the loss falls with more tokens: extrapolate over tokens
    only from runs that differ in them.

    Args:
        huber: delta, where the squared error turns absolute, in the unit of the losses.
        draws: refits to redrawn losses, B; 0 for no intervals, and no error on runs left out.
        seed: of the draws.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> mixtures = rng.dirichlet([1, 1], 40)
        >>> tokens = rng.choice([1e9, 4e9, 16e9], 40)
        >>> losses = 1 + 2 * (tokens / 1e7) ** (mixtures @ [-0.2, -0.1])
        >>> law = DataFiltering(draws=0).fit(
        ...     domains=("web", "code"), targets=("loss",), mixtures=mixtures,
        ...     losses=losses[:, None], run_tokens=tokens, available=[1e12, 1e12],
        ... )
        >>> law.given, law.predict([1, 0], run_tokens=1e11).round(3).tolist()
        (('run_tokens',), [[1.317]])
    """

    huber: float = 0.02
    draws: int = 100
    seed: int = 0

    paper: ClassVar[str] = "https://arxiv.org/abs/2404.07177"
    verified: ClassVar[str] = "against the authors' public code"

    def __post_init__(self) -> None:
        if not self.huber > 0 or self.draws < 0:
            raise UnmetNeed(
                name="DataFiltering",
                value=(self.huber, self.draws),
                expected="huber above 0 and draws of at least 0",
                got=f"{self.huber}, {self.draws}",
            )

    def fit(
        self,
        *,
        domains: Sequence[str],
        targets: Sequence[str],
        mixtures: ArrayLike,
        losses: ArrayLike,
        run_tokens: ArrayLike,
        available: ArrayLike,
        lower_is_better: ArrayLike | None = None,
    ) -> CurveLaw:
        """Fit every target.

        Args:
            domains: names (K,).
            targets: names (M,).
            mixtures: (R, K) weights of the runs, as read.
            losses: (R, M), above 0.
            run_tokens: (R,) training tokens of the runs or checkpoints.
            available: (K,) or (R, K) tokens that there were of each domain.
            lower_is_better: (M,); all true when not given.

        Raises:
            ReweightvizError: fewer runs than numbers to fit, losses that are missing or not above
                0, or mixtures that leave a domain's effect undetermined.
        """
        names = tuple(domains)
        needed = 3 + 2 * len(names)
        runs = check_runs(
            "DataFiltering", names, targets, mixtures, losses, lower_is_better, needed=needed
        )
        given = {
            name: check_given("DataFiltering", name, values, runs.mixtures.shape)
            for name, values in (("run_tokens", run_tokens), ("available", available))
        }
        unit = np.exp(np.log(given["run_tokens"]).mean())
        inputs = Inputs(runs.mixtures, given, {"unit": np.array(unit)})
        return fit_curve_law(
            KIND,
            runs,
            inputs,
            _start(inputs, runs.losses),
            huber=self.huber,
            draws=self.draws,
            seed=self.seed,
            held={name: values[0] for name, values in given.items() if (values == values[0]).all()},
        )


def _start(inputs: Inputs, y: Array) -> Start:
    """Start from a line in the logarithm above each of some floors, for several units of tokens.

    Parameters (P,) are d, log A, log u, the utilities b (K) and the rates 1 / tau (K).
    """
    weights = inputs.weights
    targets = y.shape[1]
    domains = weights.shape[1]
    starts = []
    for floor, unit in product((0.2, 0.5, 0.8), (-2.0, -5.0, -10.0)):
        level = np.linalg.lstsq(weights, np.log(y - floor * y.min(0)), rcond=None)[0]
        most = level.max(0) + 0.05  # so that every utility starts below 0
        columns = [
            floor * y.min(0),
            most,
            np.full(targets, unit),
            np.clip((level - most) / -unit, -STEEPEST, -1e-3).T,
            np.full((targets, domains), 1 / HALF_LIFE),
        ]
        starts.append(np.column_stack(columns))
    low = np.array([0.0, -20.0, -25.0, *[-STEEPEST] * domains, *[0.0] * domains])
    high = np.array([np.inf, 20.0, -0.5, *[0.0] * domains, *[FASTEST] * domains])
    return Start(np.stack(starts), low, high)


def _logs(theta: Array, inputs: Inputs) -> tuple[Array, Array, Array]:
    """Return the part above the floor, and what its derivatives are made of.

    ``log(worn_i / u)`` (..., n, K), its derivative by 1 / tau_i, and ``A exp(...)`` (..., n).
    """
    weights = inputs.weights
    tokens = inputs.given["run_tokens"]
    domains = weights.shape[1]
    epochs = weights * tokens[:, None] / inputs.given["available"]
    # By half after tau epochs, and 1 / weight stands for the number of pools (theorem 1).
    wear = theta[..., None, 3 + domains :] * (np.log(2) * weights)
    extra, slope = worn_log(epochs, wear)
    # The first pass over a domain counts whole; `extra` holds the further ones.
    first = np.log(tokens / inputs.fixed["unit"])[:, None] - np.log(np.maximum(epochs, 1.0))
    logs = first - theta[..., 2][..., None, None] + extra
    utility = theta[..., None, 3 : 3 + domains]
    above = np.exp(theta[..., 1:2] + (utility * weights * logs).sum(-1))
    return logs, slope * (np.log(2) * weights), above


def _value(theta: Array, inputs: Inputs) -> Array:
    return np.asarray(theta[..., :1] + _logs(theta, inputs)[2], np.float64)


def _jacobian(theta: Array, inputs: Inputs) -> Array:
    logs, slope, above = _logs(theta, inputs)
    weights = inputs.weights
    utility = theta[..., None, 3 : 3 + weights.shape[1]]
    by_level = above[..., None]
    by_unit = -by_level * (utility * weights).sum(-1, keepdims=True)
    parts = [
        np.ones_like(by_unit),
        by_level,
        by_unit,
        by_level * weights * logs,
        by_level * weights * utility * slope,
    ]
    return np.concatenate(parts, axis=-1)


CURVES[KIND] = Curve(_value, _jacobian, takes=("run_tokens", "available"))
