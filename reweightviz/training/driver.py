"""What tells a training run how much of each domain: a mixer, or a mixture that stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    ReweightvizError,
    UnknownName,
    listed,
)
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Mixer, needs, supply
from reweightviz.core.schedule import Schedule
from reweightviz.core.types import COSTLY_SIGNALS, LOG_SIGNALS, SIGNALS, Array
from reweightviz.numerics.simplex import share


class Driver:
    """A mixer at work: what to draw by, what to scale the loss by, what to measure, what to learn from.

    A mixer whose ``update`` names ``penalty_gap`` has a field ``alpha``: the model then follows
    the validation loss plus alpha times the training loss, and a second model, the follower, the
    training loss alone.

    Args:
        mixture: domain weights, a schedule, or a mixer.
        domains: of the data (K,).
        given: what ``init`` may name: tokens (K,), documents (K,), a prior (K,), a graph (K, K),
            and so on.
        has_reference: whether there will be reference_loss and excess_loss.
    """

    def __init__(
        self,
        mixture: Mapping[Any, Any] | Mixer,
        domains: tuple[str, ...],
        given: Mapping[str, Any],
        *,
        has_reference: bool,
    ) -> None:
        self.name, self._mixer = _driven(mixture, domains)
        self._who = type(mixture).__name__
        self._start = _prior(given, len(domains))
        self._learns, self._scales_loss = (
            hasattr(self._mixer, "update"),
            self._mixer.applies_to == "loss",
        )
        self._costly: list[str] = []
        if self._learns:
            known = dict.fromkeys(
                [
                    "loss",
                    "drawn_tokens",
                    *(["reference_loss", "excess_loss"] if has_reference else []),
                    *COSTLY_SIGNALS,
                ]
            )
            supply(f"{self._who} in this trainer", self._mixer.update, known)
            self._costly = [name for name in needs(self._mixer.update) if name in COSTLY_SIGNALS]
        for wanted, what in ((self._costly, "measures"), ("penalty_gap" in self._costly, "alpha")):
            if wanted and not hasattr(self._mixer, what):
                raise ReweightvizError(
                    f"{self._who}.update names {listed(self._costly)}, so {self._who} "
                    f"needs {what!r}."
                )
        self.alpha: float | None = (
            float(self._mixer.alpha) if "penalty_gap" in self._costly else None
        )
        self._state = self._mixer.init(
            **supply(self._who, self._mixer.init, {"prior": self._start, **given})
        )
        if self.weights.shape != (len(domains),):
            raise ReweightvizError(
                f"{self._who} weighs {self.weights.size} domains of the {len(domains)} "
                "that there are: "
                "given= must hold one number for each."
            )

    @property
    def looks(self) -> bool:
        """Whether the mixer learns from held-out documents or from fresh gradients."""
        return bool(self._costly)

    @property
    def measures(self) -> tuple[str, ...]:
        """The costly signals that are to be measured right after the coming step."""
        names = tuple(self._mixer.measures(self._state)) if self._costly else ()
        strange = [name for name in names if name not in self._costly]
        if strange:
            raise ReweightvizError(
                f"{self._who}.measures asks for {listed(strange)}; its update names "
                f"{listed(self._costly)}."
            )
        return names

    @property
    def weights(self) -> Array:
        """The mixture of now (K,)."""
        return np.asarray(self._mixer.weights(self._state), np.float64)

    def sampling(self, weights: Array) -> Array:
        """What to draw the next batch by (K,)."""
        return self._start if self._scales_loss else weights

    def loss_scale(self, weights: Array) -> Array:
        """What a token of each domain counts in the loss (K,)."""
        if not self._scales_loss:
            return np.ones(len(self._start))
        return np.divide(weights, self._start, out=np.zeros(len(weights)), where=self._start > 0)

    @property
    def result(self) -> Array:
        """The mixer's answer (K,)."""
        return np.asarray(self._mixer.result(self._state), np.float64)

    def update(self, signals: Mapping[str, Array]) -> None:
        """Tell the mixer what it asks for of an update's signals, each (K,); what was not measured is NaN."""
        if self._learns:
            nothing = dict.fromkeys(self._costly, np.full(len(self._start), np.nan))
            self._state = self._mixer.update(
                self._state, **supply(self._who, self._mixer.update, {**nothing, **signals})
            )


def _driven(mixture: Any, domains: tuple[str, ...]) -> tuple[str, Any]:
    """The name of a run, and its mixer: what was given, or one that answers with the given weights."""
    if isinstance(mixture, Schedule):
        return "schedule", _Staged(mixture, domains)
    if isinstance(mixture, Mapping):
        fixed = mixture if isinstance(mixture, Mixture) else Mixture(mixture)
        return str(fixed.source.get("method", "mixture")), _Static(fixed.aligned(domains))
    if isinstance(mixture, type) or not isinstance(mixture, Mixer):
        raise InvalidArgument(
            name="a training",
            value=mixture,
            expected="domain weights, a schedule, or a mixer with its parameters, such as "
            "rv.mixers.DoReMi()",
        )
    return type(mixture).__name__.lower(), mixture


def _prior(given: Mapping[str, Any], count: int) -> Array:
    """The prior (K,) of what is given, uniform without one; refuses what no mixer starts from."""
    for name in given:
        if name in LOG_SIGNALS or name not in SIGNALS:
            raise UnknownName(
                kind="signal that a mixer starts from called",
                name=name,
                known=set(SIGNALS) - set(LOG_SIGNALS),
            )
    prior = given.get("prior", np.full(count, 1 / count))
    if share(prior, "the prior").size != count:
        raise InvalidValue(
            name="the prior", value=np.size(prior), expected=f"{count} weights, one a domain"
        )
    return np.asarray(prior, np.float64)


class _Staged:
    """A schedule as a mixer; its state is the number of steps so far."""

    applies_to = "sampling"

    def __init__(self, schedule: Schedule, domains: tuple[str, ...]) -> None:
        self._starts, self._rows = (
            list(schedule),
            np.array([mixture.aligned(domains) for mixture in schedule.values()]),
        )

    def init(self) -> int:
        return 0

    def update(self, state: int) -> int:
        return state + 1

    def weights(self, state: int) -> Array:
        return np.asarray(
            self._rows[np.searchsorted(self._starts, state, side="right") - 1], np.float64
        )

    def result(self, state: int) -> Array:
        """The mean over the steps so far."""
        lasted = np.diff(np.minimum([*self._starts, state], state))
        return np.asarray(lasted @ self._rows / state, np.float64) if state else self.weights(0)


class _Static:
    """A mixture as a mixer; its state is its weights (K,)."""

    applies_to = "sampling"

    def __init__(self, fixed: Array) -> None:
        self._fixed = fixed

    def init(self) -> Array:
        return self._fixed

    def weights(self, state: Array) -> Array:
        return state

    def result(self, state: Array) -> Array:
        return state
