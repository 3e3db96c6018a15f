"""The curve of Data Mixing Laws for a target of unknown make-up: a floor and J exponentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reweightviz.core.types import Array
from reweightviz.laws._curves import CURVES, Curve, Start
from reweightviz.laws._inputs import Inputs
from reweightviz.numerics.convex import minimise_exponentials
from reweightviz.numerics.log_linear import SLOPES, fit_log_linear, log_linear_starts

__all__ = ["HIGHEST", "KIND", "start_hidden"]


KIND = "hidden-domains"
HIGHEST = 10.0
"""A hidden domain's part stays below so many times the largest loss.

Few runs would let it explode between them.
"""


def start_hidden(w: Array, y: Array, hidden: int, starts: int, huber: float) -> Start:
    """Start from the curve of one domain, cut in J equal parts that are bent apart.

    They are bent along the directions in which the runs vary most, since only there can the runs
    tell them apart.

    Args:
        w: (R, K).
        y: (R, M).
        hidden: J.
        starts: how many.
        huber: delta, in the unit of the losses.
    """
    one = fit_log_linear(w, y.T, log_linear_starts(w, y, 1), delta=huber, steps=60)
    spread, axes = np.linalg.eigh(np.cov(w.T) + 1e-12 * np.eye(w.shape[1]))
    # A step along an axis changes the exponents of the runs by a standard deviation of 1. The
    # weights sum to 1, so the last direction is one in which nothing varies.
    axes = (axes / np.sqrt(spread))[:, ::-1].T[: max(1, w.shape[1] - 1)]
    angles = 2 * np.pi * np.arange(hidden) / hidden
    theta = np.empty((starts, y.shape[1], 1 + hidden * w.shape[1]))
    for s in range(starts):
        across = axes[s % len(axes)]
        along = axes[(s + 1) % len(axes)]
        turned = np.cos(angles)[:, None] * across + np.sin(angles)[:, None] * along
        bent = (0.5 + 0.5 * (s // len(axes))) * turned
        slopes = one.slopes[:, None, :] - np.log(hidden) + bent
        theta[s] = np.column_stack([one.floor * 0.9, slopes.reshape(y.shape[1], -1)])
    free = np.ones(theta.shape[2] - 1)
    low = np.concatenate([[0.0], SLOPES[0] * free])
    high = np.concatenate([[np.inf], np.log(HIGHEST * y.max()) * free])
    return Start(theta, low, high)


def _parts(theta: Array, inputs: Inputs) -> Array:
    """Return the exponentials (..., J, n)."""
    slopes = theta[..., 1:].reshape(*theta.shape[:-1], -1, inputs.weights.shape[1])
    return np.asarray(np.exp(slopes @ inputs.weights.T), np.float64)


def _value(theta: Array, inputs: Inputs) -> Array:
    return np.asarray(theta[..., :1] + _parts(theta, inputs).sum(-2), np.float64)


def _jacobian(theta: Array, inputs: Inputs) -> Array:
    parts = _parts(theta, inputs).transpose(0, 2, 1)
    shape = parts.shape[:2]
    by_slope = (parts[..., None] * inputs.weights[:, None, :]).reshape(*shape, -1)
    return np.concatenate([np.ones((*shape, 1)), by_slope], axis=2)


def _equations(theta: Array, inputs: Inputs, weight: Array, residual: Array) -> tuple[Array, Array]:
    """Return gradient and J'WJ; products of two weights of a run are made once for all problems."""
    w = inputs.weights
    parts = _parts(theta, inputs)
    count = len(theta)
    hidden = parts.shape[1]
    domains = w.shape[1]
    row, column = np.triu_indices(domains)
    pairs = w[:, row] * w[:, column]
    weighted = weight[:, None] * parts
    by_floor = (weight * residual).sum(1)[:, None]
    by_slope = ((weighted * residual[:, None]) @ w).reshape(count, -1)
    normal = np.empty((count, 1 + hidden * domains, 1 + hidden * domains))
    # By blocks of a pair of hidden domains: the jacobian (Q, R, P) is never made.
    normal[:, 0, 0] = weight.sum(1)
    normal[:, 0, 1:] = normal[:, 1:, 0] = (weighted @ w).reshape(count, -1)
    blocks = [slice(1 + j * domains, 1 + (j + 1) * domains) for j in range(hidden)]
    for i in range(hidden):
        for j in range(i + 1):
            square = np.empty((count, domains, domains))
            square[:, row, column] = (weighted[:, i] * parts[:, j]) @ pairs
            square[:, column, row] = square[:, row, column]
            normal[:, blocks[i], blocks[j]] = normal[:, blocks[j], blocks[i]] = square
    return np.concatenate([by_floor, by_slope], axis=1), normal


def _minimise(theta: Array, inputs: Inputs, shares: Array, options: Mapping[str, Any]) -> Array:
    slopes = theta[:, 1:].reshape(-1, inputs.weights.shape[1])
    hidden = len(slopes) // len(shares)
    return minimise_exponentials(slopes, np.repeat(shares, hidden), **options).x


CURVES[KIND] = Curve(_value, _jacobian, equations=_equations, minimise=_minimise)
