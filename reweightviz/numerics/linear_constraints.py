"""Linear limits on weights: a point well inside, or the limits that contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array

__all__ = ["TOLERANCE", "Conflict", "Limits", "conflict", "interior", "least_value"]


TOLERANCE = 1e-9
"""Limits are compared with what they limit up to this, in the unit of the limit."""


class Limits(NamedTuple):
    """Linear limits ``rows (P, K) . x <= most (P,)`` on weights x of the simplex."""

    rows: Array
    most: Array

    @property
    def scaled(self) -> Limits:
        """Return the same limits with rows from 0 to 1.

        As sum x = 1, a constant may be taken off a row and its limit.

        Raises:
            ReweightvizError: a row without any effect whose limit cannot be met.
        """
        least = self.rows.min(1, initial=np.inf)
        span = self.rows.max(1, initial=-np.inf) - least
        if (self.most[span == 0] < least[span == 0] - TOLERANCE).any():
            raise ReweightvizError(
                "a limit is the same for every domain and below what it limits, so no "
                "weights meet it."
            )
        kept = span > 0
        return Limits(
            (self.rows - least[:, None])[kept] / span[kept, None],
            (self.most - least)[kept] / span[kept],
        )


class Conflict(NamedTuple):
    """Limits that leave no weights.

    ``asked`` cannot be met beside ``others``, which reach ``reach`` at best.

    Each is an index into the limits; ``reach`` is the least value of the asked row.
    """

    asked: int
    others: tuple[int, ...]
    reach: float


def interior(limits: Limits, low: Array, high: Array) -> tuple[Array, float]:
    """Return weights (K,) far from every limit and bound, and how far.

    In units of scaled rows; below 0 where none meet them.

    >>> limits = Limits(np.array([[1.0, 1, 0]]), np.array([0.5]))
    >>> x, room = interior(limits, np.zeros(3), np.ones(3))
    >>> x.round(3).tolist(), round(room, 3)
    ([0.125, 0.125, 0.75], 0.25)
    """
    rows, most = limits.scaled
    domains = len(low)
    reach = np.minimum(high, 1.0)
    eye = np.eye(domains)
    # The room s is maximised, with rows . x + s <= most and the same for the bounds:
    # x >= low + s and x <= high - s, each within half its own span, so that a fixed weight leaves
    # room to the others.
    span = np.minimum((reach - low) / 2, 1.0)
    table = np.block([[rows, np.ones((len(rows), 1))], [-eye, span[:, None]], [eye, span[:, None]]])
    found = linprog(
        np.append(np.zeros(domains), -1.0),
        A_ub=table,
        b_ub=np.concatenate([most, -low, reach]),
        A_eq=np.append(np.ones(domains), 0.0)[None],
        b_eq=[1.0],
        bounds=[*[(None, None)] * domains, (None, 1.0)],
        method="highs",
    )
    if found.x is None:
        return np.full(domains, np.nan), -np.inf
    return np.asarray(found.x[:-1], np.float64), float(found.x[-1])


def least_value(row: Array, rows: Array, most: Array) -> float:
    """Return the least of ``row . x`` over the simplex under ``rows . x <= most``.

    inf where nothing is left.

    >>> least_value(np.array([1.0, 2.0]), np.array([[1.0, 0.0]]), np.array([0.25]))
    1.75
    """
    limits: dict[str, Array] = {}
    if len(rows):
        # The tolerances of HiGHS are absolute, and a limit may be in tokens or in shares.
        scale = np.maximum(np.abs(rows).max(1, initial=0.0), 1e-300)
        limits = {"A_ub": rows / scale[:, None], "b_ub": most / scale}
    found = linprog(
        row,
        **limits,
        A_eq=np.ones((1, len(row))),
        b_eq=[1.0],
        bounds=(0, 1),
        method="highs",
    )
    if found.x is None:
        return np.inf
    return float(found.fun)


def conflict(limits: Limits, order: Sequence[int] | None = None) -> Conflict | None:
    """Find a set of limits that contradict each other on the simplex, none of which could go.

    None where weights meet them all. It is the deletion filter of John W. Chinneck and Erik W.
    Dravnieks, "Locating Minimal Infeasible Constraint Sets in Linear Programs", 1991: a limit is
    dropped for good where the rest still conflict.

    Args:
        limits: rows (P, K) and most (P,).
        order: which limits to take away first, if the rest still conflict (all of them, in their
            order, when not given); the last that stays is the one that is ``asked``.

    Example:
        >>> conflict(Limits(np.array([[1.0, 0], [0, 1], [0, 1]]), np.array([0.25, 0.5, 0.9])))
        Conflict(asked=1, others=(0,), reach=0.75)
    """
    nothing = np.zeros(limits.rows.shape[1])

    def is_empty(kept: list[int]) -> bool:
        return not np.isfinite(least_value(nothing, limits.rows[kept], limits.most[kept]))

    if order is None:
        order = range(len(limits.most))
    kept = list(order)
    if not is_empty(kept):
        return None
    for each in list(kept):
        without = [other for other in kept if other != each]
        if is_empty(without):
            kept = without
    asked = kept[-1]
    others = kept[:-1]
    reach = least_value(limits.rows[asked], limits.rows[others], limits.most[others])
    return Conflict(asked, tuple(others), reach)
