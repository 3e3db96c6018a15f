"""Convex programs over mixtures, solved by Clarabel and certified by tangents.

    minimise  cost . y   subject to  sum x = 1,  lower <= x <= upper,  R x <= h

where every variable y stands for a convex or concave function of the variables before it. Each
function is a cone of Clarabel, an interior-point solver (Paul Goulart and Yuwen Chen, "Clarabel:
An interior-point solver for conic programs with quadratic objectives", 2024,
https://arxiv.org/abs/2405.12762).

The solver is not trusted. Its multipliers only choose a slope for every function, whose tangent
lies below the function whatever the slope is; the sum of the tangents at its lowest vertex is a
lower bound (Fenchel duality).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import clarabel
import numpy as np
from scipy import sparse

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array, Rows
from reweightviz.numerics.convex_functions import (
    Affine,
    Entropy,
    Exponential,
    Function,
    InversePower,
    Root,
    Values,
)
from reweightviz.numerics.linear_constraints import Limits, interior

CHECKED = 1e-6
"""An answer that may lie above the minimum by a larger share of the objective is not given."""
AIM = 1e-9
"""A gap of a larger share of the objective has the program solved again in a better unit."""
ROUNDS = 3
ROOM = 1e-12
"""Bounds that leave less than this leave one point."""
SAME = 1e-12
"""Gaps below this share of the objective are rounding."""
NEAR = 1e-6
"""A weight this near to a bound that holds it is put on the bound."""
TOLERANCE = 1e-12
"""What Clarabel is set to reach; it stops earlier where it gets no further."""


class Optimum(NamedTuple):
    """A minimum ``x`` (K,), its ``value``, and the proof: none is below ``value - gap``.

    ``excess`` is the most by which a limit is missed.
    """

    x: Array
    value: float
    gap: float
    excess: float = 0.0


class _Objective(NamedTuple):
    """``cost (1,) + max(worst (J,))``, and what a gap is compared with beside their terms."""

    cost: Affine
    worst: Affine | None
    size: float

    def value(self, variables: list[Array]) -> float:
        """Return the objective."""
        worst = 0.0 if self.worst is None else float(self.worst.at(variables).max())
        return float(self.cost.at(variables)[0]) + worst

    def scale(self, variables: list[Array]) -> float:
        """Return the sum of the objective's terms without their signs."""
        terms = sum(
            float((abs(block) @ abs(variables[b])).sum()) for b, block in self.cost.blocks.items()
        )
        worst = 0.0 if self.worst is None else float(np.abs(self.worst.at(variables)).max())
        total = terms + worst + self.size
        return total if 0 < total < np.inf else 1.0


class _Solution(NamedTuple):
    """Weights (K,) and multipliers: of floors and caps (K,), of limits, of the worst (J,).

    Those of the functions' arguments are the slopes of their tangents.
    """

    x: Array
    below: Array
    above: Array
    kept: list[Array]
    worst: Array
    slopes: list[Array]


class _Table:
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
        self._offsets.append((first + 3 - function.argument - function.own, function.constant))
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
        row, column = (np.concatenate([each[i] for each in self._entries]) for i in (0, 1))
        value = np.concatenate([each[2] for each in self._entries])
        matrix = sparse.csc_array((-value, (row, column)), shape=(self._count, columns))
        slope = np.zeros(columns)
        for b, block in cost.blocks.items():
            slope[self._starts[b] : self._starts[b + 1]] = np.ravel(block)
        upper = np.nonzero(np.triu(square))
        quadratic = sparse.csc_array((square[upper], upper), shape=(columns, columns))
        solver = clarabel.DefaultSolver(quadratic, slope, matrix, offset, self._cones, _settings())
        return solver.solve()

    def _put(self, r: Affine, rows: Rows) -> None:
        for b, block in r.blocks.items():
            row, column = np.nonzero(block)
            self._entries.append((rows[row], self._starts[b] + column, block[row, column]))
        self._offsets.append((rows, r.offset))


def _settings() -> Any:
    """Return solver settings: one thread, and no end but the smallest gap."""
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.direct_solve_method = "qdldl"
    settings.tol_gap_abs = TOLERANCE
    settings.tol_gap_rel = TOLERANCE
    settings.tol_feas = TOLERANCE
    return settings


