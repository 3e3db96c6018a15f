"""Logits that make given shares likely: logistic regression, and Bradley-Terry from comparisons.

Ralph Allan Bradley and Milton E. Terry, "Rank Analysis of Incomplete Block Designs: I. The Method
of Paired Comparisons", Biometrika 1952: the log odds that one is preferred to another are the
difference of their two abilities.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.types import Array

__all__ = ["fit_bradley_terry", "fit_logistic"]


def fit_logistic(X: Any, share: ArrayLike, penalty: float = 1.0) -> tuple[float, Array]:
    """Return intercept and coefficients (F,) of the log odds of a share (n,) by inputs (n, F).

    Args:
        X: (n, F).
        share: (n,) between 0 and 1, such as two classes.
        penalty: of half the squared coefficients beside the cross-entropy of all rows; the
            intercept has none.

    Example:
        >>> intercept, weights = fit_logistic(np.array([[0.0], [1], [2], [3]]), [0, 0, 1, 1])
        >>> round(float(-intercept / weights[0]), 6)
        1.5
    """
    inputs = np.asarray(X, np.float64)
    shares = _check_shares(share, len(inputs))
    means = inputs.mean(0)
    # Centred, the intercept and the coefficients hardly depend on each other.
    design = np.hstack([np.ones((len(inputs), 1)), inputs - means])
    penalties = np.full(design.shape[1], penalty)
    penalties[0] = 1e-9
    found = _fit(lambda w: design @ w, lambda r: design.T @ r, shares, penalties)
    return float(found[0] - means @ found[1:]), found[1:]


def fit_bradley_terry(
    comparisons: ArrayLike,
    preference: ArrayLike,
    embedding: Any,
    penalty: float = 1.0,
) -> Array:
    """Return the head (D,) on embeddings whose differences are the log odds of preferences.

    With ``scipy.sparse.identity(N)`` for embedding it is Bradley and Terry's own: an ability each.

    Args:
        comparisons: (P, 2) rows of the two that were compared.
        preference: (P,) between 0 and 1, how sure the first is the better one.
        embedding: (N, D), dense or sparse. Comparisons of a row that is not finite are left out.
        penalty: of half the squared head beside the cross-entropy of all comparisons. It bounds
            the ability of one that always wins.

    Example:
        >>> pairs = [[0, 1], [0, 1], [0, 1], [1, 0]]
        >>> head = fit_bradley_terry(pairs, np.ones(4), np.eye(2), penalty=1e-9)
        >>> round(float(np.exp(head[0] - head[1])), 3)
        3.0
    """
    pairs = np.asarray(comparisons)
    rows, known = _take_known(embedding)
    N, D = rows.shape
    is_pairs = pairs.ndim == 2 and pairs.shape[1] == 2 and pairs.dtype.kind in "iu"
    if not is_pairs or not len(pairs) or pairs.min() < 0 or pairs.max() >= N:
        raise InvalidValue(
            name="comparisons",
            value=pairs.shape,
            expected=f"rows (P, 2) of {N} documents, at least one pair",
            got=f"shape {pairs.shape} of {pairs.dtype}" if not is_pairs else "a row beyond them",
        )
    used = known[pairs].all(1)
    shares = _check_shares(preference, len(pairs))[used]
    one = pairs[used, 0]
    other = pairs[used, 1]

    def forward(head: Array) -> Array:
        ability = rows @ head
        return np.asarray(ability[one] - ability[other], np.float64)

    def backward(residual: Array) -> Array:
        by_row = np.bincount(one, residual, N) - np.bincount(other, residual, N)
        return np.asarray(rows.T @ by_row, np.float64)

    return _fit(forward, backward, shares, np.full(D, penalty))


def _take_known(embedding: Any) -> tuple[Any, NDArray[np.bool_]]:
    """Return an embedding with zeros for rows that are not finite, and which rows are."""
    if hasattr(embedding, "tocsr"):
        return embedding.tocsr(), np.ones(embedding.shape[0], bool)
    rows = np.asarray(embedding, np.float64)
    known = np.asarray(np.isfinite(rows).all(1))
    return np.where(known[:, None], rows, 0.0), known


def _check_shares(share: ArrayLike, count: int) -> Array:
    shares = np.asarray(share, np.float64)
    if shares.shape != (count,) or not ((shares >= 0) & (shares <= 1)).all():
        raise InvalidValue(
            name="a share",
            value=shares.shape,
            expected=f"a number between 0 and 1 for each of {count}",
            got=f"shape {shares.shape}" if shares.shape != (count,) else "others",
        )
    return shares


def _fit(
    forward: Callable[[Array], Array],
    backward: Callable[[Array], Array],
    shares: Array,
    penalties: Array,
) -> Array:
    """Return weights with the least cross-entropy of the logits and half penalised squares."""
    from scipy.optimize import minimize
    from scipy.special import expit

    def objective(weights: Array) -> tuple[float, Array]:
        logits = forward(weights)
        value = np.logaddexp(0, logits) - shares * logits
        gradient = backward(expit(logits) - shares) + penalties * weights
        return float(value.sum() + 0.5 * (penalties * weights) @ weights), gradient

    options = {"maxiter": 10_000, "maxfun": 20_000, "ftol": 1e-15, "gtol": 1e-9, "maxcor": 30}
    found = minimize(
        objective, np.zeros(len(penalties)), jac=True, method="L-BFGS-B", options=options
    )
    if not np.isfinite(found.x).all():
        raise ReweightvizError("no logits fit these shares: the inputs are not finite.")
    return np.asarray(found.x, np.float64)
