"""What a proposal is to be good at: one target, several, or the worst of them; caps on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnknownName, listed
from reweightviz.core.protocols import Law
from reweightviz.core.types import Array

Objective = str | Mapping[str, float]
WORST, RATIO = "worst", "worst ratio"


@dataclass(frozen=True)
class Aim:
    """What is minimised: a weighted mean of losses, or the largest of them.

    Args:
        importance: (M,) >= 0, sums to 1.
        sign: (M,) 1 where lower is better, -1 where higher is.
        scale: (M,) what the losses are divided by before the largest is taken.
        worst: whether the largest counts, not the mean.
    """

    importance: Array
    sign: Array
    scale: Array
    worst: bool = False

    @property
    def counted(self) -> NDArray[np.bool_]:
        """The targets (M,) that count at all."""
        return np.asarray(self.importance > 0)

    @property
    def upwards(self) -> bool:
        """Whether every target that counts is one where higher is better."""
        return bool((self.sign[self.counted] < 0).all())

    def score(self, losses: Array) -> Array:
        """What is minimised, of losses (..., M)."""
        if self.worst:
            return np.asarray((losses / self.scale)[..., self.counted].max(-1), np.float64)
        return np.asarray(
            losses[..., self.counted] @ (self.importance * self.sign)[self.counted], np.float64
        )

    def score_interval(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Return the lowest and the highest score of losses between ``low`` and ``high`` (..., M)."""
        falls = self.sign > 0
        return self.score(np.where(falls, low, high)), self.score(np.where(falls, high, low))

    def shown(self, score: Array) -> Array:
        """A score in the direction of its targets: higher is better only where that holds for all."""
        return -score if self.upwards else score


def aim_of(law: Law, objective: Objective, reference: Array) -> Aim:
    """The aim that an objective names.

    Args:
        law: whose targets it names.
        objective: "mean", one target, target to importance, "worst" (the largest loss), or "worst
            ratio" (the largest loss relative to the reference's).
        reference: (M,) predicted for the reference mixture.

    Raises:
        ReweightvizError: an unknown target, an importance that is no number >= 0, or the worst of
            targets that differ in direction.
    """
    sign = np.where(law.lower_is_better, 1.0, -1.0)
    ones = np.ones(len(law.targets))
    if isinstance(objective, str) and objective in (WORST, RATIO) and objective not in law.targets:
        if not np.asarray(law.lower_is_better).all():
            upwards = np.array(law.targets, object)[~np.asarray(law.lower_is_better)]
            raise ReweightvizError(
                f"objective {objective!r} compares losses, but higher is better for "
                f"{listed(upwards)}: "
                "name the targets that count, as in objective={'a': 1, 'b': 1}."
            )
        return Aim(ones / len(ones), sign, reference if objective == RATIO else ones, worst=True)
    if isinstance(objective, str) and objective == "mean" and "mean" not in law.targets:
        return Aim(ones / len(ones), sign, ones)
    importance = importance_of(
        law.targets, {objective: 1.0} if isinstance(objective, str) else objective
    )
    return Aim(importance, sign, ones)


def importance_of(targets: Sequence[str], named: Mapping[str, float]) -> Array:
    """Importance (M,) that sums to 1, from target to a number >= 0."""
    if not isinstance(named, Mapping):
        raise InvalidValue(
            name="objective",
            value=named,
            expected="'mean', 'worst', a target or target to importance",
        )
    importance = np.zeros(len(targets))
    for target, value in named.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise InvalidValue(
                name=f"the importance of {target!r}", value=value, expected="a number >= 0"
            )
        importance[place(targets, target)] = value
    if not np.isfinite(importance).all() or (importance < 0).any() or not importance.any():
        raise InvalidValue(
            name="importance", value=dict(named), expected="numbers >= 0, at least one above 0"
        )
    return np.asarray(importance / importance.sum(), np.float64)


def place(names: Sequence[str], name: str, kind: str = "target of the law") -> int:
    """Where a name stands; a sentence suggests the nearest where it does not."""
    if name not in names:
        raise UnknownName(kind=kind, name=name, known=names)
    return list(names).index(name)
