"""Curves that a law may be made of, and how any of them is fitted to runs, with draws for its intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.types import Array
from reweightviz.laws._runs import held_out, redrawn_losses
from reweightviz.numerics.levenberg_marquardt import Fits, Setting, fit_batch, leverage

if TYPE_CHECKING:
    from reweightviz.laws._curve_law import CurveLaw

Single = NDArray[np.float32]
KEPT = 3
"""Of all starts, how many a target go on from the rough fit to the fine one."""


WIDE = ("available",)
"""What is given with a number a domain."""


class Points(NamedTuple):
    """Where a curve is evaluated.

    ``weights`` (n, K); ``given`` name to (n,), such as run_tokens, or (n, K) for those in
    ``WIDE``; ``fixed`` name to an array that belongs to the curve and is not fitted, such as which
    domain a target is.
    """

    weights: Array
    given: Mapping[str, Array]
    fixed: Mapping[str, Array]


class Curve(NamedTuple):
    """The form of a law: what one target's loss is, given its parameters.

    Args:
        value: parameters (..., P) and points to losses (..., n).
        jacobian: parameters (Q, P) and points to derivatives (Q, n, P).
        given: names of what it takes beside the weights.
        per_target: names of the fixed arrays with a row a target; they come with a row for each
            row of parameters.
        equations: parameters (Q, P), points, weights and residuals (Q, n) of the runs to gradient
            (Q, P) and J'WJ (Q, P, P), where there is a quicker way to them than through the
            jacobian.
        minimise: a fitted law, shares (M,), and the keywords of :meth:`ConvexCurveLaw.minimise` to
            the best mixture (K,); only for a curve that is convex in the weights.
    """

    value: Callable[[Array, Points], Array]
    jacobian: Callable[[Array, Points], Array]
    given: tuple[str, ...] = ()
    per_target: tuple[str, ...] = ()
    equations: Callable[[Array, Points, Array, Array], tuple[Array, Array]] | None = None
    minimise: Callable[[CurveLaw, Array, Mapping[str, Any]], Array] | None = None


CURVES: dict[str, Curve] = {}
"""Name to curve. A law's module enters its own."""


class Start(NamedTuple):
    """Where a fit starts, (S, M, P), and the bounds (P,) that it keeps."""

    theta: Array
    low: Array
    high: Array


class Fitted(NamedTuple):
    """Parameters (M, P), values at the runs (R, M), refits (B, M, P), residuals of whole runs (B, M), and the error on runs left out."""

    theta: Array
    values: Array
    draws: Single
    noise: Single
    unseen: dict[str, list[Any]]


def fit_curve(
    curve: Curve,
    points: Points,
    losses: Array,
    start: Start,
    *,
    delta: float,
    draws: int,
    seed: int,
) -> Fitted:
    """Fit every target from all starts, then again to redrawn losses.

    First roughly, by least squares, from every start; then to the end, under the Huber loss, from
    the best few. The refits are to redrawn losses, so that none of a curve's numbers is left
    without runs, as it is when runs are redrawn.

    Args:
        curve: the form.
        points: the runs: weights (R, K) and what is given.
        losses: (R, M).
        start: starts and bounds.
        delta: where the Huber loss turns linear, in the unit of the losses.
        draws: refits, B.
        seed: of the draws.
    """
    theta = _best(curve, points, losses, start, delta)
    (targets, size), rng = theta.shape, np.random.default_rng(seed)
    values = curve.value(theta, points)
    slopes = (
        curve.jacobian(theta, points) * ((theta > start.low) & (theta < start.high))[:, None, :]
    )
    numbers = round(float(leverage(slopes, most=1.0).sum(1).max()))
    noise, redrawn = redrawn_losses(losses, values.T, leverage(slopes).T, numbers, draws, rng)
    setting = Setting(delta, start.low, start.high, 1e-4, 30)
    again = _fit(curve, points, redrawn, np.tile(theta, (draws, 1)), setting)

    def refitted(counts: Array) -> Array:
        times = len(counts) // targets
        left = _fit(
            curve,
            points,
            np.tile(losses.T, (times, 1)),
            np.tile(theta, (times, 1)),
            setting,
            counts,
        )
        return np.concatenate([curve.value(part, points) for part in np.split(left.theta, times)])

    unseen = held_out(points.weights, losses, numbers, refitted, seed) if draws else {}
    return Fitted(
        theta,
        values.T,
        again.theta.reshape(draws, targets, size).astype(np.float32),
        noise.astype(np.float32),
        unseen,
    )


def _best(curve: Curve, points: Points, losses: Array, start: Start, delta: float) -> Array:
    starts, targets, size = start.theta.shape
    spread = np.tile(np.maximum(losses.std(0), delta), starts)
    rough = _fit(
        curve,
        points,
        np.tile(losses.T, (starts, 1)),
        start.theta.reshape(-1, size),
        Setting(10 * spread, start.low, start.high, 1e-4, 60),
    )
    kept = min(KEPT, starts)
    order = np.argsort(rough.cost.reshape(starts, targets), axis=0, kind="stable")[:kept]
    picked = np.take_along_axis(
        rough.theta.reshape(starts, targets, size), order[:, :, None], axis=0
    )
    fine = _fit(
        curve,
        points,
        np.tile(losses.T, (kept, 1)),
        picked.reshape(-1, size),
        Setting(delta, start.low, start.high, 1e-8),
    )
    lowest = fine.cost.reshape(kept, targets).argmin(0) * targets + np.arange(targets)
    return np.asarray(fine.theta[lowest], np.float64)


def _fit(
    curve: Curve,
    points: Points,
    observed: Array,
    start: Array,
    setting: Setting,
    counts: Array | None = None,
) -> Fits:
    """Problems come target after target, again and again, so a problem's number tells its target."""
    targets = {name: len(points.fixed[name]) for name in curve.per_target}

    def here(which: NDArray[np.int64]) -> Points:
        rows = {name: points.fixed[name][which % count] for name, count in targets.items()}
        return points._replace(fixed={**points.fixed, **rows}) if rows else points

    quick = curve.equations
    return fit_batch(
        lambda theta, which: curve.value(theta, here(which)),
        lambda theta, which: curve.jacobian(theta, here(which)),
        observed,
        start,
        setting,
        counts=counts,
        equations=None
        if quick is None
        else lambda theta, which, *runs: quick(theta, here(which), *runs),
    )
