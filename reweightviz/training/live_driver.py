"""A mixer in the place of the person who drags weights: it writes a live mixture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, listed, warn
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.live import LiveMixture
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Mixer
from reweightviz.training.driver import Driver

if TYPE_CHECKING:
    from reweightviz.training.mixture_sampler import MixtureSampler

Measure = Callable[[tuple[str, ...]], Mapping[str, ArrayLike]]
"""Takes names of costly signals and returns each (K,), in the order of the sampler's domains."""


class LiveDriver(Driver):
    """Sets a live mixture by what a mixer learns.

    Args:
        mixer: any mixer; one that changes the loss rather than the draw is refused.
        live: the file.
        given: what the mixer's ``init`` may name.
        domains: of the data (K,).
        writes: whether this process writes the file; all ranks update the mixer.
    """

    def __init__(
        self,
        mixer: Mixer,
        live: LiveMixture,
        given: Mapping[str, Any],
        domains: Sequence[str],
        *,
        writes: bool,
    ) -> None:
        if mixer.applies_to == "loss":
            raise ReweightvizError(
                f"{type(mixer).__name__} scales the loss and draws by fixed weights; it "
                "cannot drive a sampler."
            )
        prior = live.mixture.aligned(domains)
        super().__init__(mixer, tuple(domains), {"prior": prior, **given}, has_reference=True)
        self._live, self._domains, self._writes = live, tuple(domains), writes
        self._complained = False

    def update(self, signals: Mapping[str, ArrayLike]) -> None:
        """Learn from the signals (K,) of a step, and set the live mixture where the weights have changed."""
        absent = [name for name in self.measures if name not in signals]
        if absent:
            raise ReweightvizError(
                f"{self._who} needs {listed(absent)} after this step, as "
                "MixtureSampler.measures says; "
                f"update got {listed(signals) or 'nothing'}."
            )
        super().update({name: np.asarray(values, np.float64) for name, values in signals.items()})
        if not self._writes:
            return
        wanted = Mixture.normalized(
            zip(self._domains, self.weights.tolist(), strict=True), source={"method": self.name}
        )
        if wanted == self._live.mixture:
            return
        try:
            self._live.set(wanted, author=self._who)
            self._complained = False
        except (
            ReweightvizError
        ) as error:  # a guard holds, or the file is gone: the training goes on by the last weights
            if not self._complained:
                warn(
                    f"{self._who} cannot set the live mixture, and the weights stay as "
                    f"they are: {error}"
                )
            self._complained = True

    def state_dict(self) -> Any:
        """The mixer's state, ready for JSON."""
        return _packed(self._state)

    def load_state_dict(self, stored: Any) -> None:
        """Put a stored state in the place of this one."""
        self._state = _unpacked(stored, self._state)


def measuring(sampler: MixtureSampler, measure: Measure | None) -> Measure:
    """What answers when a sampler's mixer asks for costly signals; refuses a mixer that would never get an answer."""
    if sampler.looks and measure is None:
        raise ReweightvizError(
            "the sampler's mixer learns from signals that must be measured: measure=, a "
            "function of their names that "
            'returns each (K,), such as {"held_out_loss": [...]}.'
        )
    return lambda names: measure(names) if measure is not None and names else {}


def _packed(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_packed(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _packed(item) for key, item in value.items()}
    return to_jsonable(value)


def _unpacked(stored: Any, like: Any) -> Any:
    """Stored values in the shape of a state: named tuples, arrays, numbers."""
    if isinstance(like, tuple):
        items = [_unpacked(item, old) for item, old in zip(stored, like, strict=True)]
        return type(like)(*items) if hasattr(like, "_fields") else tuple(items)
    if isinstance(like, np.ndarray):
        values = np.array(stored, object).astype(like.dtype)
        return values if values.size else values.reshape(like.shape)
    if isinstance(like, np.generic | float):
        return type(like)(stored)
    return stored
