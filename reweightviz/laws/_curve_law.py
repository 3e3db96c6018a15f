"""A law made of one curve a target: what it predicts, how sure it is, and how it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, listed
from reweightviz.core.protocols import BrowserForm
from reweightviz.core.types import Array
from reweightviz.laws._arrays import decoded, encoded
from reweightviz.laws._curves import CURVES, WIDE, Curve, Points
from reweightviz.laws._mixtures import asked_mixtures
from reweightviz.laws._runs import checked_given, checked_importance
from reweightviz.numerics.quantiles import between

Single = NDArray[np.float32]
BLOCK = 1 << 22
"""Sampled losses that are held at once."""


@dataclass(frozen=True, eq=False)
class CurveLaw:
    """Loss of each target under any mixture, by the curve that ``kind`` names.

    Args:
        kind: name of the curve in ``CURVES``.
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        theta: (M, P), the curve's parameters.
        draws: (B, M, P) float32, the same refitted to redrawn losses.
        noise: (B, M) float32, residuals of runs in the unit of the losses; a row comes from one
            run.
        fixed: arrays that the curve needs and that were not fitted.
        diagnostics: what the fit says of itself: a list of M values a name.
        held: what is taken for granted where :meth:`predict` is not told, name to array;
            :meth:`at` adds to it.
    """

    kind: str
    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]
    theta: Array
    draws: Single = field(default_factory=lambda: np.empty((0, 0, 0), np.float32))
    noise: Single = field(default_factory=lambda: np.empty((0, 0), np.float32))
    fixed: Mapping[str, Array] = field(default_factory=dict)
    diagnostics: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    held: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        theta = np.asarray(self.theta, np.float64).reshape(len(self.targets), -1)
        draws = np.asarray(self.draws, np.float32).reshape(-1, *theta.shape)
        checked = {
            "theta": theta,
            "draws": draws,
            "noise": np.asarray(self.noise, np.float32).reshape(len(draws), len(theta)),
            "lower_is_better": np.asarray(self.lower_is_better, bool).reshape(len(theta)),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        held = "".join(f", {name}={value:g}" for name, value in self.held.items() if not value.ndim)
        return (
            f"{type(self).__name__}({self.kind}, {len(self.domains)} domains, "
            f"{len(self.targets)} targets, "
            f"{len(self.draws)} draws{held})"
        )

    @property
    def given(self) -> tuple[str, ...]:
        """What :meth:`predict` must be told beside the weights, such as run_tokens: one number, or one a mixture."""
        return tuple(name for name in self.takes if name not in self.held)

    @property
    def takes(self) -> tuple[str, ...]:
        """What :meth:`predict` may be told beside the weights."""
        return CURVES[self.kind].given

    def at(self, **given: ArrayLike) -> CurveLaw:
        """The same law with some of ``takes`` fixed, one number each, so that it need not be told them."""
        self._check_names(given, needed=False)
        fixed = {name: self._checked(name, value, 1)[0] for name, value in given.items()}
        return replace(
            self, held={**self.held, **{name: np.asarray(value) for name, value in fixed.items()}}
        )

    def predict(self, weights: ArrayLike, **given: ArrayLike) -> Array:
        """Losses (n, M) under mixtures (n, K)."""
        points = self._points(weights, given)
        return np.ascontiguousarray(self._curve.value(self.theta, points).T)

    def samples(self, weights: ArrayLike, **given: ArrayLike) -> Array:
        """Losses (B, n, M) that a new run at each of the mixtures (n, K) might reach, one a draw.

        A draw has one refit and the residuals of one run for all targets, so sums and
        differences over targets or mixtures keep their correlation.
        """
        return self._sampled(self._points(weights, given))

    def interval(
        self, weights: ArrayLike, level: float = 0.9, **given: ArrayLike
    ) -> tuple[Array, Array]:
        """Low and high (n, M): where a new run lands with probability ``level``; NaN without draws."""
        if not 0 < level < 1:
            raise InvalidValue(
                name="level", value=level, expected="a probability between 0 and 1, such as 0.9"
            )
        points = self._points(weights, given)
        count = len(points.weights)
        if not len(self.draws):
            absent = np.full((count, len(self.targets)), np.nan)
            return absent, absent.copy()
        rows = max(1, BLOCK // self.draws.size)
        parts = [
            between(self._sampled(_part(points, slice(first, first + rows))), level)
            for first in range(0, count, rows)
        ]
        low, high = np.concatenate(parts, axis=1) if parts else np.empty((2, 0, len(self.targets)))
        return low, high

    def browser_form(self) -> BrowserForm | None:
        """None: a browser asks the kernel for this law."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it; arrays are base64 of little-endian bytes."""
        return {
            "kind": self.kind,
            "domains": list(self.domains),
            "targets": list(self.targets),
            "lower_is_better": self.lower_is_better.tolist(),
            "theta": encoded(self.theta, "<f8"),
            "draws": encoded(self.draws, "<f4"),
            "noise": encoded(self.noise, "<f4"),
            "held": {name: np.asarray(value).tolist() for name, value in self.held.items()},
            "fixed": {
                name: {"shape": list(value.shape), "data": encoded(value, "<f8")}
                for name, value in self.fixed.items()
            },
            "diagnostics": {name: list(values) for name, values in self.diagnostics.items()},
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> CurveLaw:
        """What :meth:`to_dict` gave; a law of a convex curve comes as a :class:`ConvexCurveLaw`."""
        kind = record.get("kind")
        if kind not in CURVES:
            raise InvalidValue(
                name="the kind of the law", value=kind, expected=f"one of {listed(sorted(CURVES))}"
            )
        law = CurveLaw if CURVES[kind].minimise is None else ConvexCurveLaw
        try:
            fixed = {
                name: decoded(part["data"], "<f8").reshape(part["shape"])
                for name, part in record["fixed"].items()
            }
            return law(
                kind,
                tuple(record["domains"]),
                tuple(record["targets"]),
                np.array(record["lower_is_better"], bool),
                decoded(record["theta"], "<f8"),
                decoded(record["draws"], "<f4"),
                decoded(record["noise"], "<f4"),
                fixed,
                dict(record["diagnostics"]),
                {name: np.array(value, np.float64) for name, value in record["held"].items()},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ReweightvizError(
                f"the record of the law is incomplete or damaged: {error}."
            ) from error

    @property
    def _curve(self) -> Curve:
        return CURVES[self.kind]

    def _points(self, weights: ArrayLike, given: Mapping[str, ArrayLike]) -> Points:
        mixtures = asked_mixtures(weights, self.domains)
        self._check_names(given, needed=True)
        told = {**self.held, **given}
        return Points(
            mixtures,
            {name: self._checked(name, told[name], len(mixtures)) for name in self.takes},
            self.fixed,
        )

    def _checked(self, name: str, value: ArrayLike, count: int) -> Array:
        return checked_given(
            "the law", name, value, count, len(self.domains) if name in WIDE else None
        )

    def _check_names(self, given: Mapping[str, Any], *, needed: bool) -> None:
        absent = [name for name in self.given if name not in given] if needed else []
        unknown = [name for name in given if name not in self.takes]
        if absent or unknown:
            takes = (
                f"takes {listed(self.takes)} beside the weights"
                if self.takes
                else "takes the weights alone"
            )
            raise ReweightvizError(f"the law {takes}; got {listed(given) if given else 'none'}.")

    def _sampled(self, points: Points) -> Array:
        drawn = self._curve.value(self.draws.astype(np.float64), points)
        return np.asarray(drawn.transpose(0, 2, 1) + self.noise[:, None, :], np.float64)


class ConvexCurveLaw(CurveLaw):
    """A :class:`CurveLaw` that is convex in the weights, so that its best mixture is found and certain."""

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
        """The mixture (K,) with the lowest mean loss.

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
        self._check_names(given, needed=True)
        shares = checked_importance(importance, self.targets, self.lower_is_better)
        law, solve = self.at(**given) if given else self, self._curve.minimise
        if solve is None:
            raise ReweightvizError(
                f"a law of kind {self.kind!r} is not convex in the weights: search its "
                "predictions instead."
            )
        return solve(
            law,
            shares,
            {"kl": kl, "prior": prior, "lower": lower, "upper": upper, "names": self.domains},
        )


def _part(points: Points, rows: slice) -> Points:
    return points._replace(
        weights=points.weights[rows],
        given={name: value[rows] for name, value in points.given.items()},
    )
