"""The user's function that measures the costly signals of a sampler's mixer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError
from reweightviz.training.mixture_sampler import MixtureSampler

__all__ = ["Measure", "require_measure"]


Measure = Callable[[tuple[str, ...]], Mapping[str, ArrayLike]]
"""Takes names of costly signals and returns each (K,), in the order of the sampler's domains."""


def require_measure(sampler: MixtureSampler, measure: Measure | None) -> Measure:
    """Return a function that measures where the sampler's mixer names signals.

    Raises:
        ReweightvizError: the mixer learns from costly signals, and there is no ``measure``.
    """
    if measure is not None:
        # A measurement may be a pass over held-out data: no call where nothing is due.
        return lambda names: measure(names) if names else {}
    if sampler.has_costly_mixer:
        raise ReweightvizError(
            "the sampler's mixer learns from signals that must be measured: measure=, a "
            'function of their names that returns each (K,), such as {"held_out_loss": [...]}.'
        )
    return lambda _: {}
