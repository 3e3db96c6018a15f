"""Sparse columns that make up a target: least squares with an L1 penalty, and its limit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array

__all__ = ["TINY", "lasso", "least_absolute"]


TINY = 1e-12
"""A speed below this is none."""


def lasso(columns: Array, target: Array, penalty: Array) -> Array:
    """Return coefficients (K,) with the least ``|columns @ x - target|^2 / 2 + penalty @ |x|``.

    Exact: the penalty falls from where all is 0, and between two events (a column joins or leaves)
    the solution is a straight line (M. R. Osborne, B. Presnell and B. A. Turlach, "A new approach
    to variable selection in least squares problems", 2000).

    Args:
        columns: (D, K); there may be more columns than rows.
        target: (D,).
        penalty: (K,) above 0.

    Raises:
        ReweightvizError: the conditions of the minimum are not met in the end: columns that are
            tied, or nearly the same.

    Example:
        >>> lasso(np.eye(3), np.array([3.0, -0.5, -2.0]), np.ones(3)).tolist()
        [2.0, 0.0, -1.0]
    """
    # With columns in the unit of their penalty one level serves for all of them.
    end = float(penalty.mean())
    scaled = columns / (penalty / end)
    gram = scaled.T @ scaled
    product = scaled.T @ target
    z = np.zeros(len(product))
    joined = np.zeros(len(product), bool)
    level = float(np.abs(product).max())
    left = None
    exact = 1e-9 * level
    if level > end:
        joined[int(np.argmax(np.abs(product)))] = True
    # A column may join and leave again, so there can be more events than columns.
    for _ in range(20 * len(product) + 20):
        if not joined.any():
            break
        slope = product - gram @ z
        # All joined columns keep the same correlation with the residual, the level, as it falls.
        signs = np.sign(slope[joined])
        towards = np.zeros(len(z))
        towards[joined] = np.linalg.lstsq(gram[np.ix_(joined, joined)], signs, rcond=None)[0]
        falls = gram @ towards
        rising_joins = _until(level - slope, 1 - falls, ~joined)
        falling_joins = _until(level + slope, 1 + falls, ~joined)
        leaves = _until(-z, towards, joined & (z * towards < 0))
        steps = np.concatenate([rising_joins, falling_joins, leaves])
        if left is not None:
            steps[left] = np.inf
        event = int(np.argmin(steps))
        if steps[event] >= level - end:
            z = z + (level - end) * towards
            break
        z = z + steps[event] * towards
        level = level - float(steps[event])
        left = None
        kind, column = divmod(event, len(z))
        joined[column] = kind < 2
        if kind == 2:
            # It stands at the level of its sign and moves away: by rounding it could join at once.
            left = column
            if slope[column] <= 0:
                left += len(z)
        z[~joined] = 0.0
    # The conditions of the minimum are checked, as columns that are tied can lead the path astray.
    slope = product - gram @ z
    missed = np.where(z != 0, np.abs(slope - np.sign(z) * end), np.maximum(np.abs(slope) - end, 0))
    if missed.max() > exact:
        raise ReweightvizError(
            "the lasso did not reach its minimum: some columns are tied or nearly the "
            "same; drop one of them, or ask for the solution without a penalty."
        )
    return np.asarray(z * end / penalty + 0.0, np.float64)  # + 0.0 makes 0 of -0


def _until(room: Array, speed: Array, allowed: NDArray[np.bool_]) -> Array:
    """Return how far (K,) until the room is used up; inf where it never is."""
    ends = allowed & (np.abs(speed) > TINY)
    found = np.divide(room, speed, out=np.full(len(room), np.inf), where=ends)
    return np.where(found > -TINY, np.maximum(found, 0), np.inf)


def least_absolute(columns: Array, target: Array, cost: Array) -> Array:
    """Return coefficients (K,) with the least ``cost @ |x|`` that come nearest to the target.

    >>> columns = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    >>> least_absolute(columns, np.ones(2), np.ones(3)).round(9).tolist()
    [0.0, 0.0, 1.0]
    """
    # The nearest fits are an affine space, which the rows of the singular vectors above 0 describe;
    # within it |x| is linear in the positive and the negative part of x.
    basis, sizes, right = np.linalg.svd(columns, full_matrices=False)
    kept = sizes > 1e-10 * sizes.max(initial=0.0)
    rows = right[kept]
    wanted = basis.T[kept] @ target / sizes[kept]
    size = float(np.abs(wanted).max(initial=0.0))
    if size == 0:
        return np.zeros(columns.shape[1])
    found = linprog(
        np.concatenate([cost, cost]),
        A_eq=np.hstack([rows, -rows]),
        b_eq=wanted / size,
        bounds=(0, None),
        method="highs-ds",
    )
    if found.x is None:
        raise ReweightvizError(
            f"the linear program of the smallest coefficients failed: {found.message.rstrip('.')}."
        )
    up, down = np.split(found.x, 2)
    return np.asarray((up - down) * size, np.float64)
