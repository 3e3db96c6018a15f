"""What tells a training run how much of each domain: a mixer, or a mixture that stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Mixer, supply

Array = NDArray[np.float64]


class Driver:
    """A mixer at work: what to draw by, what to scale the loss by, what to learn from.

    Args:
        mixture: domain weights, or a mixer.
        domains: of the data (K,).
        tokens: available in each (K,).
        has_reference: whether there will be reference_loss and excess_loss.
    """

    def __init__(self, mixture: Mixture | Mixer, domains: tuple[str, ...], tokens: Array, *, has_reference: bool) -> None:
        self.name = type(mixture).__name__.lower()
        self._mixer: Any = mixture
        if isinstance(mixture, Mixture):
            self.name, self._mixer = str(mixture.source.get("method", "mixture")), _Static(mixture.aligned(domains))
        self._who = type(mixture).__name__
        self._start = np.full(len(domains), 1 / len(domains))
        self._learns, self._scales_loss = hasattr(self._mixer, "update"), self._mixer.applies_to == "loss"
        if self._learns:
            known = dict.fromkeys(["loss", "drawn_tokens", *(["reference_loss", "excess_loss"] if has_reference else [])])
            supply(f"{self._who} in this trainer", self._mixer.update, known)
        self._state = self._mixer.init(**supply(self._who, self._mixer.init, {"prior": self._start, "tokens": tokens}))

    @property
    def weights(self) -> Array:
        """The mixture of now (K,)."""
        return np.asarray(self._mixer.weights(self._state), np.float64)

    @property
    def sampling(self) -> Array:
        """What to draw the next batch by (K,)."""
        return self._start if self._scales_loss else self.weights

    @property
    def loss_scale(self) -> Array:
        """What a token of each domain counts in the loss (K,)."""
        return self.weights / self._start if self._scales_loss else np.ones(len(self._start))

    @property
    def result(self) -> Array:
        """The mixer's answer (K,)."""
        return np.asarray(self._mixer.result(self._state), np.float64)

    def update(self, signals: Mapping[str, Array]) -> None:
        """Tell the mixer what it asks for of an update's signals, each (K,)."""
        if self._learns:
            self._state = self._mixer.update(self._state, **supply(self._who, self._mixer.update, signals))


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
