"""A mixer at work in a training run, or a mixture that stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reweightviz.core.errors import (
    InvalidValue,
    ReweightvizError,
    UnknownName,
    list_names,
)
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Mixer, check_method, needs, supply
from reweightviz.core.schedule import Schedule
from reweightviz.core.types import COSTLY_SIGNALS, LOG_SIGNALS, SIGNALS, Array
from reweightviz.numerics.simplex import share
from reweightviz.training.fixed_mixers import MixtureMixer, ScheduleMixer

__all__ = ["Driver"]


class Driver:
    """A mixer at work: the weights to draw by and to scale the loss by, and the signals it needs.

    A mixer whose ``update`` names ``penalty_gap`` has a field ``alpha``: the model then follows
    the validation loss plus alpha times the training loss, and a second model, the follower, the
    training loss alone.

    Args:
        mixture: domain weights, a schedule, or a mixer.
        domains: of the data (K,).
        given: what ``init`` may name: tokens (K,), documents (K,), a prior (K,), a graph (K, K),
            and so on.
        has_reference: true where there will be reference_loss and excess_loss.

    Raises:
        ReweightvizError: no mixer, or one that needs what this trainer does not have.
    """

    def __init__(
        self,
        mixture: Mapping[Any, Any] | Mixer,
        domains: tuple[str, ...],
        given: Mapping[str, Any],
        *,
        has_reference: bool,
    ) -> None:
        self.name, self._mixer = _choose_mixer(mixture, domains)
        self._who = type(mixture).__name__
        self._prior = _find_prior(given, len(domains))
        self._scales_loss = self._mixer.applies_to == "loss"
        self._learns = hasattr(self._mixer, "update")
        # Each takes passes of its own, so only those that update names are measured.
        self._costly: list[str] = []
        if self._learns:
            self._costly = self._find_costly_signals(has_reference=has_reference)
        self.alpha: float | None = None
        if self._costly:
            self._require("measures")
        if "penalty_gap" in self._costly:
            self._require("alpha")
            self.alpha = float(self._mixer.alpha)
        signals = supply(self._who, self._mixer.init, {"prior": self._prior, **given})
        self._state = self._mixer.init(**signals)
        if self.weights.shape != (len(domains),):
            raise ReweightvizError(
                f"{self._who} weighs {self.weights.size} domains of the {len(domains)} "
                "that there are: given= must hold one number for each."
            )

    @property
    def is_costly(self) -> bool:
        """True where the mixer learns from held-out documents or from fresh gradients."""
        return bool(self._costly)

    @property
    def measures(self) -> tuple[str, ...]:
        """The costly signals that are to be measured right after the coming step."""
        if not self._costly:
            return ()
        names = tuple(self._mixer.measures(self._state))
        strange = [name for name in names if name not in self._costly]
        if strange:
            raise ReweightvizError(
                f"{self._who}.measures names {list_names(strange)}; its update names "
                f"{list_names(self._costly)}."
            )
        return names

    @property
    def weights(self) -> Array:
        """The mixture of now (K,)."""
        return np.asarray(self._mixer.weights(self._state), np.float64)

    def sampling(self, weights: Array) -> Array:
        """Return the weights (K,) to draw the next batch by."""
        # Drawn by its weights too, a domain would be weighted twice.
        return self._prior if self._scales_loss else weights

    def loss_scale(self, weights: Array) -> Array:
        """Return the factor (K,) of a token of each domain in the loss."""
        if not self._scales_loss:
            return np.ones(len(self._prior))
        # A domain drawn twice as often as its weight asks for counts half in the loss.
        return np.divide(weights, self._prior, out=np.zeros(len(weights)), where=self._prior > 0)

    @property
    def result(self) -> Array:
        """The mixer's answer (K,)."""
        return np.asarray(self._mixer.result(self._state), np.float64)

    def update(self, signals: Mapping[str, Array]) -> None:
        """Give the mixer the signals (K,) that it names; what was not measured is NaN."""
        if not self._learns:
            return
        # On steps without a measurement a mixer is updated all the same: it counts its steps.
        nothing = dict.fromkeys(self._costly, np.full(len(self._prior), np.nan))
        named = supply(self._who, self._mixer.update, {**nothing, **signals})
        self._state = self._mixer.update(self._state, **named)

    def _find_costly_signals(self, *, has_reference: bool) -> list[str]:
        """Return the costly signals that ``update`` names; raise where it names unknown ones."""
        known = ["loss", "drawn_tokens", *COSTLY_SIGNALS]
        if has_reference:
            known += ["reference_loss", "excess_loss"]
        supply(f"{self._who} in this trainer", self._mixer.update, dict.fromkeys(known))
        return [name for name in needs(self._mixer.update) if name in COSTLY_SIGNALS]

    def _require(self, attribute: str) -> None:
        if not hasattr(self._mixer, attribute):
            raise ReweightvizError(
                f"{self._who}.update names {list_names(self._costly)}, so {self._who} "
                f"needs {attribute!r}."
            )


def _choose_mixer(mixture: Any, domains: tuple[str, ...]) -> tuple[str, Any]:
    """Return the name of a run, and its mixer: the given one, or one of the given weights."""
    if isinstance(mixture, Schedule):
        return "schedule", ScheduleMixer(mixture, domains)
    if isinstance(mixture, Mapping):
        fixed = Mixture.of(mixture)
        return str(fixed.source.get("method", "mixture")), MixtureMixer(fixed, domains)
    what = "domain weights, a schedule, or a mixer with its parameters"
    check_method(mixture, Mixer, "a training", "rv.mixers.DoReMi()", what)
    return type(mixture).__name__.lower(), mixture


def _find_prior(given: Mapping[str, Any], count: int) -> Array:
    """Return the prior (K,) among the given signals, uniform without one.

    Raises:
        ReweightvizError: a signal that no mixer starts from, or a prior of another length.
    """
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
