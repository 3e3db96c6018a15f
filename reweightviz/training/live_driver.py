"""A mixer in the place of the person who drags weights: it writes a live mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, list_names, warn
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.live import LiveMixture
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Mixer
from reweightviz.training.driver import Driver

__all__ = ["LiveDriver"]


class LiveDriver(Driver):
    """A mixer at work that sets a live mixture by what it learns.

    Args:
        mixer: any mixer; one that changes the loss rather than the draw is refused.
        live: the file.
        given: what the mixer's ``init`` may name.
        domains: of the data (K,).
        writes: true where this process writes the file; all ranks update the mixer.
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
        self._live = live
        self._domains = tuple(domains)
        self._writes = writes
        self._has_warned = False

    def update(self, signals: Mapping[str, ArrayLike]) -> None:
        """Learn from the signals (K,) of a step, and set the live mixture where weights changed."""
        # A Driver takes a missing signal for one that is not due, and the mixer learns nothing.
        absent = [name for name in self.measures if name not in signals]
        if absent:
            raise ReweightvizError(
                f"{self._who} needs {list_names(absent)} after this step, as "
                "MixtureSampler.measures "
                f"names them; update got {list_names(signals) or 'nothing'}."
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
            self._has_warned = False
        except ReweightvizError as error:
            # A guard holds, or the file is gone: the training goes on by the last weights.
            if not self._has_warned:
                warn(
                    f"{self._who} cannot set the live mixture, and the weights stay as they "
                    f"are: {error}"
                )
            self._has_warned = True

    def state_dict(self) -> Any:
        """Return the mixer's state, ready for JSON."""
        return _pack(self._state)

    def load_state_dict(self, stored: Any) -> None:
        """Put a stored state in the place of this one."""
        self._state = _unpack(stored, self._state)


def _pack(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_pack(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _pack(item) for key, item in value.items()}
    return to_jsonable(value)


def _unpack(stored: Any, like: Any) -> Any:
    """Return stored values in the form of a state: named tuples, arrays, numbers."""
    if isinstance(like, tuple):
        items = [_unpack(item, old) for item, old in zip(stored, like, strict=True)]
        return type(like)(*items) if hasattr(like, "_fields") else tuple(items)
    if isinstance(like, np.ndarray):
        values = np.array(stored, object).astype(like.dtype)
        if not values.size:  # JSON has no (0, K): an empty list lost its second length
            return values.reshape(like.shape)
        return values
    if isinstance(like, np.generic | float):
        return type(like)(stored)
    return stored
