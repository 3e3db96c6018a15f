"""What tells a training run how much of each domain: a mixer, or a mixture that stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, listed
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Mixer, needs, supply
from reweightviz.core.types import COSTLY_SIGNALS

Array = NDArray[np.float64]


class Driver:
    """A mixer at work: what to draw by, what to scale the loss by, what to measure, what to learn from.

    A mixer whose ``update`` names ``penalty_gap`` has a field ``alpha``: the model then follows the validation loss plus
    alpha times the training loss, and a second model, the follower, the training loss alone.

    Args:
        mixture: domain weights, or a mixer.
        domains: of the data (K,).
        given: what ``init`` may name: tokens (K,), documents (K,), a prior (K,), a graph (K, K), and so on.
        has_reference: whether there will be reference_loss and excess_loss.
    """

    def __init__(self, mixture: Mixture | Mixer, domains: tuple[str, ...], given: Mapping[str, Any], *, has_reference: bool) -> None:
        self.name = type(mixture).__name__.lower()
        self._mixer: Any = mixture
        if isinstance(mixture, Mixture):
            self.name, self._mixer = str(mixture.source.get("method", "mixture")), _Static(mixture.aligned(domains))
        self._who = type(mixture).__name__
        self._start = np.asarray(given.get("prior", np.full(len(domains), 1 / len(domains))), np.float64)
        self._learns, self._scales_loss = hasattr(self._mixer, "update"), self._mixer.applies_to == "loss"
        self._costly: list[str] = []
        if self._learns:
            known = dict.fromkeys(["loss", "drawn_tokens", *(["reference_loss", "excess_loss"] if has_reference else []), *COSTLY_SIGNALS])
            supply(f"{self._who} in this trainer", self._mixer.update, known)
            self._costly = [name for name in needs(self._mixer.update) if name in COSTLY_SIGNALS]
        for wanted, what in ((self._costly, "measures"), ("penalty_gap" in self._costly, "alpha")):
            if wanted and not hasattr(self._mixer, what):
                raise ReweightvizError(f"{self._who}.update names {listed(self._costly)}, so {self._who} needs {what!r}.")
        self.alpha: float | None = float(self._mixer.alpha) if "penalty_gap" in self._costly else None
        self._state = self._mixer.init(**supply(self._who, self._mixer.init, {"prior": self._start, **given}))

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
            raise ReweightvizError(f"{self._who}.measures asks for {listed(strange)}; its update names {listed(self._costly)}.")
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
            self._state = self._mixer.update(self._state, **supply(self._who, self._mixer.update, {**nothing, **signals}))


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
