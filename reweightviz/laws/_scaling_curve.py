"""The curve of the scaling laws for data mixtures, additive and joint."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np

from reweightviz.core.types import Array
from reweightviz.laws._curves import CURVES, Curve, Start
from reweightviz.laws._inputs import Inputs
from reweightviz.numerics.bounds import weight_bounds
from reweightviz.numerics.programs import Program
from reweightviz.numerics.simplex import share

__all__ = ["HIGHEST", "LEAST_SUM", "SCALES", "STEEPEST", "ScalingForm"]


SCALES = ("size", "run_tokens")
STEEPEST = 3.0
"""Exponents of size and tokens are looked for up to this."""
LEAST_SUM = 1e-9
"""A sum of CA h stays above this, so that its logarithm is finite."""
HIGHEST = 10.0
"""The part of the weights stays below so many times the largest loss, where C h^gamma nears 0."""


class ScalingForm(NamedTuple):
    """``E + 1 / sum_i C_i h_i^gamma_i`` and a term ``A x^-alpha`` for each scale x.

    Parameters (..., P): E, C (K), gamma (K), then for each scale its exponent and A, or where A
    depends on the weights log CA (K) and gammaA.
    """

    joint: bool
    scales: tuple[str, ...]

    @property
    def kind(self) -> str:
        """The name of the curve."""
        return "-".join(("scaling-mixtures", "joint" if self.joint else "additive", *self.scales))

    def curve(self) -> Curve:
        """Return the curve that a law of this form is made of."""
        minimise = None if self.joint else self.minimise
        return Curve(self.value, self.jacobian, takes=self.scales, minimise=minimise)

    def numbers(self, domains: int) -> int:
        """Count the parameters, P."""
        return 1 + 2 * domains + len(self.scales) * self._numbers_a_scale(domains)

    def constants(self, given: Mapping[str, Array], losses: Array) -> dict[str, Array]:
        """Return the unit of each scale, and the least sum of C h^gamma."""
        units = {
            f"unit_{name}": np.array(np.exp(np.log(values).mean()))
            for name, values in given.items()
        }
        return units | {"least_sum": np.array(1 / (HIGHEST * losses.max()))}

    def value(self, theta: Array, inputs: Inputs) -> Array:
        """Return losses (..., n)."""
        factors, exponents, terms = self._split(theta, inputs.weights.shape[1])
        total = theta[..., :1] + 1 / _sum_powers(factors, exponents, inputs)[1]
        for name, term in zip(self.scales, terms, strict=True):
            total = total + self._front(term, inputs)[0] * _fade(name, term, inputs)[1]
        return np.asarray(total, np.float64)

    def jacobian(self, theta: Array, inputs: Inputs) -> Array:
        """Return derivatives (Q, n, P)."""
        factors, exponents, terms = self._split(theta, inputs.weights.shape[1])
        powers, summed = _sum_powers(factors, exponents, inputs)
        # At the least sum the curve is flat.
        inside = summed > inputs.fixed["least_sum"]
        by_factor = -powers * (inside / summed**2)[..., None, :]
        by_exponent = by_factor * factors[..., None] * _logs(inputs)
        parts = [np.ones_like(summed)[..., None, :], by_factor, by_exponent]
        for name, term in zip(self.scales, terms, strict=True):
            front, by_front = self._front(term, inputs)
            relative, fade = _fade(name, term, inputs)
            parts += [(-front * relative * fade)[..., None, :], by_front * fade[..., None, :]]
        return np.ascontiguousarray(np.concatenate(parts, axis=-2).swapaxes(-1, -2))

    def start(self, inputs: Inputs, y: Array) -> Start:
        """Start from a grid of exponents and floors, with C from a line's loss at each vertex."""
        domains = inputs.weights.shape[1]
        count = len(self.scales)
        logs = [_relative(name, inputs)[:, None] for name in self.scales]
        table = np.concatenate([inputs.weights, *logs], axis=1)
        vertex = np.linalg.lstsq(table, y, rcond=None)[0][:domains]
        alphas = (0.2, 0.6) if count else (0.0,)
        starts = []
        for floor, gamma, alpha in product((0.5, 0.8, 0.95), (0.2, 0.5, 1.0), alphas):
            least = floor * y.min(0)
            # The weights and each scale have the same part in what is above the floor.
            part = 1 / (1 + count)
            # A straight line may fall below the floor at a vertex.
            spare = np.maximum(np.maximum(vertex, y.min(0)) - least, 0.02 * y.mean(0))
            # Then 1 / sum_i C_i h_i ** gamma is that part where all weights are equal.
            factors = domains ** (gamma - 1) / (part * spare.T)
            term = self._start_term(part * (y.mean(0) - least), alpha, domains)
            columns = [least[:, None], factors, np.full_like(factors, gamma), *[term] * count]
            starts.append(np.concatenate(columns, axis=1))
        low, high = self._bounds(domains)
        return Start(np.stack(starts), low, high)

    def minimise(
        self, theta: Array, inputs: Inputs, shares: Array, options: Mapping[str, Any]
    ) -> Array:
        """Return the additive optimum (K,): only the first sum depends on the weights."""
        domains = inputs.weights.shape[1]
        kl = options["kl"]
        prior = np.full(domains, 1 / domains)
        if options["prior"] is not None:
            prior = share(options["prior"], "the prior")
        low, high = weight_bounds(
            domains, options["lower"], options["upper"], prior if kl else None, options["names"]
        )
        counted = shares > 0
        factors, exponents, _ = self._split(theta[counted], domains)
        program = Program(low, high)
        bent = (factors > 0) & (exponents < 1)
        target, domain = np.nonzero(bent)
        roots = program.root(program.weights.rows(domain), exponents[bent])
        # Each target's sum of C h ** gamma: roots, and what is straight where gamma is 1.
        summed = (factors[bent] * (np.arange(len(factors))[:, None] == target)) @ roots
        summed = summed + np.where(bent, 0.0, factors) @ program.weights
        # Bounds may leave a target none of the domains that count for it: nothing moves it then.
        reached = (factors @ high) > 0
        inverse = program.inverse_power(summed.rows(reached), np.ones(int(reached.sum())))
        cost = shares[counted][reached][None] @ inverse
        if kl:
            cost = cost + np.full((1, 1), kl) @ program.divergence(prior)
        return program.minimise(cost, size=kl).x

    def _numbers_a_scale(self, domains: int) -> int:
        return domains + 2 if self.joint else 2

    def _split(self, theta: Array, domains: int) -> tuple[Array, Array, list[Array]]:
        """Return C and gamma (..., K), and each scale's parameters (..., 2) or (..., K + 2)."""
        each = self._numbers_a_scale(domains)
        ends = [1 + 2 * domains + each * s for s in range(len(self.scales) + 1)]
        terms = [theta[..., first:last] for first, last in pairwise(ends)]
        return theta[..., 1 : 1 + domains], theta[..., 1 + domains : 1 + 2 * domains], terms

    def _start_term(self, front: Array, alpha: float, domains: int) -> Array:
        """Return parameters (M, 2) or (M, K + 2) of a term that is ``front`` (M,) at its unit."""
        exponent = np.full(len(front), alpha)
        if not self.joint:
            return np.column_stack([exponent, front])
        alike = np.repeat(np.log(front)[:, None], domains, 1)
        return np.column_stack([exponent, alike, np.ones(len(front))])

    def _bounds(self, domains: int) -> tuple[Array, Array]:
        # A gamma of at most 1 keeps the sum of C h^gamma concave, so that its inverse is convex.
        # CA is held by its logarithm, which keeps it above 0.
        if self.joint:
            least = [0.0, *[-30.0] * domains, -STEEPEST]
            most = [STEEPEST, *[30.0] * domains, STEEPEST]
        else:
            least = [0.0, 0.0]
            most = [STEEPEST, np.inf]
        low = [0.0, *[0.0] * domains, *[0.01] * domains, *least * len(self.scales)]
        high = [np.inf, *[1e6] * domains, *[1.0] * domains, *most * len(self.scales)]
        return np.array(low), np.array(high)

    def _front(self, term: Array, inputs: Inputs) -> tuple[Array, Array]:
        """Return A (..., n) and its derivatives (..., 1 or K + 1, n)."""
        if not self.joint:
            ones = np.ones(len(inputs.weights))
            return term[..., 1:] * ones, np.ones((*term.shape[:-1], 1, 1)) * ones
        parts = np.exp(term[..., 1:-1])[..., None] * inputs.weights.T
        summed = np.maximum(parts.sum(-2), LEAST_SUM)
        front = summed ** term[..., -1:]
        by_log = (term[..., -1:] * front / summed)[..., None, :] * parts
        return front, np.concatenate([by_log, (front * np.log(summed))[..., None, :]], axis=-2)


