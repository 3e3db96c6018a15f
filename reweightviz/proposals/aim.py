"""The aim of a proposal: one target, a mean of several, or the worst of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnknownName, list_names
from reweightviz.core.protocols import Law
from reweightviz.core.types import Array
from reweightviz.core.validation import is_number

__all__ = [
    "MEAN",
    "WORST",
    "WORST_RATIO",
    "Aim",
    "Objective",
    "build_aim",
    "find_target",
    "parse_importance",
]


Objective = str | Mapping[str, float]
MEAN = "mean"
WORST = "worst"
WORST_RATIO = "worst ratio"


@dataclass(frozen=True)
class Aim:
    """Hold what is minimised: a weighted mean of losses, or the largest of them.

    Args:
        importance: (M,) >= 0, sums to 1.
        sign: (M,) 1 where lower is better, -1 where higher is.
        scale: (M,) what the losses are divided by before the largest is taken.
        worst: True for the largest loss, False for the mean.
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
        """True where every target that counts is one where higher is better."""
        return bool((self.sign[self.counted] < 0).all())

    @property
    def downwards(self) -> bool:
        """True where the aim is a mean of losses: as convex and as smooth as the law."""
        return not self.worst and bool((self.sign[self.counted] > 0).all())

    def score(self, losses: Array) -> Array:
        """Return what is minimised (...), of losses (..., M)."""
        if self.worst:
            return np.asarray((losses / self.scale)[..., self.counted].max(-1), np.float64)
        return np.asarray(
            losses[..., self.counted] @ (self.importance * self.sign)[self.counted], np.float64
        )

    def score_interval(self, low: Array, high: Array) -> tuple[Array, Array]:
        """Return the lowest and highest score of losses between ``low`` and ``high`` (..., M)."""
        # The score rises with a loss and falls with an accuracy.
        falls = self.sign > 0
        return self.score(np.where(falls, low, high)), self.score(np.where(falls, high, low))

    def display(self, score: Array) -> Array:
        """Return a score in the direction of its targets, where they share one."""
        if self.upwards:
            return -score
        return score


def build_aim(law: Law, objective: Objective | None, reference: Array) -> Aim:
    """Return the aim that an objective names.

    Args:
        law: has the targets.
        objective: "mean" (None), one target, target to importance, "worst" (the largest loss), or
            "worst ratio" (the largest loss relative to the reference's).
        reference: (M,) predicted for the reference mixture.

    Raises:
        ReweightvizError: an unknown target, an importance that is no number >= 0, or the worst of
            targets that differ in direction.
    """
    sign = np.where(law.lower_is_better, 1.0, -1.0)
    ones = np.ones(len(law.targets))
    if objective is None:
        return Aim(ones / len(ones), sign, ones)
    # A target that is called "mean" or "worst" is meant by its name.
    if isinstance(objective, str) and objective not in law.targets:
        if objective in (WORST, WORST_RATIO):
            _check_that_all_fall(law, objective)
            scale = ones
            if objective == WORST_RATIO:
                scale = reference
            return Aim(ones / len(ones), sign, scale, worst=True)
        if objective == MEAN:
            return Aim(ones / len(ones), sign, ones)
    if isinstance(objective, str):
        objective = {objective: 1.0}
    return Aim(parse_importance(law.targets, objective), sign, ones)


def _check_that_all_fall(law: Law, objective: str) -> None:
    falls = np.asarray(law.lower_is_better)
    if not falls.all():
        raise ReweightvizError(
            f"objective {objective!r} compares losses, but higher is better for "
            f"{list_names(np.array(law.targets, object)[~falls])}: "
            "name the targets that count, as in objective={'a': 1, 'b': 1}."
        )


def parse_importance(targets: Sequence[str], named: Mapping[str, float]) -> Array:
    """Return importance (M,) that sums to 1, from target to a number >= 0."""
    if not isinstance(named, Mapping):
        raise InvalidValue(
            name="objective",
            value=named,
            expected="'mean', 'worst', a target or target to importance",
        )
    importance = np.zeros(len(targets))
    for target, value in named.items():
        if not is_number(value):
            raise InvalidValue(
                name=f"the importance of {target!r}", value=value, expected="a number >= 0"
            )
        importance[find_target(targets, target)] = value
    if not np.isfinite(importance).all() or (importance < 0).any() or not importance.any():
        raise InvalidValue(
            name="importance", value=dict(named), expected="numbers >= 0, at least one above 0"
        )
    return np.asarray(importance / importance.sum(), np.float64)


def find_target(targets: Sequence[str], name: str) -> int:
    """Return the place of a target; the sentence suggests the nearest name where there is none."""
    if name not in targets:
        raise UnknownName(kind="target of the law", name=name, known=targets)
    return list(targets).index(name)
