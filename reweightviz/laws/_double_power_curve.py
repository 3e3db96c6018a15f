"""The curve of the double power law: a gain from a domain's weight, a loss from too little data."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from reweightviz.core.types import Array
from reweightviz.laws._curves import CURVES, Curve, Start
from reweightviz.laws._inputs import Inputs

__all__ = ["STEEPEST", "DoublePowerForm"]


STEEPEST = 5.0
"""Exponents are looked for up to this."""


class DoublePowerForm(NamedTuple):
    """``M + k p^-alpha + g p^beta``, p the weight of a target's own domain.

    Parameters (..., P): M, k, alpha, beta, then g; or s, b and gamma of ``g = s D^-gamma + b``
    where the data D differs between runs.
    """

    over_data: bool

    @property
    def kind(self) -> str:
        """The name of the curve."""
        return "double-power-law" + ("-data" if self.over_data else "")

    @property
    def numbers(self) -> int:
        """The number of parameters, P."""
        return 7 if self.over_data else 5

    def curve(self) -> Curve:
        """Return the curve that a law of this form is made of."""
        takes = ("available",) if self.over_data else ()
        return Curve(self.value, self.jacobian, takes=takes, per_target=("own",))

    def start(self, y: Array) -> Start:
        """Start from a grid of floors and exponents."""
        targets = y.shape[1]
        starts = []
        for floor, alpha, beta in product((0.5, 0.9), (0.1, 0.5), (0.5, 2.0)):
            spare = y.mean(0) - floor * y.min(0)
            columns = [
                floor * y.min(0),
                0.5 * spare,
                np.full(targets, alpha),
                np.full(targets, beta),
            ]
            if self.over_data:
                columns += [0.1 * spare, 0.1 * spare, np.full(targets, 0.3)]
            else:
                columns += [0.2 * spare]
            starts.append(np.column_stack(columns))
        most = [np.inf, np.inf, STEEPEST, STEEPEST, np.inf]
        if self.over_data:
            most += [np.inf, STEEPEST]
        return Start(np.stack(starts), np.zeros(len(most)), np.array(most))

    def value(self, theta: Array, inputs: Inputs) -> Array:
        """Return losses (..., n)."""
        fall, rise, _ = self._powers(theta, inputs)
        factor = self._factor(theta, inputs)[0]
        return np.asarray(theta[..., :1] + theta[..., 1:2] * fall + factor * rise, np.float64)

    def jacobian(self, theta: Array, inputs: Inputs) -> Array:
        """Return derivatives (Q, n, P)."""
        fall, rise, logs = self._powers(theta, inputs)
        factor, slopes = self._factor(theta, inputs)
        parts = [
            np.ones_like(fall),
            fall,
            -theta[..., 1:2] * fall * logs,
            factor * rise * logs,
            *(slope * rise for slope in slopes),
        ]
        return np.stack(parts, axis=-1)

    def lowest(self, theta: Array, inputs: Inputs) -> Array:
        """Return the weight (M,) where the loss is lowest, with the mean amount of data.

        It is 1 where the loss never turns.
        """
        factor = self._factor(theta, inputs)[0].mean(-1)
        alpha, beta = theta[:, 2:4].T
        # The derivative is 0 where k alpha p^(-alpha - 1) = g beta p^(beta - 1).
        # Without a rise the quotient is infinite, without both it is no number: no turn.
        with np.errstate(divide="ignore", invalid="ignore"):
            turn = (theta[:, 1] * alpha / (factor * beta)) ** (1 / (alpha + beta))
        return np.minimum(np.where(np.isfinite(turn), turn, 1.0), 1.0)

    def _powers(self, theta: Array, inputs: Inputs) -> tuple[Array, Array, Array]:
        """Return ``p^-alpha`` and ``p^beta`` (..., n), and log p (M, n)."""
        # The loss is infinite at a weight of 0.
        logs = np.log(np.maximum(inputs.weights, inputs.fixed["least"])).T
        own = logs[inputs.fixed["own"].astype(int)]
        return np.exp(-theta[..., 2:3] * own), np.exp(theta[..., 3:4] * own), own

    def _factor(self, theta: Array, inputs: Inputs) -> tuple[Array, list[Array]]:
        """Return the factor g (..., n) and its derivatives by the parameters after beta."""
        ones = np.ones(len(inputs.weights))
        if not self.over_data:
            return theta[..., 4:5] * ones, [ones]
        # In units of its mean, so that s is of the size of a loss.
        own = inputs.given["available"].T[inputs.fixed["own"].astype(int)]
        relative = np.log(own / inputs.fixed["unit"])
        fade = np.exp(-theta[..., 6:7] * relative)
        slopes = [fade, ones, -theta[..., 4:5] * relative * fade]
        return theta[..., 4:5] * fade + theta[..., 5:6], slopes


for _form in (DoublePowerForm(over_data=False), DoublePowerForm(over_data=True)):
    CURVES[_form.kind] = _form.curve()
