"""A convex program as Clarabel takes it: rows of a sparse matrix, each in a cone.

Clarabel solves ``minimise q . y + y . P y / 2 subject to A y + s = b, s in K``; a row that must lie
in a cone here is ``s = b - A y``, which is why its coefficients change their sign on the way.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import clarabel
import numpy as np
from scipy import sparse

from reweightviz.core.types import Array, Rows
from reweightviz.numerics._statement import Objective, Statement
from reweightviz.numerics.convex_functions import Affine, Function

__all__ = ["TOLERANCE", "ConeTable", "Curvature", "Solution", "settings", "solve"]


TOLERANCE = 1e-12
"""What Clarabel is set to reach; it stops earlier where it gets no further."""


class Curvature(NamedTuple):
    """A term ``(x - centre) . hessian (x - centre) / 2`` of the objective, (K,) and (K, K)."""

    hessian: Array
    centre: Array


class Solution(NamedTuple):
    """Weights x (K,) and the multipliers of all constraints.

    ``floors`` and ``caps`` (K,) are those of the bounds, ``kept`` those of what stays at 0 or
    above, ``worst`` (J,) those of the terms below the maximum. Those of the functions' arguments
    are ``slopes``, the slopes of their tangents.
    """

    x: Array
    floors: Array
    caps: Array
    kept: list[Array]
    worst: Array
    slopes: list[Array]


class ConeTable:
    """Rows ``matrix @ variables + offset`` and the cones in which they lie."""

    def __init__(self, sizes: list[int]) -> None:
        self._starts: Rows = np.cumsum([0, *sizes])
        self._entries: list[tuple[Rows, Rows, Array]] = []
        self._offsets: list[tuple[Rows, Array]] = []
        self._cones: list[Any] = []
        self._count = 0

    def add(self, r: Affine, cone: type) -> Rows:
        """Let ``r`` (n,) lie in one cone; return its rows."""
        rows = self._count + np.arange(len(r.offset))
        if rows.size:
            self._put(r, rows)
            self._cones.append(cone(rows.size))
        self._count += rows.size
        return rows

    def add_function(self, function: Function, block: int) -> Rows:
        """Let a block of variables be a function's; return the rows (n,) of its arguments."""
        count = len(function.r.offset)
        first = self._count + 3 * np.arange(count)
        self._put(function.r, first + function.argument)
        columns = self._starts[block] + np.arange(count)
        self._entries.append((first + function.own, columns, np.full(count, function.sign)))
        # The rows of a cone are 0, 1 and 2, so the third is what the other two leave of 3.
        third = 3 - function.argument - function.own
        self._offsets.append((first + third, function.constant))
        powers = function.powers
        if powers is None:
            self._cones += [clarabel.ExponentialConeT()] * count
        else:
            self._cones += [clarabel.PowerConeT(power) for power in powers]
        self._count += 3 * count
        return first + function.argument

    def solve(self, cost: Affine, square: Array) -> Any:
        """Return Clarabel's solution for ``cost . y + x . square x / 2``, x the first block."""
        columns = int(self._starts[-1])
        offset = np.zeros(self._count)
        for rows, values in self._offsets:
            offset[rows] = values
        row, column, value = (np.concatenate(part) for part in zip(*self._entries, strict=True))
        matrix = sparse.csc_array((-value, (row, column)), shape=(self._count, columns))
        slope = np.zeros(columns)
        for b, block in cost.blocks.items():
            slope[self._starts[b] : self._starts[b + 1]] = np.ravel(block)
        # Clarabel reads the upper triangle alone.
        upper = np.nonzero(np.triu(square))
        quadratic = sparse.csc_array((square[upper], upper), shape=(columns, columns))
        solver = clarabel.DefaultSolver(quadratic, slope, matrix, offset, self._cones, settings())
        return solver.solve()

    def _put(self, r: Affine, rows: Rows) -> None:
        for b, block in r.blocks.items():
            row, column = np.nonzero(block)
            self._entries.append((rows[row], self._starts[b] + column, block[row, column]))
        self._offsets.append((rows, r.offset))


def settings() -> Any:
    """Return solver settings: one thread, and no end but the smallest gap."""
    made = clarabel.DefaultSettings()
    made.verbose = False
    made.max_threads = 1
    made.direct_solve_method = "qdldl"
    made.tol_gap_abs = TOLERANCE
    made.tol_gap_rel = TOLERANCE
    made.tol_feas = TOLERANCE
    return made


def solve(
    statement: Statement, objective: Objective, unit: float, curvature: Curvature | None = None
) -> Solution | None:
    """Return Clarabel's answer for the objective over ``unit``; None where nothing is allowed.

    Args:
        statement: the weights, functions and limits.
        objective: what is least.
        unit: what the objective is divided by. The solver's tolerances take it to be near 1.
        curvature: a quadratic term beside the objective.
    """
    free = statement.free
    functions = statement.functions
    worst = objective.worst
    cost = objective.cost
    sizes = statement.sizes
    maximum = None
    if worst is not None:
        # An epigraph: one variable more, the least that is at or above every term, in the unit.
        maximum = Affine({len(sizes): np.ones((1, 1))}, np.zeros(1))
        cost = cost + np.full((1, 1), unit) @ maximum
        sizes = [*sizes, 1]
    table = ConeTable(sizes)
    # A cap of 1 follows from the sum, a floor of 0 from a relative entropy.
    floored = free & ((statement.low > 0) | (not statement.has_entropy))
    capped = free & (statement.high < 1)
    weights = statement.weights
    table.add(np.ones((1, len(floored))) @ weights + -1.0, clarabel.ZeroConeT)
    floor_rows = table.add((weights + -statement.low).rows(floored), clarabel.NonnegativeConeT)
    cap_rows = table.add((-weights + statement.high).rows(capped), clarabel.NonnegativeConeT)
    kept_rows = [table.add(each, clarabel.NonnegativeConeT) for each in statement.kept]
    worst_rows = np.empty(0, np.int64)
    if worst is not None and maximum is not None:
        each = np.ones((len(worst.offset), 1))
        terms = np.eye(len(worst.offset)) / unit @ worst
        worst_rows = table.add(each @ maximum + -terms, clarabel.NonnegativeConeT)
    argument_rows = [table.add_function(each, 1 + i) for i, each in enumerate(functions)]
    square = np.zeros((sizes[0], sizes[0]))
    if curvature is not None:
        square = curvature.hessian[np.ix_(free, free)]
        # (x - c) . H (x - c) / 2 is x . H x / 2 - c . H x and a constant.
        cost = cost + Affine({0: -(square @ curvature.centre[free])[None]}, np.zeros(1))
    answer = table.solve(np.full((1, 1), 1 / unit) @ cost, square / unit)
    x = weights.at([np.asarray(answer.x)[: sizes[0]]])
    multipliers = unit * np.asarray(answer.z)
    is_finite = np.isfinite(x).all() and np.isfinite(multipliers).all()
    # "AlmostSolved" and the like are no reason to refuse: the certificate decides.
    if "PrimalInfeasible" in str(answer.status) or not is_finite:
        return None
    floors = np.zeros(len(x))
    floors[floored] = multipliers[floor_rows]
    caps = np.zeros(len(x))
    caps[capped] = multipliers[cap_rows]
    return Solution(
        x,
        floors,
        caps,
        [multipliers[rows] for rows in kept_rows],
        multipliers[worst_rows],
        [-multipliers[rows] for rows in argument_rows],
    )
