"""Gaussian process regression: constant times squared exponential, plus white noise.

    y = f(x) + noise,  cov f(x), f(x') = a exp(-sum_d (x_d - x'_d)^2 / (2 l_d^2)),  var noise = s

Carl Edward Rasmussen and Christopher K. I. Williams, Gaussian Processes for Machine Learning, MIT
Press, 2006, https://gaussianprocess.org/gpml/: algorithm 2.1, equations 5.8 and 5.9, 5.10 to 5.12.
The gradient over D lengths costs no more than the likelihood: the sum over pairs of
B_ij (x_id - x_jd)^2 is two matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve, lapack, solve_triangular
from scipy.optimize import minimize

from reweightviz.core.types import Array

__all__ = [
    "AMPLITUDE",
    "LENGTH",
    "NOISE",
    "Deviations",
    "Kernel",
    "Posterior",
    "fit_kernel",
    "log_likelihood",
    "posterior",
]


AMPLITUDE = (-6.0, 8.0)
LENGTH = (-5.0, 4.0)
NOISE = (-14.0, 2.0)
"""Bounds of the logarithms, for y of variance 1."""


class Kernel(NamedTuple):
    """Logarithms of the hyperparameters: amplitude a, noise s, lengths l (D,)."""

    amplitude: float
    noise: float
    lengths: Array

    def between(self, left: Array, right: Array) -> Array:
        """Return the covariance (n, m) of f between inputs (n, D) and (m, D)."""
        left = left * np.exp(-self.lengths)
        right = right * np.exp(-self.lengths)
        # In place, as n x m numbers are the memory of the whole method.
        square = (left**2).sum(1)[:, None] + (right**2).sum(1)
        square -= 2 * (left @ right.T)
        np.maximum(square, 0, out=square)
        square *= -0.5
        square += self.amplitude
        return np.asarray(np.exp(square, out=square), np.float64)


class Posterior(NamedTuple):
    """The process after the data: inputs (R, D) and what its predictions need.

    ``root`` (R, R) is that of the covariance of y, and ``alpha`` (R,) that covariance's inverse
    times y.
    """

    inputs: Array
    kernel: Kernel
    root: Array
    alpha: Array

    def mean(self, inputs: Array, block: int = 4096) -> Array:
        """Return the mean of f (n,)."""
        mean = np.empty(len(inputs))
        for first in range(0, len(inputs), block):
            rows = slice(first, first + block)
            mean[rows] = self.kernel.between(inputs[rows], self.inputs) @ self.alpha
        return mean

    def variance(self, inputs: Array, block: int = 4096) -> Array:
        """Return the variance of f (n,), without the noise."""
        variance = np.empty(len(inputs))
        for first in range(0, len(inputs), block):
            rows = slice(first, first + block)
            variance[rows] = self._unexplained(inputs[rows])
        return variance

    def deviations(self, features: Array, weights: Array, noise: Array) -> Deviations:
        """Draw B functions f less their mean, each one function wherever it is evaluated.

        A function of the prior is drawn, and the posterior mean of its own values at the data, with
        noise, is taken off it (Matheron's rule; James T. Wilson et al., "Efficiently Sampling
        Functions from Gaussian Process Posteriors", ICML 2020, https://arxiv.org/abs/2002.09309).

        Args:
            features: (F, D) standard normal directions of the prior's waves.
            weights: (2 F, B), standard normal.
            noise: (R, B), standard normal, of the data.
        """
        nothing = np.zeros((len(self.inputs), weights.shape[1]))
        prior = Deviations(self, features, weights, nothing)
        observed = prior(self.inputs) + np.exp(self.kernel.noise / 2) * noise
        return prior._replace(correction=cho_solve((self.root, True), observed))

    def leave_one_out(self) -> tuple[Array, Array]:
        """Return how far each run (R,) lies above its prediction from the others.

        With it the standard deviation (R,) of that prediction; equations 5.10 to 5.12.
        """
        precision = np.diag(_inverse(self.root))
        residual = self.alpha / precision
        deviation = 1 / np.sqrt(precision)
        return np.asarray(residual, np.float64), np.asarray(deviation, np.float64)

    def _unexplained(self, inputs: Array) -> Array:
        known = solve_triangular(self.root, self.kernel.between(self.inputs, inputs), lower=True)
        return np.asarray(
            np.maximum(np.exp(self.kernel.amplitude) - (known**2).sum(0), 0), np.float64
        )


class Deviations(NamedTuple):
    """B functions about the mean of a posterior.

    Waves ``weights`` (2 F, B) in directions ``features`` (F, D), which are random Fourier features
    of the kernel, less the kernel to the data times ``correction`` (R, B).
    """

    known: Posterior
    features: Array
    weights: Array
    correction: Array

    def __call__(self, inputs: Array) -> Array:
        """Return values (n, B) at inputs (n, D)."""
        kernel = self.known.kernel
        phase = (inputs * np.exp(-kernel.lengths)) @ self.features.T
        waves = np.hstack([np.cos(phase), np.sin(phase)])
        waves = waves * np.exp(kernel.amplitude / 2) / np.sqrt(len(self.features))
        known = kernel.between(inputs, self.known.inputs) @ self.correction
        return np.asarray(waves @ self.weights - known, np.float64)


def posterior(inputs: Array, y: Array, kernel: Kernel) -> Posterior:
    """Condition on runs (R, D) and (R,).

    >>> kernel = Kernel(0.0, -14.0, np.zeros(1))
    >>> known = posterior(np.array([[0.0], [1.0]]), np.array([1.0, -1.0]), kernel)
    >>> known.mean(np.array([[0.0], [0.5]])).round(4).tolist()
    [1.0, 0.0]
    """
    root = _root(kernel.between(inputs, inputs), kernel)
    return Posterior(inputs, kernel, root, cho_solve((root, True), y))


def log_likelihood(inputs: Array, y: Array, kernel: Kernel) -> tuple[float, Array]:
    """Return the log marginal likelihood and its gradient (2 + D,).

    The gradient is over the logarithms of amplitude, noise and lengths.
    """
    signal = kernel.between(inputs, inputs)
    root = _root(signal, kernel)
    alpha = cho_solve((root, True), y)
    value = -0.5 * y @ alpha - np.log(np.diag(root)).sum() - 0.5 * len(y) * np.log(2 * np.pi)
    # Equation 5.9: half the trace of this times the derivative of the covariance.
    outer = np.outer(alpha, alpha) - _inverse(root)
    noise = 0.5 * np.exp(kernel.noise) * np.trace(outer)
    outer *= signal
    scaled = inputs * np.exp(-kernel.lengths)
    lengths = outer.sum(1) @ scaled**2 - np.einsum("rd,rd->d", scaled, outer @ scaled)
    return float(value), np.concatenate([[0.5 * outer.sum(), noise], lengths])


def fit_kernel(
    inputs: Array, y: Array, start: Kernel, *, isotropic: bool, steps: int = 100
) -> tuple[Kernel, float]:
    """Find the kernel of the highest marginal likelihood near ``start``, and its logarithm.

    Args:
        inputs: (R, D).
        y: (R,), of mean 0 and variance near 1.
        start: where the search begins.
        isotropic: whether all lengths are one.
        steps: of L-BFGS, at most.
    """
    count = inputs.shape[1]

    def to_kernel(theta: Array) -> Kernel:
        lengths = theta[2:]
        if isotropic:
            lengths = np.full(count, theta[2])
        return Kernel(theta[0], theta[1], lengths)

    def downhill(theta: Array) -> tuple[float, Array]:
        try:
            value, slope = log_likelihood(inputs, y, to_kernel(theta))
        except np.linalg.LinAlgError:
            # A number, as L-BFGS's line search cannot step back from infinity.
            return 1e25, np.zeros_like(theta)
        if isotropic:
            slope = np.append(slope[:2], slope[2:].sum())
        return -value, -slope

    lengths = start.lengths
    if isotropic:
        lengths = lengths[:1]
    first = np.concatenate([[start.amplitude, start.noise], lengths])
    bounds: Sequence[tuple[float, float]] = [AMPLITUDE, NOISE, *[LENGTH] * len(lengths)]
    best = minimize(
        downhill, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps}
    )
    return to_kernel(best.x), -float(best.fun)


def _root(signal: Array, kernel: Kernel) -> Array:
    """Return the lower triangle whose square is the covariance of y."""
    # Runs at one mixture make the signal singular; where the noise is tiny too, the jitter helps.
    total = signal.copy()
    total[np.diag_indices_from(total)] += np.exp(kernel.noise) + 1e-10 * np.exp(kernel.amplitude)
    return np.asarray(np.linalg.cholesky(total), np.float64)


def _inverse(root: Array) -> Array:
    """Return the inverse of ``root @ root.T``."""
    lower, _ = lapack.dpotri(root, lower=1)
    return np.asarray(np.tril(lower) + np.tril(lower, -1).T, np.float64)
