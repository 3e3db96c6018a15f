"""The log-linear law: the loss of a target is c + exp(t.w), with refits for its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.protocols import BrowserForm
from reweightviz.core.types import Array, Single
from reweightviz.laws._importance import check_convex_importance
from reweightviz.laws._inputs import Inputs
from reweightviz.laws._record import decode_flat, encode_flat, open_record
from reweightviz.laws._sampled_law import SampledLaw
from reweightviz.numerics.convex import minimise_exponentials

__all__ = ["LogLinearLaw"]


@dataclass(frozen=True, eq=False)
class LogLinearLaw(SampledLaw):
    """Loss of each target under any mixture: ``exp(log c) + exp(t.w)``, convex in the weights.

    Args:
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        coef: (M, 1 + K), rows [log c, t_1..t_K].
        refits: (B, M, 1 + K) float32, the same refitted to redrawn losses.
        noise: (B, M) float32, residuals of runs in the unit of the losses; a row comes from one
            run.
        diagnostics: of the fit: a list of M values a name.

    Example:
        >>> coef = np.array([[0.0, -1.0, -3.0]])
        >>> law = LogLinearLaw(("web", "code"), ("loss",), np.array([True]), coef)
        >>> law.predict([[1.0, 0.0]]).round(4).tolist()
        [[1.3679]]
        >>> law.minimise(kl=0).tolist()
        [0.0, 1.0]
    """

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]
    coef: Array
    refits: Single = field(default_factory=lambda: np.empty((0, 0, 0), np.float32))
    noise: Single = field(default_factory=lambda: np.empty((0, 0), np.float32))
    diagnostics: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    kind: ClassVar[str] = "log-linear"

    def __post_init__(self) -> None:
        targets = len(self.targets)
        shape = (targets, 1 + len(self.domains))
        refits = np.asarray(self.refits, np.float32).reshape(-1, *shape)
        shaped = {
            "coef": np.asarray(self.coef, np.float64).reshape(shape),
            "refits": refits,
            "noise": np.asarray(self.noise, np.float32).reshape(len(refits), targets),
            "lower_is_better": np.asarray(self.lower_is_better, bool).reshape(targets),
        }
        for name, value in shaped.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return (
            f"LogLinearLaw({len(self.domains)} domains, {len(self.targets)} targets, "
            f"{self.draws} draws)"
        )

    @property
    def draws(self) -> int:
        """The number of draws of ``samples``, B."""
        return len(self.refits)

    def minimise(
        self,
        importance: ArrayLike | None = None,
        *,
        kl: float = 0.05,
        prior: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
    ) -> Array:
        """Return the mixture (K,) with the lowest mean loss, exactly: a convex program.

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
        shares = check_convex_importance(importance, self.targets, self.lower_is_better)
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
        return self.refits.astype(np.float64)

    def browser_form(self) -> BrowserForm:
        """Return header and float32 bytes, from which a browser computes the same numbers."""
        header = {
            "kind": self.kind,
            "domains": list(self.domains),
            "targets": list(self.targets),
            "lower_is_better": self.lower_is_better.tolist(),
            "draws": self.draws,
        }
        # The browser reads them in this order.
        parts = (self.coef, self.refits, self.noise)
        return BrowserForm(header, b"".join(part.astype("<f4").tobytes() for part in parts))

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON can hold it; arrays are base64 of little-endian bytes."""
        return {
            "kind": self.kind,
            **self._record(),
            "draws": encode_flat(self.refits, "<f4"),
            "coef": encode_flat(self.coef, "<f8"),
            "noise": encode_flat(self.noise, "<f4"),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> LogLinearLaw:
        """Return the law that :meth:`to_dict` wrote."""
        with open_record(record, [cls.kind]) as common:
            return cls(
                **common,
                coef=decode_flat(record["coef"], "<f8"),
                refits=decode_flat(record["draws"], "<f4"),
                noise=decode_flat(record["noise"], "<f4"),
            )

    def _predict(self, inputs: Inputs) -> Array:
        return _losses(self.coef, inputs.weights)

    def _sample(self, inputs: Inputs) -> Array:
        # One product for all draws and targets is many times faster than one a draw.
        rows = self.refits.reshape(-1, self.refits.shape[2]).astype(np.float64)
        shape = (len(inputs.weights), self.draws, len(self.targets))
        losses = _losses(rows, inputs.weights).reshape(shape)
        return np.asarray(losses.transpose(1, 0, 2) + self.noise[:, None, :], np.float64)


def _losses(coef: Array, mixtures: Array) -> Array:
    return np.asarray(np.exp(coef[:, 0]) + np.exp(mixtures @ coef[:, 1:].T), np.float64)
