"""What laws share whose uncertainty is drawn: checked mixtures, intervals from the draws, arrays in their records."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.protocols import BrowserForm
from reweightviz.core.types import Array
from reweightviz.laws._mixtures import asked_mixtures
from reweightviz.numerics.quantiles import between

BLOCK = 1 << 22
"""Sampled losses that are held at once."""
MOST_ROWS = 2000
"""Mixtures that are drawn at once."""


class SampledLaw:
    """A law that says what a new run might reach by drawing: ``predict`` and ``samples`` are its own."""

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]
    diagnostics: Mapping[str, Sequence[Any]]
    kind: ClassVar[str]

    @property
    def given(self) -> tuple[str, ...]:
        """What ``predict`` takes beside the weights, by keyword: one number, or one a mixture."""
        return ()

    @property
    def draws(self) -> int:
        """How many draws ``samples`` gives, B; 0 for none."""
        raise NotImplementedError

    def predict(self, weights: ArrayLike, **given: ArrayLike) -> Array:
        """Losses (n, M) under mixtures (n, K)."""
        raise NotImplementedError

    def samples(self, weights: ArrayLike, **given: ArrayLike) -> Array:
        """Losses (B, n, M) that a new run at each of the mixtures (n, K) might reach, one a draw."""
        raise NotImplementedError

    def interval(
        self, weights: ArrayLike, level: float = 0.9, **given: ArrayLike
    ) -> tuple[Array, Array]:
        """Low and high (n, M): where a new run lands with probability ``level``; NaN without draws."""
        if not 0 < level < 1:
            raise InvalidValue(
                name="level", value=level, expected="a probability between 0 and 1, such as 0.9"
            )
        mixtures = self._mixtures(weights)
        if not self.draws:
            absent = np.full((len(mixtures), len(self.targets)), np.nan)
            return absent, absent.copy()
        rows = min(max(1, BLOCK // (self.draws * len(self.targets))), MOST_ROWS)
        parts = [
            between(
                self.samples(
                    mixtures[first : first + rows],
                    **_part(given, len(mixtures), slice(first, first + rows)),
                ),
                level,
            )
            for first in range(0, len(mixtures), rows)
        ]
        low, high = np.concatenate(parts, axis=1) if parts else np.empty((2, 0, len(self.targets)))
        return low, high

    def browser_form(self) -> BrowserForm | None:
        """None: a browser asks the kernel for this law."""
        return None

    def _mixtures(self, weights: ArrayLike) -> Array:
        return asked_mixtures(weights, self.domains)

    def _record(self) -> dict[str, Any]:
        """What every record begins with."""
        return {
            "kind": self.kind,
            "domains": list(self.domains),
            "targets": list(self.targets),
            "lower_is_better": self.lower_is_better.tolist(),
            "diagnostics": {name: list(values) for name, values in self.diagnostics.items()},
        }

    @classmethod
    def _read(cls, record: Mapping[str, Any]) -> dict[str, Any]:
        """What :meth:`_record` gave, as arguments; refuses another kind of law."""
        if record.get("kind") != cls.kind:
            raise InvalidValue(
                name="the kind of the law", value=record.get("kind"), expected=repr(cls.kind)
            )
        try:
            return {
                "domains": tuple(record["domains"]),
                "targets": tuple(record["targets"]),
                "lower_is_better": np.array(record["lower_is_better"], bool),
                "diagnostics": dict(record["diagnostics"]),
            }
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(error) from error


def damaged(error: Exception) -> ReweightvizError:
    """A record that lacks something."""
    return ReweightvizError(f"the record of the law is incomplete or damaged: {error}.")


def packed(values: NDArray[Any]) -> dict[str, Any]:
    """An array as JSON can hold it: base64 of little-endian bytes.

    >>> unpacked(packed(np.array([[1.0, 2.0]]))).tolist()
    [[1.0, 2.0]]
    """
    plain = np.ascontiguousarray(values)
    plain = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    return {
        "shape": list(plain.shape),
        "dtype": plain.dtype.str,
        "data": base64.b64encode(plain.tobytes()).decode("ascii"),
    }


def unpacked(record: Mapping[str, Any]) -> NDArray[Any]:
    """What :func:`packed` gave."""
    return (
        np.frombuffer(base64.b64decode(record["data"]), record["dtype"])
        .reshape(record["shape"])
        .copy()
    )


def _part(given: Mapping[str, ArrayLike], count: int, rows: slice) -> dict[str, ArrayLike]:
    """The rows of what has a value a mixture; one number stays."""
    arrays = {name: np.asarray(value) for name, value in given.items()}
    return {
        name: value[rows] if value.ndim and len(value) == count and count > 1 else value
        for name, value in arrays.items()
    }
