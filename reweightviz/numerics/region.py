"""The region of the simplex between bounds and linear limits, with a point well inside."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array
from reweightviz.numerics.linear_constraints import Limits, interior

__all__ = ["Region", "region"]


class Region(NamedTuple):
    """Weights on the simplex within bounds (K,) and limits, with a point ``inside``."""

    lower: Array
    upper: Array
    limits: Limits
    inside: Array

    def within(self, points: Array) -> Array:
        """Draw points (n, K) towards ``inside`` until they meet bounds and limits."""
        moves = points - self.inside
        eye = np.eye(len(self.lower))
        rows = np.concatenate([-eye, eye, self.limits.rows])
        most = np.concatenate([-self.lower, self.upper, self.limits.most])
        room = np.maximum(most - rows @ self.inside, 0)
        tight = room < 1e-9
        if tight.any():
            # Where the region is flat, only moves along it are left.
            held = np.vstack([np.ones(len(self.lower)), rows[tight]])
            moves = moves - moves @ (np.linalg.pinv(held) @ held).T
            rows = rows[~tight]
            room = room[~tight]
        steps = moves @ rows.T
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(steps > 1e-15, room / steps, np.inf).min(1, initial=1.0)
        return np.asarray(self.inside + share[:, None] * moves, np.float64)


def region(lower: Array, upper: Array, limits: Limits) -> Region:
    """Return the region between bounds (K,) and limits.

    Raises:
        ReweightvizError: nothing is in it.
    """
    inside, room = interior(limits, lower, upper)
    # The linear program is solved to 1e-7 or so, which a region without room to spare may miss by.
    if not room >= -1e-7:
        raise ReweightvizError("no weights meet every limit.")
    if room < 1e-9:
        inside = _middle(lower, upper, limits)
    inside = np.clip(inside, lower, upper)
    return Region(lower, upper, limits.scaled, inside / inside.sum())


def _middle(lower: Array, upper: Array, limits: Limits) -> Array:
    """Return the mean of the corners furthest along each axis: inside a region that is flat."""
    eye = np.eye(len(lower))
    found = [
        linprog(
            row,
            A_ub=limits.rows,
            b_ub=limits.most + 1e-9,  # a flat region is empty but for rounding
            A_eq=np.ones((1, len(lower))),
            b_eq=[1.0],
            bounds=np.column_stack([lower, upper]),
            method="highs-ds",
        ).x
        for row in (*eye, *-eye)  # least and most of every weight
    ]
    corners = [corner for corner in found if corner is not None]
    if not corners:
        raise ReweightvizError("no weights meet every limit.")
    return np.asarray(np.mean(corners, 0), np.float64)
