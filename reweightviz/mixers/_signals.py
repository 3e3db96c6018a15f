"""Checks of an update's input: a state of its own, signals of the right length, none infinite."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidArgument, UnmetNeed
from reweightviz.core.types import Array
from reweightviz.numerics.simplex import numbers

__all__ = ["check_signals"]


def check_signals(
    mixer: object, kind: type[tuple[object, ...]], state: tuple[object, ...], **signals: ArrayLike
) -> list[Array]:
    """Return the signals as (K,) float64, finite or NaN, for the K domains of the state.

    Args:
        mixer: whose update this is; it is named in the sentences.
        kind: the mixer's own State, whose first entry has one number a domain.
        state: what the update was given.
        signals: name to (K,). NaN is a domain without a measurement, such as one absent from the
            batch; it is never taken for a number. All NaN teaches nothing.

    Raises:
        ReweightvizError: the state is another method's, a signal has another length, or it is
            infinite.

    Example:
        >>> from reweightviz.mixers._fixed import State
        >>> state = State(np.array([0.5, 0.5]))
        >>> check_signals("Some mixer", State, state, loss=[3, float("nan")])
        [array([ 3., nan])]
    """
    who = mixer if isinstance(mixer, str) else type(mixer).__name__
    if not isinstance(state, kind):
        raise InvalidArgument(
            name=who,
            value=state,
            expected="a state that its init or update returned",
            got=f"{type(state).__module__}.{type(state).__name__}",
        )
    domains = np.asarray(state[0]).size
    arrays = {name: numbers(values, f"{name!r} of {who}") for name, values in signals.items()}
    for name, values in arrays.items():
        # NaN is a domain that was not measured; infinite is a training that broke.
        if values.shape != (domains,) or np.isinf(values).any():
            article = "an" if name[0] in "aeiou" else "a"
            raise UnmetNeed(
                name=who,
                value=values,
                expected=f"{article} {name.replace('_', ' ')} for each of {domains} domains, "
                "finite or NaN",
            )
    return list(arrays.values())
