"""The law of one curve a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array, Single
from reweightviz.laws._curves import CURVES, Curve
from reweightviz.laws._importance import check_convex_importance
from reweightviz.laws._inputs import Inputs
from reweightviz.laws._record import decode_flat, encode_flat, open_record
from reweightviz.laws._sampled_law import HoldingLaw

__all__ = ["ConvexCurveLaw", "CurveLaw"]


@dataclass(frozen=True, eq=False)
class CurveLaw(HoldingLaw):
    """Loss of each target under any mixture, by the curve that ``kind`` names.

    Args:
        kind: name of the curve in ``CURVES``.
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        theta: (M, P), the curve's parameters.
        refits: (B, M, P) float32, the same refitted to redrawn losses.
        noise: (B, M) float32, residuals of runs in the unit of the losses; a row comes from one
            run.
        fixed: arrays that the curve needs and that were not fitted.
        diagnostics: of the fit: a list of M values a name.
        held: inputs that are taken for granted where :meth:`predict` is not given them, name to
            array; :meth:`at` adds to it.
    """

    kind: str
    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]
    theta: Array
    refits: Single = field(default_factory=lambda: np.empty((0, 0, 0), np.float32))
    noise: Single = field(default_factory=lambda: np.empty((0, 0), np.float32))
    fixed: Mapping[str, Array] = field(default_factory=dict)
    diagnostics: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # A record and a caller may hold the arrays flat, or in double precision.
        targets = len(self.targets)
        theta = np.asarray(self.theta, np.float64).reshape(targets, -1)
        refits = np.asarray(self.refits, np.float32).reshape(-1, *theta.shape)
        shaped = {
            "theta": theta,
            "refits": refits,
            "noise": np.asarray(self.noise, np.float32).reshape(len(refits), targets),
            "lower_is_better": np.asarray(self.lower_is_better, bool).reshape(targets),
        }
        for name, value in shaped.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        held = "".join(f", {name}={value:g}" for name, value in self.held.items() if not value.ndim)
        return (
            f"{type(self).__name__}({self.kind}, {len(self.domains)} domains, "
            f"{len(self.targets)} targets, {self.draws} draws{held})"
        )

    @property
    def takes(self) -> tuple[str, ...]:
        """Inputs that :meth:`predict` may be given beside the weights, such as run_tokens."""
        return self._curve.takes

    @property
    def draws(self) -> int:
        """The number of draws of ``samples``, B."""
        return len(self.refits)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON can hold it; arrays are base64 of little-endian bytes."""
        return {
            "kind": self.kind,
            **self._record(),
            "theta": encode_flat(self.theta, "<f8"),
            "draws": encode_flat(self.refits, "<f4"),
            "noise": encode_flat(self.noise, "<f4"),
            "held": {name: np.asarray(value).tolist() for name, value in self.held.items()},
            "fixed": {
                name: {"shape": list(value.shape), "data": encode_flat(value, "<f8")}
                for name, value in self.fixed.items()
            },
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> CurveLaw:
        """Return the law that :meth:`to_dict` wrote; of a convex curve, a ConvexCurveLaw."""
        with open_record(record, CURVES) as common:
            kind = record["kind"]
            law = CurveLaw if CURVES[kind].minimise is None else ConvexCurveLaw
            fixed = {
                name: decode_flat(part["data"], "<f8").reshape(part["shape"])
                for name, part in record["fixed"].items()
            }
            return law(
                kind=kind,
                **common,
                theta=decode_flat(record["theta"], "<f8"),
                refits=decode_flat(record["draws"], "<f4"),
                noise=decode_flat(record["noise"], "<f4"),
                fixed=fixed,
                held={name: np.array(value, np.float64) for name, value in record["held"].items()},
            )

    @property
    def _curve(self) -> Curve:
        return CURVES[self.kind]

    def _inputs(self, weights: ArrayLike, given: Mapping[str, ArrayLike]) -> Inputs:
        return super()._inputs(weights, given)._replace(fixed=self.fixed)

    def _predict(self, inputs: Inputs) -> Array:
        return np.ascontiguousarray(self._curve.value(self.theta, inputs).T)

    def _sample(self, inputs: Inputs) -> Array:
        # Draws are kept in single precision, which their scatter hides, and computed in double.
        values = self._curve.value(self.refits.astype(np.float64), inputs)
        return np.asarray(values.transpose(0, 2, 1) + self.noise[:, None, :], np.float64)

    def _numbers_a_mixture(self) -> int:
        # A curve holds about a number a parameter while it is evaluated.
        return self.refits.size


class ConvexCurveLaw(CurveLaw):
    """A :class:`CurveLaw` that is convex in the weights, so that its best mixture is certain."""

    def minimise(
        self,
        importance: ArrayLike | None = None,
        *,
        kl: float = 0.05,
        prior: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
        **given: ArrayLike,
    ) -> Array:
        """Return the mixture (K,) with the lowest mean loss.

        Minimises ``mean_m loss_m(w) + kl * KL(w || prior)``, weighted by ``importance``. The mean
        has the unit of the losses, so the same ``kl`` pulls harder on targets with small losses.

        Args:
            importance: (M,) >= 0, rescaled to sum 1; all targets alike when not given.
            kl: strength of the pull towards the prior; 0 for none.
            prior: (K,); uniform when not given.
            lower: (K,) least weights.
            upper: (K,) largest weights, such as epochs * tokens / budget.
            given: what the law takes beside the weights, one number each.

        Raises:
            ReweightvizError: the bounds leave no mixture, or a weighted target is one where higher
                is better (the problem is then not convex).
        """
        count = len(self.domains)
        inputs = self._inputs(np.full(count, 1 / count), given)
        shares = check_convex_importance(importance, self.targets, self.lower_is_better)
        minimise = self._curve.minimise
        if minimise is None:
            raise ReweightvizError(
                f"a law of kind {self.kind!r} is not convex in the weights: search its "
                "predictions instead."
            )
        options = {"kl": kl, "prior": prior, "lower": lower, "upper": upper, "names": self.domains}
        return minimise(self.theta, inputs, shares, options)
