"""What training runs reached, regressed on what each of them saw: documents, or weights of raters.

Ridge regression with centred columns, exact, by the smaller of the two products of the inputs; the
penalty is the one with the least squared error of runs left out one by one, in closed form.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidValue
from reweightviz.core.types import Array
from reweightviz.numerics.accuracy import rank_correlation

__all__ = ["Ridge", "datamodel_score", "fit_ridge"]


_BLOCK = 1 << 22  # numbers of X that are in double precision at once
_PENALTIES = np.logspace(3, -6, 37)
"""Penalties that are tried, as shares of the greatest eigenvalue; the largest of equals wins."""


class Ridge(NamedTuple):
    """A linear model of what runs reached.

    Attributes:
        intercept: at inputs of 0.
        coefficients: (F,).
        penalty: of the squared coefficients beside the squared errors of all runs.
        error: root mean square over runs that were left out one by one.
    """

    intercept: float
    coefficients: Array
    penalty: float
    error: float

    def predict(self, X: ArrayLike) -> Array:
        """Return predictions (n,) for inputs (n, F)."""
        return np.asarray(self.intercept + np.asarray(X) @ self.coefficients, np.float64)


def fit_ridge(X: Any, y: ArrayLike, penalty: float | None = None) -> Ridge:
    """Return the linear model of ``y`` (R,) with the least squared error and penalty.

    Args:
        X: (R, F) inputs of each run; there may be far more inputs than runs.
        y: (R,) what it reached.
        penalty: of the squared coefficients; chosen by leaving runs out when not given.

    Raises:
        ReweightvizError: the shapes differ, fewer than 3 runs, or a number is not finite.

    Example:
        >>> X = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [1, 1]])
        >>> fitted = fit_ridge(X, 3 + X @ [1.0, -2.0])
        >>> round(fitted.intercept, 3), fitted.coefficients.round(3).tolist()
        (3.0, [1.0, -2.0])
    """
    inputs = np.asarray(X)
    reached = np.asarray(y, np.float64)
    _check(inputs, reached)
    apart = reached - reached.mean()
    means = inputs.mean(0, dtype=np.float64)
    # Rows of Z are runs along the axes on which the inputs are not correlated.
    Z, squares, axes = _rotate(inputs, means)
    along = Z.T @ apart
    if penalty is None:
        tried = squares.max(initial=0.0) * _PENALTIES
        errors = [_leave_one_out(Z, squares, along, apart, level) for level in tried]
        penalty = float(tried[int(np.argmin(errors))])
    shrunk = along / np.where(squares + penalty > 0, squares + penalty, np.inf)
    coefficients = axes(shrunk)
    error = _leave_one_out(Z, squares, along, apart, penalty) ** 0.5
    return Ridge(float(reached.mean() - means @ coefficients), coefficients, penalty, error)


def datamodel_score(effects: ArrayLike, runs: ArrayLike, run_losses: ArrayLike) -> float:
    """Return the linear datamodeling score: how runs are ranked by the sums of their effects.

    It is Spearman's correlation over runs that the effects were not fitted to, of Andrew Ilyas et
    al., "Datamodels: Predicting Predictions from Training Data", ICML 2022, and Sung Min Park et
    al., "TRAK: Attributing Model Behavior at Scale", ICML 2023.

    Args:
        effects: (N,) of each document on the loss; one that is not known counts 0.
        runs: (R, N) which documents each run saw.
        run_losses: (R,).

    Example:
        >>> datamodel_score([-1.0, 0.5], [[1, 0], [0, 1], [1, 1]], [2.0, 3.0, 2.5])
        1.0
    """
    known = np.nan_to_num(np.asarray(effects, np.float64), nan=0.0)
    masks = np.asarray(runs)
    losses = np.asarray(run_losses, np.float64)
    if masks.shape != (len(losses), len(known)):
        raise InvalidValue(
            name="runs of a datamodel",
            value=masks.shape,
            expected=f"(R, N) for {len(losses)} losses and {len(known)} effects",
        )
    return float(rank_correlation((masks @ known)[:, None], losses[:, None])[0])


def _check(inputs: Any, reached: Array) -> None:
    if inputs.ndim != 2 or reached.shape != inputs.shape[:1] or len(reached) < 3:
        raise InvalidValue(
            name="a regression over runs",
            value=(inputs.shape, reached.shape),
            expected="inputs (R, F) and what was reached (R,) of at least 3 runs",
            got=f"shapes {inputs.shape} and {reached.shape}",
        )
    if not (np.isfinite(inputs).all() and np.isfinite(reached).all()):
        raise InvalidValue(
            name="a regression over runs",
            value=None,
            expected="finite numbers",
            got="NaN or inf among them",
        )


def _rotate(inputs: Any, means: Array) -> tuple[Array, Array, Any]:
    """Return runs along uncorrelated axes (R, r), their squares (r,), and the way back."""
    R, F = inputs.shape
    if F <= R:
        centred = inputs - means
        squares, V = np.linalg.eigh(centred.T @ centred)
        return centred @ V, np.maximum(squares, 0), lambda values: V @ values
    gram = np.zeros((R, R))
    for _, block in _blocks(inputs, means):
        gram += block @ block.T
    squares, Q = np.linalg.eigh(gram)
    squares = np.maximum(squares, 0)
    # Centred runs have rank R - 1: the axis of the mean is rounding alone.
    squares[squares <= 1e-12 * squares.max(initial=0.0)] = 0
    lengths = np.sqrt(squares)

    def back(values: Array) -> Array:
        weights = Q @ np.divide(values, lengths, out=np.zeros(R), where=lengths > 0)
        coefficients = np.empty(F)
        for columns, block in _blocks(inputs, means):
            coefficients[columns] = weights @ block
        return coefficients

    return Q * lengths, squares, back


def _blocks(inputs: Any, means: Array) -> Iterator[tuple[slice, Array]]:
    """Yield columns of the inputs, centred, so that a mask of many documents stays a mask."""
    step = max(1, _BLOCK // len(inputs))
    for start in range(0, inputs.shape[1], step):
        columns = slice(start, start + step)
        yield columns, inputs[:, columns] - means[columns]


def _leave_one_out(Z: Array, squares: Array, along: Array, apart: Array, penalty: float) -> float:
    """Return the mean squared error of each run under the model of all others."""
    shrunk = 1 / np.where(squares + penalty > 0, squares + penalty, np.inf)
    residual = apart - Z @ (shrunk * along)
    leverage = (Z**2) @ shrunk + 1 / len(apart)
    # A run that no other resembles has a leverage of 1 and says nothing of the penalty.
    return float(np.mean((residual / np.maximum(1 - leverage, 1e-9)) ** 2))
