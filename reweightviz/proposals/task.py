"""The task of a proposal: a law, the mixtures that may be proposed, and what pulls on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import (
    InvalidValue,
    ReweightvizError,
    UnmetNeed,
    WrongDomains,
    list_names,
)
from reweightviz.core.protocols import Law, LawSpec
from reweightviz.core.swarm import Swarm
from reweightviz.core.token_counts import parse_budget
from reweightviz.core.types import Array
from reweightviz.core.validation import is_number, mapping, whole_number
from reweightviz.evaluation.law_inputs import law_inputs
from reweightviz.numerics.contrast import draw_losses
from reweightviz.numerics.region import Region, region
from reweightviz.proposals.aim import find_target
from reweightviz.proposals.constraints import build_space
from reweightviz.proposals.space import Space

__all__ = ["SLACK", "Task", "build_task", "check_law"]


SLACK = 1e-6
"""How far a predicted value may exceed its cap."""


@dataclass(frozen=True)
class Task:
    """Hold what a law is asked; solved for one aim after another.

    Args:
        law: predicts.
        space: the mixtures that may be proposed, and their free weights (Z,).
        prior: (Z,) towards which ``kl`` pulls, and the reference of a proposal.
        kl: strength of that pull in units of the loss.
        caps: target to the worst predicted value that is allowed.
        given: what the law predicts from beside the weights.
        swarm: the runs behind the law, where they are known.
        seed: of what is drawn.
        reference_name: what the reference is called.
    """

    law: Law
    space: Space
    prior: Array
    kl: float
    caps: Mapping[str, float]
    given: Mapping[str, Any]
    swarm: Swarm | None
    seed: int
    reference_name: str = "uniform"

    @property
    def reference(self) -> Array:
        """The free weights (Z,) that a proposal is compared with: the prior's."""
        return self.prior

    @property
    def only_prior(self) -> bool:
        """True where the pull is infinite, so that losses count for nothing."""
        return bool(np.isinf(self.kl))

    def predict(self, free: Array) -> Array:
        """Return losses (n, M) of free weights (n, Z)."""
        return np.asarray(
            self.law.predict(free @ self.space.law_spread.T, **self.given), np.float64
        )

    def samples(self, free: Array) -> Array:
        """Return losses (B, n, M) that new runs might reach; B is 0 without draws."""
        return draw_losses(self.law, free @ self.space.law_spread.T, self.given)

    def interval(self, free: Array, level: float = 0.9) -> tuple[Array, Array]:
        """Return low and high (n, M) of a new run at free weights (n, Z); NaN where not known."""
        return self.law.interval(free @ self.space.law_spread.T, level, **self.given)

    def penalty(self, free: Array) -> Array:
        """Return ``kl * KL(w || prior)`` (n,) of free weights (n, Z)."""
        if not self.kl:
            return np.zeros(len(free))
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(free > 0, free * np.log(free / self.prior), 0.0)
        # Under an infinite pull the KL is all there is, and its factor does not matter.
        factor = 1.0 if self.only_prior else self.kl
        return np.asarray(factor * terms.sum(1), np.float64)

    def region(self) -> Region:
        """Return where the free weights may be."""
        lower, upper, limits = self.space.compile()
        if self.kl > 0:
            # The KL is infinite where the prior is 0.
            upper = np.where(self.prior == 0, 0.0, upper)
        return region(lower, upper, limits)

    def excess(self, losses: Array) -> Array:
        """Return by how much losses (n, M) exceed their caps, (n, J)."""
        columns = [find_target(self.law.targets, target) for target in self.caps]
        sign = np.where(self.law.lower_is_better, 1.0, -1.0)[columns]
        caps = np.array(list(self.caps.values()), np.float64)
        return np.asarray(sign * (losses[:, columns] - caps), np.float64)

    def meets_caps(self, free: Array) -> NDArray[np.bool_]:
        """Return which free weights (n, Z) meet the caps on targets, (n,)."""
        if not self.caps:
            return np.ones(len(free), bool)
        return np.asarray((self.excess(self.predict(free)) <= SLACK).all(1))


def build_task(
    law: Law,
    *,
    near: Mapping[str, float] | None = None,
    kl: float = 0.05,
    caps: Mapping[str, float] | None = None,
    given: Mapping[str, Any] | None = None,
    swarm: Swarm | None = None,
    seed: int = 0,
    tokens: float | str | None = None,
    **constraints: Any,
) -> Task:
    """Return the task of the arguments of :func:`reweightviz.proposals.optimize.optimize`.

    Raises:
        ReweightvizError: an argument that is not what it must be.
    """
    check_law(law)
    if not is_number(kl) or not kl >= 0:
        raise InvalidValue(name="kl", value=kl, expected="a number >= 0")
    if swarm is not None and not isinstance(swarm, Swarm):
        raise InvalidValue(name="swarm", value=swarm, expected="the Swarm behind the law")
    asked_caps = mapping("caps", caps, "target to the worst predicted value")
    asked_inputs = mapping("given", given, "name to what the law takes")
    budget = parse_budget(tokens)
    space = build_space(law.domains, tokens=budget, **constraints)
    prior = space.prior(near)
    reference_name = "near"
    if near is None:
        reference_name = "uniform"
    if kl > 0:
        _check_prior(space, prior)
    _check_caps(law, asked_caps)
    if swarm is not None and set(swarm.domains) != set(law.domains):
        raise WrongDomains(who="the swarm", asked=swarm.domains, other="the law", there=law.domains)
    return Task(
        law,
        space,
        prior,
        float(kl),
        asked_caps,
        law_inputs(law, asked_inputs, budget, constraints.get("sources")),
        swarm,
        whole_number("seed", seed),
        reference_name,
    )


def check_law(law: Any) -> None:
    """Refuse what is no fitted law."""
    if isinstance(law, LawSpec) or (isinstance(law, type) and hasattr(law, "fit")):
        spec = law if isinstance(law, type) else type(law)
        name = spec.__name__
        raise ReweightvizError(
            f"a proposal needs a fitted law, and {name} is only its settings: fit it first, as in "
            f"rv.fit(swarm, rv.laws.{name}())."
        )
    if not isinstance(law, Law):
        raise UnmetNeed(name="a proposal", value=law, expected="a law, which rv.fit gives")


def _check_prior(space: Space, prior: Array) -> None:
    """Refuse a prior of 0 for what may have a weight: the KL would be infinite there."""
    _, upper, _ = space.compile()
    barred = (prior == 0) & (upper > 0)
    if barred.any():
        raise ReweightvizError(
            f"near gives 0 to {list_names(np.array(space.names, object)[barred])}, so no "
            "proposal could use what "
            "the runs did: give it a small weight, set kl=0, or leave it out by "
            "bounds={...: (0, 0)}."
        )


def _check_caps(law: Law, caps: Mapping[str, float]) -> None:
    for target, cap in caps.items():
        find_target(law.targets, target)
        if not is_number(cap) or not np.isfinite(cap):
            raise InvalidValue(
                name=f"the cap on {target!r}",
                value=cap,
                expected="a number, the worst predicted value that is allowed",
            )
