"""The curve of BiMix: powers of the weights, times a power of the training tokens."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from reweightviz.core.types import Array
from reweightviz.laws._curves import CURVES, Curve, Start
from reweightviz.laws._inputs import Inputs
from reweightviz.numerics.separable import minimise_powers

__all__ = ["STEEPEST", "BiMixForm"]


STEEPEST = 5.0
"""Exponents are looked for up to this; those of the paper are below 0.5."""


class BiMixForm(NamedTuple):
    """``sum_i F_i w_i^-alpha_i (c + (1 - c) u^-beta)``, u the tokens in their own unit.

    There B is F (1 - c) and C is F c.
    Parameters (..., P) are F and alpha of the T domains that count, one or all, then c and beta
    where tokens count.
    """

    every_domain: bool
    over_tokens: bool

    @property
    def kind(self) -> str:
        """The name of the curve."""
        every = "-every-domain" if self.every_domain else ""
        tokens = "-tokens" if self.over_tokens else ""
        return f"bimix{every}{tokens}"

    def curve(self) -> Curve:
        """Return the curve that a law of this form is made of."""
        return Curve(
            self.value,
            self.jacobian,
            takes=("run_tokens",) if self.over_tokens else (),
            per_target=("own",),
            minimise=self.minimise,
        )

    def split(self, theta: Array) -> tuple[Array, Array, Array]:
        """Return F and alpha (..., T), and c and beta (..., 2), or (..., 0) without tokens."""
        end = theta.shape[-1] - 2 * self.over_tokens
        return theta[..., : end // 2], theta[..., end // 2 : end], theta[..., end:]

    def start(self, inputs: Inputs, y: Array) -> Start:
        """Start from a line in logarithms where one domain counts, else from equal parts of all."""
        betas = (0.1, 0.5, 1.0) if self.over_tokens else (0.0,)
        starts = []
        for (factors, exponents), beta in product(self._start_powers(inputs, y), betas):
            columns = [factors, exponents]
            if self.over_tokens:
                columns += [np.full(y.shape[1], 0.5), np.full(y.shape[1], beta)]
            starts.append(np.column_stack(columns))
        terms = len(inputs.weights.T) if self.every_domain else 1
        most = [np.inf] * terms + [STEEPEST] * terms
        if self.over_tokens:
            most += [1.0, STEEPEST]
        return Start(np.stack(starts), np.zeros(len(most)), np.array(most))

    def value(self, theta: Array, inputs: Inputs) -> Array:
        """Return losses (..., n)."""
        factors, exponents, rest = self.split(theta)
        powers = np.exp(-exponents[..., None] * self._logs(inputs))
        summed = (factors[..., None] * powers).sum(-2)
        return np.asarray(summed * self._scale(rest, inputs), np.float64)

    def jacobian(self, theta: Array, inputs: Inputs) -> Array:
        """Return derivatives (Q, n, P)."""
        factors, exponents, rest = self.split(theta)
        logs = self._logs(inputs)
        # In the order of the parameters: by F, by alpha, then by c and beta.
        powers = np.exp(-exponents[..., None] * logs)
        scaled = powers * np.expand_dims(self._scale(rest, inputs), -2)
        parts = [scaled, -factors[..., None] * scaled * logs]
        if self.over_tokens:
            summed = (factors[..., None] * powers).sum(-2)
            relative, fade = self._fade(rest, inputs)
            by_share = summed * (1 - fade)
            by_beta = -(1 - rest[..., :1]) * summed * fade * relative
            parts += [by_share[:, None], by_beta[:, None]]
        return np.ascontiguousarray(np.concatenate(parts, axis=1).transpose(0, 2, 1))

    def minimise(
        self, theta: Array, inputs: Inputs, shares: Array, options: Mapping[str, Any]
    ) -> Array:
        """Return the best mixture (K,), a program of power cones."""
        factors, exponents, rest = self.split(theta)
        weighted = factors * (shares * self._scale(rest, inputs)[..., -1])[:, None]
        if self.every_domain:
            return minimise_powers(weighted.T, exponents.T, **options).x
        # Each target has a power of its own domain alone, and zeros for the others.
        size = (inputs.weights.shape[1], len(shares))
        own = (inputs.fixed["own"].astype(int), np.arange(len(shares)))
        every_factor = np.zeros(size)
        every_factor[own] = weighted[:, 0]
        every_exponent = np.zeros(size)
        every_exponent[own] = exponents[:, 0]
        return minimise_powers(every_factor, every_exponent, **options).x

    def _start_powers(self, inputs: Inputs, y: Array) -> list[tuple[Array, Array]]:
        """Return some F and alpha, (M, T) each."""
        logs = self._logs(inputs)
        if self.every_domain:
            return [_equal_parts(logs, y, steepness) for steepness in (0.015, 0.05, 0.15)]
        # Without tokens log loss is log F - alpha log w, a line whose slope is -alpha.
        own = logs[..., 0, :]
        apart = own - own.mean(1, keepdims=True)
        slope = -(apart * np.log(y).T).sum(1) / np.maximum((apart**2).sum(1), 1e-12)
        exponents = np.clip(slope, 0.01, STEEPEST)[:, None]
        factors = np.exp(np.log(y).mean(0)[:, None] + exponents * own.mean(1)[:, None])
        return [(factors, exponents)]

    def _logs(self, inputs: Inputs) -> Array:
        """Return log weights: (T, n) of all domains, or (M, 1, n) of each target's own."""
        # The loss is infinite at a weight of 0.
        logs = np.log(np.maximum(inputs.weights, inputs.fixed["least"])).T
        if not self.every_domain:
            logs = logs[inputs.fixed["own"].astype(int)][..., None, :]
        return np.asarray(logs, np.float64)

    def _fade(self, rest: Array, inputs: Inputs) -> tuple[Array, Array]:
        """Return log tokens (n,) and ``u^-beta`` (..., n)."""
        relative = np.log(inputs.given["run_tokens"] / inputs.fixed["unit"])
        return relative, np.asarray(np.exp(-rest[..., 1:] * relative), np.float64)

    def _scale(self, rest: Array, inputs: Inputs) -> Array:
        """Return ``c + (1 - c) u^-beta`` (..., n), or 1."""
        if not self.over_tokens:
            return np.ones(1)
        share = rest[..., :1]
        return np.asarray(share + (1 - share) * self._fade(rest, inputs)[1], np.float64)


def _equal_parts(logs: Array, y: Array, steepness: float) -> tuple[Array, Array]:
    """Return F and alpha (M, K) where every domain has the same part in the mean loss."""
    exponents = np.full((y.shape[1], len(logs)), steepness)
    part = y.mean(0)[:, None] / np.exp(-steepness * logs).mean() / len(logs)
    return part + np.zeros_like(exponents), exponents


for _every in (False, True):
    for _tokens in (False, True):
        _form = BiMixForm(_every, _tokens)
        CURVES[_form.kind] = _form.curve()
