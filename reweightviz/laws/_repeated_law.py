"""The law over effective weights: any law, and how weights become those that it was fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.types import Array
from reweightviz.laws._inputs import Inputs
from reweightviz.laws._restore import restore_law
from reweightviz.laws._sampled_law import HoldingLaw
from reweightviz.numerics.effective_data import effective_tokens

__all__ = ["OWN", "Effective", "RepeatedLaw", "weigh_effective"]


OWN = ("run_tokens", "available")
"""Inputs of which the effective weights are made."""


@dataclass(frozen=True, eq=False)
class RepeatedLaw(HoldingLaw):
    """A law over effective weights.

    Args:
        law: over the effective weights.
        domains: names (K,).
        decay: R*, in repetitions.
        wasteful: whether the law has the wasted share as a domain more.
        held: run_tokens () and available (K,) where a prediction is not given them.
    """

    law: Any
    domains: tuple[str, ...]
    decay: float
    wasteful: bool
    targets: tuple[str, ...] = field(init=False)
    lower_is_better: NDArray[np.bool_] = field(init=False)
    diagnostics: Mapping[str, Sequence[Any]] = field(init=False)

    kind: ClassVar[str] = "repeated"

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(self.law.targets))
        object.__setattr__(self, "lower_is_better", np.asarray(self.law.lower_is_better, bool))
        object.__setattr__(self, "diagnostics", dict(self.law.diagnostics))

    def __repr__(self) -> str:
        return f"RepeatedLaw({self.law!r})"

    @property
    def takes(self) -> tuple[str, ...]:
        """Inputs that :meth:`predict` may be given beside the weights."""
        return (*OWN, *(name for name in self._takes_within if name not in OWN))

    @property
    def given(self) -> tuple[str, ...]:
        """Inputs that :meth:`predict` must be given beside the weights."""
        # The law within may hold some of what it takes.
        needed = {*OWN, *getattr(self.law, "given", ())}
        return tuple(name for name in super().given if name in needed)

    @property
    def draws(self) -> int:
        """The number of draws of ``samples``, B."""
        return int(getattr(self.law, "draws", 0))

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON can hold it."""
        return {
            "kind": self.kind,
            "domains": list(self.domains),
            "decay": self.decay,
            "wasteful": self.wasteful,
            "held": {name: np.asarray(value).tolist() for name, value in self.held.items()},
            "law": {"record": self.law.to_dict()},
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> RepeatedLaw:
        """Return the law that :meth:`to_dict` wrote.

        Records of 0.3.0 also name the class of the law within. It is not read: the record's kind
        suffices, and a class by its name could be anything.
        """
        if record.get("kind") != cls.kind:
            raise InvalidValue(
                name="the kind of the law", value=record.get("kind"), expected=repr(cls.kind)
            )
        try:
            return cls(
                restore_law(record["law"]["record"]),
                tuple(record["domains"]),
                float(record["decay"]),
                bool(record["wasteful"]),
                held={name: np.array(value, np.float64) for name, value in record["held"].items()},
            )
        except (KeyError, TypeError) as error:
            raise ReweightvizError(
                f"the record of the law is incomplete or damaged: {error}."
            ) from error

    @property
    def _takes_within(self) -> tuple[str, ...]:
        return tuple(getattr(self.law, "takes", getattr(self.law, "given", ())))

    def _predict(self, inputs: Inputs) -> Array:
        mixtures, given = self._within(inputs)
        return np.asarray(self.law.predict(mixtures, **given), np.float64)

    def _sample(self, inputs: Inputs) -> Array:
        mixtures, given = self._within(inputs)
        return np.asarray(self.law.samples(mixtures, **given), np.float64)

    def _interval(self, inputs: Inputs, level: float) -> tuple[Array, Array]:
        mixtures, given = self._within(inputs)
        low, high = self.law.interval(mixtures, level, **given)
        return low, high

    def _within(self, inputs: Inputs) -> tuple[Array, dict[str, Array]]:
        """Return what the law within is given: effective weights, and what it takes beside them."""
        effective = weigh_effective(
            inputs.weights, inputs.given["run_tokens"], inputs.given["available"], self.decay
        )
        given = {name: value for name, value in inputs.given.items() if name not in OWN}
        if "run_tokens" in self._takes_within:
            given["run_tokens"] = effective.tokens
        return effective.mixtures(self.wasteful), given


class Effective(NamedTuple):
    """The effective tokens (n,), each domain's share (n, K) of them, and the share (n,) wasted."""

    shares: Array
    wasted: Array
    tokens: Array

    def mixtures(self, wasteful: bool) -> Array:
        """Return the shares, or (n, K + 1) with the wasted one as a domain more."""
        if not wasteful:
            return self.shares
        return np.column_stack([self.shares * (1 - self.wasted)[:, None], self.wasted])


def weigh_effective(weights: Array, tokens: Array, available: Array, decay: float) -> Effective:
    """Return what weights (n, K) are worth after tokens (n,), of which (n, K) are available."""
    worth = effective_tokens(weights * tokens[:, None], available, decay)
    total = worth.sum(1)
    # Weights as read may sum to a little more or less than 1, and the shares sum to the same.
    whole = weights.sum(1)
    shares = worth * (whole / total)[:, None]
    # Rounding may bring the waste of fresh data below 0.
    return Effective(shares, np.maximum(1 - total / (tokens * whole), 0.0), total)
