"""The base class of laws: inputs checked once, and intervals from draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidArgument, InvalidValue, list_names
from reweightviz.core.protocols import BrowserForm
from reweightviz.core.types import Array
from reweightviz.laws._inputs import Inputs, align_mixtures, check_given
from reweightviz.numerics.quantiles import between

__all__ = ["BLOCK", "MOST_ROWS", "HoldingLaw", "SampledLaw"]


BLOCK = 1 << 22
"""Numbers that are held at once while an interval is drawn."""
MOST_ROWS = 2000
"""Mixtures that are drawn at once."""


class SampledLaw(ABC):
    """A law that draws what a new run might reach.

    A subclass has ``draws``, ``_predict``, ``_sample`` and ``to_dict``; ``_interval`` where it has
    a better way than the quantiles of its draws.
    """

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]
    diagnostics: Mapping[str, Sequence[Any]]
    held: Mapping[str, Array] = MappingProxyType({})

    @property
    def takes(self) -> tuple[str, ...]:
        """Inputs that :meth:`predict` may be given beside the weights."""
        return ()

    @property
    def given(self) -> tuple[str, ...]:
        """Inputs that :meth:`predict` must be given: one number, or one a mixture."""
        return tuple(name for name in self.takes if name not in self.held)

    @property
    @abstractmethod
    def draws(self) -> int:
        """The number of draws of ``samples``, B; 0 for none."""

    def predict(self, weights: ArrayLike, **given: ArrayLike) -> Array:
        """Return the losses (n, M) under mixtures (n, K)."""
        return self._predict(self._inputs(weights, given))

    def samples(self, weights: ArrayLike, **given: ArrayLike) -> Array:
        """Return B draws of the losses that a new run at each of n mixtures might reach, (B, n, M).

        A draw has one refit and the residuals of one run for all targets, so sums and differences
        over targets or mixtures keep their correlation.
        """
        return self._sample(self._inputs(weights, given))

    def interval(
        self, weights: ArrayLike, level: float = 0.9, **given: ArrayLike
    ) -> tuple[Array, Array]:
        """Return low and high (n, M) between which a new run lands with probability ``level``.

        They are NaN without draws.
        """
        if not 0 < level < 1:
            raise InvalidValue(
                name="level", value=level, expected="a probability between 0 and 1, such as 0.9"
            )
        return self._interval(self._inputs(weights, given), level)

    def browser_form(self) -> BrowserForm | None:
        """Return None: a browser has this law evaluated by the kernel."""
        return None

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON can hold it."""

    @abstractmethod
    def _predict(self, inputs: Inputs) -> Array:
        """Return losses (n, M)."""

    @abstractmethod
    def _sample(self, inputs: Inputs) -> Array:
        """Return losses (B, n, M)."""

    def _interval(self, inputs: Inputs, level: float) -> tuple[Array, Array]:
        count = len(inputs.weights)
        if not self.draws:
            absent = np.full((count, len(self.targets)), np.nan)
            return absent, absent.copy()
        # The draws of all mixtures at once may not fit into memory.
        rows = min(max(1, BLOCK // self._numbers_a_mixture()), MOST_ROWS)
        parts = [
            between(self._sample(inputs.take(slice(first, first + rows))), level)
            for first in range(0, count, rows)
        ]
        if not parts:
            return np.empty((0, len(self.targets))), np.empty((0, len(self.targets)))
        low, high = np.concatenate(parts, axis=1)
        return low, high

    def _numbers_a_mixture(self) -> int:
        """Count the numbers that the draws of one mixture hold at once."""
        return self.draws * len(self.targets)

    def _inputs(self, weights: ArrayLike, given: Mapping[str, ArrayLike]) -> Inputs:
        mixtures = align_mixtures(weights, self.domains)
        self._check_names(given, required=self.given)
        values = {**self.held, **given}  # a prediction may differ from what is held
        checked = {
            name: check_given("the law", name, value, mixtures.shape)
            for name, value in values.items()
        }
        return Inputs(mixtures, checked)

    def _check_names(self, given: Mapping[str, Any], *, required: Collection[str]) -> None:
        if given.keys() <= set(self.takes) and given.keys() >= set(required):
            return
        expected = "the weights alone"
        if self.takes:
            expected = f"{list_names(self.takes)} beside the weights"
        got = list_names(given) if given else "none"
        raise InvalidArgument(name="the law", value=given, expected=expected, got=got)

    def _record(self) -> dict[str, Any]:
        """Return what every record has beside its kind."""
        return {
            "domains": list(self.domains),
            "targets": list(self.targets),
            "lower_is_better": self.lower_is_better.tolist(),
            "diagnostics": {name: list(values) for name, values in self.diagnostics.items()},
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class HoldingLaw(SampledLaw):
    """A law that holds some of its inputs, so that a prediction need not be given them.

    Args:
        held: name to (), or (K,) for a wide input.
    """

    held: Mapping[str, Array] = field(default_factory=dict)

    def at(self, **given: ArrayLike) -> Self:
        """Return the same law with some of ``takes`` held, one number each."""
        # What is not held here may be held later, or given to each prediction.
        self._check_names(given, required=())
        one = (1, len(self.domains))
        held = {name: check_given("the law", name, value, one)[0] for name, value in given.items()}
        return replace(self, held={**self.held, **held})
