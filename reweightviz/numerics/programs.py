"""Convex programs over mixtures, solved by Clarabel and certified by tangents.

    minimise  cost . y   subject to  sum x = 1,  lower <= x <= upper,  R x <= h

where every variable y stands for a convex or concave function of the variables before it. Each
function is a cone of Clarabel, an interior-point solver (Paul Goulart and Yuwen Chen, "Clarabel:
An interior-point solver for conic programs with quadratic objectives", 2024,
https://arxiv.org/abs/2405.12762). ``_cone_table.py`` hands a program to it, ``_certificate.py``
proves how far its answer can be from the minimum.
"""

from __future__ import annotations

import numpy as np

from reweightviz.core.types import Array
from reweightviz.numerics import _certificate, _cone_table
from reweightviz.numerics._certificate import Optimum
from reweightviz.numerics._cone_table import Curvature
from reweightviz.numerics._statement import Objective, Statement
from reweightviz.numerics.convex_functions import (
    Affine,
    Entropy,
    Exponential,
    InversePower,
    Root,
    Values,
)
from reweightviz.numerics.linear_constraints import Limits

__all__ = ["AIMED_GAP", "ROUNDING", "ROUNDS", "Optimum", "Program"]

AIMED_GAP = 1e-9
"""A gap of a larger share of the objective has the program solved again in a better unit."""
ROUNDS = 3
ROUNDING = 1e-12
"""Gaps below this share of the objective are rounding."""


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
        self._statement = Statement(low, high, limits)
        self.weights = self._statement.weights
        if limits is not None and len(limits.most):
            self.keep(-(limits.rows @ self.weights) + limits.most)

    def exponential(self, r: Affine) -> Values:
        """Return ``exp(r)``."""
        return self._statement.add_function(Exponential, r, None)

    def inverse_power(self, r: Affine, exponents: Array) -> Values:
        """Return ``r ** -exponents``, each above 0."""
        return self._statement.add_function(InversePower, r, exponents)

    def root(self, r: Affine, exponents: Array) -> Values:
        """Return ``r ** exponents``, each above 0 and below 1."""
        return self._statement.add_function(Root, r, exponents)

    def divergence(self, prior: Array) -> Affine:
        """Return ``KL(x || prior)``, (1,); weights whose prior is 0 must be held at 0."""
        some = prior > 0
        terms = self._statement.add_function(Entropy, self.weights.rows(some), prior[some])
        return np.ones((1, int(some.sum()))) @ terms

    def keep(self, r: Affine) -> None:
        """Keep every part of ``r`` at 0 or above."""
        self._statement.kept.append(r)

    def minimise(
        self,
        cost: Affine,
        *,
        worst: Affine | None = None,
        size: float = 0.0,
        start: Array | None = None,
    ) -> Optimum:
        """Return the weights with the least ``cost + max(worst)``.

        Args:
            cost: (1,), of convex functions with factors >= 0 and of concave ones with factors <= 0.
            worst: (J,), of which the largest is added; likewise.
            size: what a gap is compared with, beside the terms of the objective.
            start: weights (K,) whose objective is the solver's first unit; in the middle of the
                bounds when not given.

        Raises:
            ReweightvizError: no weights meet the limits, or the optimum could not be certified.
        """
        statement = self._statement
        objective = Objective(cost, worst, size)
        only = statement.only_weights
        if only is not None:
            # Interior-point methods need an interior, and a single point has none.
            found = _certificate.measure(statement, only, objective, np.inf)
            return _certificate.certify(statement, found, 0.0)
        low = statement.low
        high = statement.high
        best = None
        missed = np.inf
        x = start
        if x is None:
            x = low + (high - low) * (1 - low.sum()) / (high - low).sum()
        for _ in range(ROUNDS):
            # In its own unit the objective is near 1, which the solver's tolerances take it to be.
            unit = objective.scale(statement.variables(x))
            solution = _cone_table.solve(statement, objective, unit)
            if solution is None:
                break
            bound, touched = _certificate.lower_bound(statement, solution, objective)
            for x in _certificate.candidates(statement, solution, touched):
                found = _certificate.measure(statement, x, objective, bound)
                gap = found.gap / objective.scale(statement.variables(x))
                if max(gap, found.excess) <= max(missed, ROUNDING):
                    best = found
                    missed = max(gap, found.excess)
            if best is None or missed <= AIMED_GAP:
                break
            x = best.x
        return _certificate.certify(statement, best, missed)

    def step(self, cost: Affine, hessian: Array, x: Array, size: float) -> Array:
        """Return the weights y (K,) after one of Newton's steps from x (K,), without proof.

        They have the least ``cost + (y - x) . hessian (y - x) / 2`` within the bounds; ``size`` is
        the unit of the objective.
        """
        statement = self._statement
        if statement.only_weights is not None:
            return x
        objective = Objective(cost, None, size)
        solution = _cone_table.solve(statement, objective, size, Curvature(hessian, x))
        if solution is None:
            return x
        _, touched = _certificate.lower_bound(statement, solution, objective)
        # The last candidate is the most exact, and x itself where none meets the bounds.
        *_, last = [x, *_certificate.candidates(statement, solution, touched)]
        return last