def _sum_powers(factors: Array, exponents: Array, inputs: Inputs) -> tuple[Array, Array]:
    """Return ``h^gamma`` (..., K, n) and the sum of C times it (..., n)."""
    powers = np.where(inputs.weights.T > 0, np.exp(exponents[..., None] * _logs(inputs)), 0.0)
    return powers, np.maximum((factors[..., None] * powers).sum(-2), inputs.fixed["least_sum"])


def _fade(name: str, term: Array, inputs: Inputs) -> tuple[Array, Array]:
    """Return the log of the scale in its unit (n,) and ``scale^-alpha`` (..., n)."""
    relative = _relative(name, inputs)
    return relative, np.asarray(np.exp(-term[..., :1] * relative), np.float64)


def _relative(name: str, inputs: Inputs) -> Array:
    return np.asarray(np.log(inputs.given[name] / inputs.fixed[f"unit_{name}"]), np.float64)


def _logs(inputs: Inputs) -> Array:
    """Return log weights (K, n), 0 where the weight is 0: such a weight's power is set to 0."""
    return np.asarray(np.log(np.where(inputs.weights > 0, inputs.weights, 1.0)).T, np.float64)


for _joint in (False, True):
    for _scales in ((), SCALES[:1], SCALES[1:], SCALES):
        _form = ScalingForm(_joint, _scales)
        CURVES[_form.kind] = _form.curve()
