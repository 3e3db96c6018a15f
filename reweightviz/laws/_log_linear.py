"""The log-linear law: the loss of a target is c + exp(t.w), with draws for its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.protocols import BrowserForm
from reweightviz.core.types import Array
from reweightviz.laws._arrays import decoded, encoded
from reweightviz.laws._mixtures import asked_mixtures
from reweightviz.laws._runs import checked_importance
from reweightviz.numerics.convex import minimise_exponentials
from reweightviz.numerics.quantiles import between

Single = NDArray[np.float32]
BLOCK = 1 << 22
"""Sampled losses that are held at once."""


@dataclass(frozen=True, eq=False)
class LogLinearLaw:
    """Loss of each target under any mixture: ``exp(log c) + exp(t.w)``, convex in the weights.

    Args:
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        coef: (M, 1 + K), rows [log c, t_1..t_K].
        draws: (B, M, 1 + K) float32, the same refitted to redrawn losses.
        noise: (B, M) float32, residuals of runs in the unit of the losses; a row comes from one
            run.
        diagnostics: what the fit says of itself: a list of M values a name.

    Example:
        >>> law = LogLinearLaw(("web", "code"), ("loss",), np.array([True]), np.array([[0.0, -1.0, -3.0]]))
        >>> law.predict([[1.0, 0.0]]).round(4).tolist()
        [[1.3679]]
        >>> law.minimise(kl=0).tolist()
        [0.0, 1.0]
    """

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]
    coef: Array
    draws: Single = field(default_factory=lambda: np.empty((0, 0, 0), np.float32))
    noise: Single = field(default_factory=lambda: np.empty((0, 0), np.float32))
    diagnostics: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    kind: ClassVar[str] = "log-linear"
    given: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        shape = len(self.targets), 1 + len(self.domains)
        draws = np.asarray(self.draws, np.float32).reshape(-1, *shape)
        checked = {
            "coef": np.asarray(self.coef, np.float64).reshape(shape),
            "draws": draws,
            "noise": np.asarray(self.noise, np.float32).reshape(len(draws), len(self.targets)),
            "lower_is_better": np.asarray(self.lower_is_better, bool).reshape(len(self.targets)),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return (
            f"LogLinearLaw({len(self.domains)} domains, {len(self.targets)} targets, "
            f"{len(self.draws)} draws)"
        )

    def predict(self, weights: ArrayLike) -> Array:
        """Losses (n, M) under mixtures (n, K)."""
        return _losses(self.coef, self._mixtures(weights))

    def samples(self, weights: ArrayLike) -> Array:
        """Losses (B, n, M) that a new run at each of the mixtures (n, K) might reach, one a draw.

        A draw has one refit and the residuals of one run for all targets, so sums and differences
        over targets or mixtures keep their correlation.
        """
        mixtures = self._mixtures(weights)
        drawn = _losses(self.draws.reshape(-1, self.draws.shape[2]).astype(np.float64), mixtures)
        shaped = drawn.reshape(len(mixtures), len(self.draws), len(self.targets)).transpose(1, 0, 2)
        return np.asarray(shaped + self.noise[:, None, :], np.float64)

    def interval(self, weights: ArrayLike, level: float = 0.9) -> tuple[Array, Array]:
        """Low and high (n, M): where a new run lands with probability ``level``; NaN without draws."""
        if not 0 < level < 1:
            raise InvalidValue(
                name="level", value=level, expected="a probability between 0 and 1, such as 0.9"
            )
        mixtures = self._mixtures(weights)
        if not len(self.draws):
            absent = np.full((len(mixtures), len(self.targets)), np.nan)
            return absent, absent.copy()
        rows = max(1, BLOCK // self.noise.size)
        parts = [
            between(self.samples(mixtures[first : first + rows]), level)
            for first in range(0, len(mixtures), rows)
        ]
        low, high = np.concatenate(parts, axis=1) if parts else np.empty((2, 0, len(self.targets)))
        return low, high

    def minimise(
        self,
        importance: ArrayLike | None = None,
        *,
        kl: float = 0.05,
        prior: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
    ) -> Array:
        """The mixture (K,) with the lowest mean loss, exactly: a convex program.

        Minimises ``mean_m exp(t_m.w) + kl * KL(w || prior)``, weighted by ``importance``, with the
        constants c dropped, as Olmix does. The mean has the unit of the losses, so the same ``kl``
        pulls harder on targets with small losses, and 0.05 fits losses of some nats.

        Args:
            importance: (M,) >= 0, rescaled to sum 1; all targets alike when not given.
            kl: strength of the pull towards the prior; 0 for none.
            prior: (K,); uniform when not given.
            lower: (K,) least weights.
            upper: (K,) largest weights, such as epochs * tokens / budget.

        Raises:
            ReweightvizError: the bounds leave no mixture, or a weighted target is one where higher
                is better (the problem is then not convex).
        """
        shares = checked_importance(importance, self.targets, self.lower_is_better)
        return minimise_exponentials(
            self.coef[:, 1:],
            shares,
            kl=kl,
            prior=prior,
            lower=lower,
            upper=upper,
            names=self.domains,
        ).x

    def exponentials(self) -> Array:
        """Return rows [log c, t_1..t_K], one a target, (M, 1 + K)."""
        return self.coef

    def exponential_draws(self) -> Array:
        """Return the rows of :meth:`exponentials` refitted to redrawn losses, (B, M, 1 + K)."""
        return self.draws.astype(np.float64)

    def browser_form(self) -> BrowserForm:
        """Header and float32 bytes, from which a browser computes the same numbers."""
        header = {
            "kind": self.kind,
            "domains": list(self.domains),
            "targets": list(self.targets),
            "lower_is_better": self.lower_is_better.tolist(),
            "draws": len(self.draws),
        }
        data = b"".join(
            part.astype("<f4").tobytes() for part in (self.coef, self.draws, self.noise)
        )
        return BrowserForm(header, data)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it; arrays are base64 of little-endian bytes."""
        return {
            "kind": self.kind,
            "domains": list(self.domains),
            "targets": list(self.targets),
            "lower_is_better": self.lower_is_better.tolist(),
            "draws": encoded(self.draws, "<f4"),
            "coef": encoded(self.coef, "<f8"),
            "noise": encoded(self.noise, "<f4"),
            "diagnostics": {name: list(values) for name, values in self.diagnostics.items()},
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> LogLinearLaw:
        """What :meth:`to_dict` gave."""
        if record.get("kind") != cls.kind:
            raise InvalidValue(
                name="the kind of the law", value=record.get("kind"), expected=repr(cls.kind)
            )
        try:
            return cls(
                tuple(record["domains"]),
                tuple(record["targets"]),
                np.array(record["lower_is_better"], bool),
                decoded(record["coef"], "<f8"),
                decoded(record["draws"], "<f4"),
                decoded(record["noise"], "<f4"),
                dict(record["diagnostics"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ReweightvizError(
                f"the record of the law is incomplete or damaged: {error}."
            ) from error

    def _mixtures(self, weights: ArrayLike) -> Array:
        return asked_mixtures(weights, self.domains)


def _losses(coef: Array, mixtures: Array) -> Array:
    return np.asarray(np.exp(coef[:, 0]) + np.exp(mixtures @ coef[:, 1:].T), np.float64)