class Program:
    """A program over weights (K,) within bounds that leave room for some.

    Args:
        low: (K,) floors.
        high: (K,) caps.
        limits: linear limits on the weights.

    Example:
        >>> program = Program(np.zeros(2), np.array([1.0, 0.75]))
        >>> heights = program.exponential(np.array([[-1.0, -3.0]]) @ program.weights)
        >>> program.minimise(np.ones((1, 1)) @ heights).x.round(9).tolist()
        [0.25, 0.75]
    """

    def __init__(self, low: Array, high: Array, limits: Limits | None = None) -> None:
        self._low = low
        self._high = high
        self._free = high - low > ROOM
        self._settled = high.sum() <= 1 + ROOM or low.sum() >= 1 - ROOM
        self._functions: list[Function] = []
        self._places: list[Rows | None] = []
        self._kept: list[Affine] = []
        self._pulled = False
        self._limits = limits
        self.weights = Affine({0: np.eye(len(low))[:, self._free]}, np.where(self._free, 0.0, low))
        if limits is not None and len(limits.most):
            self.keep(-(limits.rows @ self.weights) + limits.most)

    # ---- stating

    def exponential(self, r: Affine) -> Values:
        """Return ``exp(r)``."""
        return self._state(Exponential, r)

    def inverse_power(self, r: Affine, exponents: Array) -> Values:
        """Return ``r ** -exponents``, each above 0."""
        return self._state(InversePower, r, exponents)

    def root(self, r: Affine, exponents: Array) -> Values:
        """Return ``r ** exponents``, each above 0 and below 1."""
        return self._state(Root, r, exponents)

    def divergence(self, prior: Array) -> Affine:
        """Return ``KL(x || prior)``, (1,); weights whose prior is 0 must be held at 0."""
        self._pulled = True
        some = prior > 0
        each = self._state(Entropy, self.weights.rows(some), prior[some])
        return np.ones((1, int(some.sum()))) @ each

    def keep(self, r: Affine) -> None:
        """Keep every part of ``r`` at 0 or above."""
        self._kept.append(r)

    def _state(self, kind: type[Function], r: Affine, parameter: Array | None = None) -> Values:
        """Return the variables that stand for a function, and its values at constant arguments."""
        parameter = np.ones(len(r.offset)) if parameter is None else parameter
        varies = r.varies
        constant = np.zeros(len(varies))
        constant[~varies] = kind(r.rows(~varies), parameter[~varies]).values(r.offset[~varies])
        self._functions.append(kind(r.rows(varies), parameter[varies]))
        self._places.append(self._places_of(r.rows(varies)))
        return Values(len(self._functions), varies, constant)

    def _places_of(self, r: Affine) -> Rows | None:
        """Return the domain of each part (n,), where each is the weight of one domain."""
        if set(r.blocks) != {0} or r.offset.any() or not r.offset.size:
            return None
        block = r.blocks[0]
        alone = (np.count_nonzero(block, axis=1) == 1) & (block.sum(1) == 1)
        return np.flatnonzero(self._free)[block.argmax(1)] if alone.all() else None

    # ---- solving

    def minimise(self, cost: Affine, *, worst: Affine | None = None, size: float = 0.0) -> Optimum:
        """Return the weights with the least ``cost + max(worst)``.

        Args:
            cost: (1,), of convex functions with factors >= 0 and of concave ones with factors <= 0.
            worst: (J,), of which the largest is added; likewise.
            size: what a gap is compared with, beside the terms of the objective.

        Raises:
            ReweightvizError: no weights meet the limits, or the optimum could not be certified.
        """
        objective = _Objective(cost, worst, size)
        low = self._low
        high = self._high
        if self._settled:
            only = high if high.sum() <= 1 + ROOM else low
            return self._certify(self._measure(only / only.sum(), objective, np.inf), 0.0)
        best = None
        missed = np.inf
        x = low + (high - low) * (1 - low.sum()) / (high - low).sum()
        for _ in range(ROUNDS):
            # In its own unit the objective is near 1, which the solver's tolerances take it to be.
            solution = self._solve(objective, objective.scale(self._variables(x)))
            if solution is None:
                break
            bound, touched = self._lower_bound(solution, objective)
            for x in self._candidates(solution, touched):
                found = self._measure(x, objective, bound)
                share = max(found.gap / objective.scale(self._variables(x)), found.excess)
                if share <= max(missed, SAME):
                    best = found
                    missed = share
            if best is None or missed <= AIM:
                break
            x = best.x
        return self._certify(best, missed)

    def step(self, cost: Affine, bend: Array, x: Array, size: float) -> Array:
        """Return the weights y with the least ``cost + (y - x) . bend (y - x) / 2``, without proof.

        A step of Newton's, within bounds, from weights x (K,) where the Hessian is ``bend`` (K, K).
        """
        objective = _Objective(cost, None, size)
        solution = None if self._settled else self._solve(objective, size, bend, x)
        if solution is None:
            return x
        _, touched = self._lower_bound(solution, objective)
        *_, last = [x, *self._candidates(solution, touched)]
        return last

    def _solve(
        self,
        objective: _Objective,
        unit: float,
        bend: Array | None = None,
        centre: Array | None = None,
    ) -> _Solution | None:
        """Return Clarabel's answer for the objective over ``unit``; None where none is allowed."""
        functions = self._functions
        worst = objective.worst
        sizes = [int(self._free.sum()), *(len(each.r.offset) for each in functions)]
        table = _Table(sizes if worst is None else [*sizes, 1])
        # A cap of 1 follows from the sum, a floor of 0 from a divergence.
        floored = self._free & ((self._low > 0) | (not self._pulled))
        capped = self._free & (self._high < 1)
        table.add(np.ones((1, len(floored))) @ self.weights + -1.0, clarabel.ZeroConeT)
        below = table.add((self.weights + -self._low).rows(floored), clarabel.NonnegativeConeT)
        above = table.add((-self.weights + self._high).rows(capped), clarabel.NonnegativeConeT)
        kept = [table.add(each, clarabel.NonnegativeConeT) for each in self._kept]
        cost = objective.cost
        beaten = np.empty(0, np.int64)
        if worst is not None:
            top = Affine({len(sizes): np.ones((1, 1))}, np.zeros(1))
            cost = cost + top
            beaten = table.add(
                np.ones((len(worst.offset), 1)) @ top + -worst, clarabel.NonnegativeConeT
            )
        arguments = [table.add_function(each, 1 + i) for i, each in enumerate(functions)]
        square = np.zeros((sizes[0], sizes[0]))
        if bend is not None and centre is not None:
            square = bend[np.ix_(self._free, self._free)]
            cost = cost + Affine({0: -(square @ centre[self._free])[None]}, np.zeros(1))
        solved = table.solve(np.full((1, 1), 1 / unit) @ cost, square / unit)
        z = unit * np.asarray(solved.z)
        x = self.weights.at([np.asarray(solved.x)[: sizes[0]]])
        if (
            "PrimalInfeasible" in str(solved.status)
            or not np.isfinite(x).all()
            or not np.isfinite(z).all()
        ):
            return None
        floors, caps = np.zeros((2, len(x)))
        floors[floored], caps[capped] = z[below], z[above]
        return _Solution(
            x, floors, caps, [z[rows] for rows in kept], z[beaten], [-z[rows] for rows in arguments]
        )

    def _candidates(self, solution: _Solution, touched: Array) -> Iterator[Array]:
        """Yield weights that meet the bounds and sum to 1, the better the later, if all is well.

        Those found; those with what is held by a bound put on it; and those where the tangents
        touch, which are the most exact, as near the minimum the multipliers tell weights apart and
        the value does not.
        """
        low = self._low
        high = self._high
        x = np.clip(solution.x, low, high)
        at_floor = (x - low < NEAR) & (solution.below > x - low)
        at_cap = (high - x < NEAR) & (solution.above > high - x)
        snapped = np.where(at_cap, high, np.where(at_floor, low, x))
        exact = np.where(at_floor | at_cap | np.isnan(touched), snapped, touched)
        for each in (x, snapped, exact):
            full = each.copy()
            full[np.argmax(np.minimum(each - low, high - each))] += 1 - each.sum()
            if ((full >= low) & (full <= high)).all():
                yield full

    # ---- certifying

    def _variables(self, x: Array) -> list[Array]:
        """Return the values of all blocks of variables at weights (K,)."""
        variables = [x[self._free]]
        for function in self._functions:
            with np.errstate(divide="ignore", over="ignore"):
                variables.append(function.values(function.r.at(variables)))
        return variables

    def _lower_bound(self, solution: _Solution, objective: _Objective) -> tuple[float, Array]:
        """Return a lower bound of the objective: functions are replaced by tangents, last first.

        Also the weights (K,) at which the tangents touch, NaN where no function is of one weight
        alone.
        """
        line = objective.cost
        touched = np.full(len(self._low), np.nan)
        if objective.worst is not None:
            shares = np.maximum(solution.worst, 0.0)
            line = line + (shares / max(shares.sum(), 1e-300))[None] @ objective.worst
        for multipliers, kept in zip(solution.kept, self._kept, strict=True):
            line = line + -(np.maximum(multipliers, 0.0)[None] @ kept)
        for block in range(len(self._functions), 0, -1):
            function = self._functions[block - 1]
            slope = solution.slopes[block - 1]
            weight = np.ravel(line.blocks.get(block, 0.0)) * (-1.0 if function.concave else 1.0)
            if not (weight >= 0).all():
                return -np.inf, touched
            counted = weight > 0
            weight = np.where(counted, weight, 1.0)
            slope = np.where(counted, np.clip(slope, *function.slopes), 0.0)
            with np.errstate(all="ignore"):
                intercepts = function.intercepts(weight, slope)
                if (places := self._places[block - 1]) is not None:
                    touched[places[counted]] = function.touching(weight, slope)[counted]
            line = line + slope[None] @ function.r + intercepts[counted].sum()
        slopes = np.ravel(line.blocks.get(0, np.zeros((1, int(self._free.sum())))))
        total = 1 - self._low[~self._free].sum()
        lowest = vertex(slopes, self._low[self._free], self._high[self._free], total)
        return float(line.offset[0] + slopes @ lowest), touched

    def _measure(self, x: Array, objective: _Objective, bound: float) -> Optimum:
        """Return weights, their value, its distance to the bound, and how far limits are missed."""
        variables = self._variables(x)
        value = objective.value(variables)
        missed = [-each.at(variables) for each in self._kept]
        excess = float(np.concatenate([*missed, np.zeros(1)]).max())
        return Optimum(x, value, max(value - bound, 0.0), excess)

    def _certify(self, found: Optimum | None, missed: float) -> Optimum:
        """Return an optimum that is proven; say in one sentence what is wrong with another."""
        if found is not None and missed <= CHECKED and found.excess <= CHECKED:
            return found
        if self._limits is not None and len(self._limits.most):
            _, room = interior(self._limits, self._low, self._high)
            if room < -CHECKED:
                raise ReweightvizError(
                    "no weights meet every limit: some limit is missed by at least "
                    f"{-room:.2g} of its span."
                )
        if found is None:
            raise ReweightvizError("no weights meet every limit.")
        if found.excess > CHECKED:
            raise ReweightvizError(
                f"no weights meet every limit: the nearest found miss one by {found.excess:.2g}."
            )
        raise ReweightvizError(
            f"the optimiser stopped up to {missed:.2g} of the objective above the minimum; "
            "a larger kl or wider bounds make the problem better posed."
        )


def vertex(slopes: Array, low: Array, high: Array, total: float = 1.0) -> Array:
    """Return where ``slopes . x`` is least: filled up to the caps, lowest slope first.

    >>> vertex(np.array([2.0, 1.0, 3.0]), np.zeros(3), np.array([1.0, 0.75, 1.0])).tolist()
    [0.25, 0.75, 0.0]
    """
    x = low.copy()
    rest = total - low.sum()
    for i in np.argsort(slopes, kind="stable"):
        added = min(high[i] - low[i], rest)
        x[i] += added
        rest -= added
    return x
