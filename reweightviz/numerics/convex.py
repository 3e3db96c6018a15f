"""Minimise sums of exponentials on the simplex: caps, linear limits, a KL pull to a prior.

    minimise    sum_m s_m exp(A_m . x)  +  max_j (a_j + S_j . exp(A x))  +  kl * KL(x || q)
    subject to  sum x = 1,  lower <= x <= upper,  R x <= h,
                a_j + S_j . exp(A x) <= 0 for the other rows j

Exponential cones of :mod:`reweightviz.numerics.programs`; a single exponential is a linear program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array
from reweightviz.numerics.bounds import weight_bounds
from reweightviz.numerics.linear_constraints import Limits
from reweightviz.numerics.programs import Optimum, Program
from reweightviz.numerics.simplex import as_prior

__all__ = ["Ceilings", "minimise_exponentials"]


class Ceilings(NamedTuple):
    """Sums of exponentials ``offset (J,) + shares (J, M) . exp(A x)`` with a ceiling.

    At most 0, or, where ``worst`` (J,), their maximum joins the objective.
    """

    shares: Array
    offset: Array
    worst: NDArray[np.bool_]


def minimise_exponentials(
    rates: Array,
    shares: Array,
    *,
    kl: float = 0.0,
    prior: ArrayLike | None = None,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    limits: Limits | None = None,
    ceilings: Ceilings | None = None,
) -> Optimum:
    """Minimise ``sum_m s_m exp(A_m . x) + kl * KL(x || q)`` over the simplex within bounds.

    Args:
        rates: A (M, K).
        shares: s (M,), >= 0.
        kl: strength of the pull towards the prior, in the unit of the objective.
        prior: q (K,), sums to 1; uniform when not given. A domain with q = 0 gets 0 when kl > 0.
        lower: (K,) floors, 0 when not given.
        upper: (K,) caps, 1 when not given.
        names: of the domains, for the error sentences.
        limits: linear inequalities, such as a cap on the sum over a group.
        ceilings: sums of exponentials that must stay at most 0, or whose maximum is minimised too.

    Raises:
        ReweightvizError: no x meets the bounds, or the optimum could not be certified.

    Example:
        >>> minimise_exponentials(np.array([[-1.0, -3.0]]), np.ones(1), upper=[1, 0.75]).x.tolist()
        [0.25, 0.75]
    """
    rates = np.atleast_2d(np.asarray(rates, np.float64))
    shares = np.asarray(shares, np.float64)
    if ceilings is None:
        ceilings = Ceilings(np.empty((0, len(rates))), np.empty(0), np.empty(0, bool))
    _check(rates, shares, kl, ceilings)
    domains = rates.shape[1]
    q = as_prior(prior, domains)
    low, high = weight_bounds(domains, lower, upper, q if kl > 0 else None, names)
    # An exponential that counts nowhere would be a cone of the solver for nothing.
    counts = (shares > 0) | (ceilings.shares > 0).any(0)
    rates = rates[counts]
    shares = shares[counts]
    if limits is not None:
        limits = limits.scaled
    if kl == 0 and len(rates) == 1 and not len(ceilings.offset):
        return _find_vertex(rates[0], float(shares[0]), low, high, limits)
    held = Ceilings(ceilings.shares[:, counts], ceilings.offset, ceilings.worst)
    task = _Task(rates, shares, held, kl, q)
    try:
        return task.solve(low, high, limits)
    except ReweightvizError:
        # Steep rates give terms too large or too small for the solver, unless in a better unit.
        start = task.least_largest(low, high, limits)
        if start is None:
            raise
        unit = task.value(start)
        if not 0 < unit < np.inf:
            raise
        return task.solve(low, high, limits, start=start, unit=unit)


class _Task(NamedTuple):
    """The arguments of :func:`minimise_exponentials` that count, checked."""

    rates: Array
    shares: Array
    ceilings: Ceilings
    kl: float
    prior: Array

    @property
    def factors(self) -> Array:
        """Return the largest factor (M,) of every exponential."""
        largest = self.ceilings.shares.max(0, initial=0.0)
        return np.asarray(np.maximum(self.shares, largest), np.float64)

    def solve(
        self,
        low: Array,
        high: Array,
        limits: Limits | None,
        *,
        start: Array | None = None,
        unit: float | None = None,
    ) -> Optimum:
        """Return the optimum, found from ``start`` with every term counted in a ``unit``.

        A unit that no term exceeds at the optimum keeps the solver's numbers at 1 or below.
        """
        # exp(a) is grown * exp(a - shift), so that a cone holds its term in the unit.
        shift = np.zeros(len(self.rates))
        if unit is not None:
            shift = np.log(unit / self.factors)
        grown = np.exp(shift)
        program = Program(low, high, limits)
        heights = program.exponential(self.rates @ program.weights + -shift)
        cost = (self.shares * grown)[None] @ heights
        if self.kl:
            cost = cost + np.full((1, 1), self.kl) @ program.divergence(self.prior)
        sums = (self.ceilings.shares * grown) @ heights + self.ceilings.offset
        program.keep(-sums.rows(~self.ceilings.worst))
        worst = None
        if self.ceilings.worst.any():
            worst = sums.rows(self.ceilings.worst)
        return program.minimise(cost, worst=worst, size=self.kl, start=start)

    def least_largest(self, low: Array, high: Array, limits: Limits | None) -> Array | None:
        """Return the weights (K,) whose largest term is least, a linear program; None without."""
        # max_m (A_m . x + log s_m) as one variable more, at or above every term.
        terms, domains = self.rates.shape
        rows = np.column_stack([self.rates, -np.ones(terms)])
        most = -np.log(self.factors)
        if limits is not None and len(limits.most):
            rows = np.vstack([rows, np.pad(limits.rows, ((0, 0), (0, 1)))])
            most = np.concatenate([most, limits.most])
        found = linprog(
            np.eye(domains + 1)[-1],
            A_ub=rows,
            b_ub=most,
            A_eq=np.append(np.ones(domains), 0.0)[None],
            b_eq=[1.0],
            bounds=[*zip(low, high, strict=True), (None, None)],
            method="highs",
        )
        if found.x is None:
            return None
        return np.asarray(np.clip(found.x[:domains], low, high), np.float64)

    def value(self, x: Array) -> float:
        """Return the objective at weights (K,)."""
        worst = self.ceilings.worst
        with np.errstate(over="ignore", invalid="ignore"):
            terms = np.exp(self.rates @ x)
            value = float(self.shares @ terms)
            if worst.any():
                value += float((self.ceilings.shares @ terms + self.ceilings.offset)[worst].max())
        if self.kl:
            some = x > 0
            value += self.kl * float(x[some] @ np.log(x[some] / self.prior[some]))
        return value


def _check(rates: Array, shares: Array, kl: float, ceilings: Ceilings) -> None:
    """Refuse what is no sum of exponentials with factors >= 0, or nothing to minimise."""
    if shares.shape != rates.shape[:1] or not np.isfinite(shares).all() or (shares < 0).any():
        raise ReweightvizError(
            f"shares must be {rates.shape[0]} finite numbers >= 0, one a target; got {shares}."
        )
    if not shares.any() and not kl and not ceilings.worst.any():
        raise ReweightvizError("there is nothing to minimise: all shares are 0 and so is kl.")
    if not np.isfinite(rates).all() or not np.isfinite(kl) or kl < 0:
        raise ReweightvizError(f"rates must be finite and kl a finite number >= 0; kl is {kl}.")


def _find_vertex(
    slopes: Array, size: float, low: Array, high: Array, limits: Limits | None
) -> Optimum:
    """Return where one exponential is least: an exact vertex of the exponent's linear program."""
    inequalities: dict[str, Array] = {}
    if limits is not None and len(limits.most):
        inequalities = {"A_ub": limits.rows, "b_ub": limits.most}
    # The tolerances of HiGHS are absolute, so the steepest slope is made 1. Its dual simplex ends
    # in a vertex, an interior point would stop short of it.
    found = linprog(
        slopes / max(np.abs(slopes).max(), 1e-300),
        **inequalities,
        A_eq=np.ones((1, len(slopes))),
        b_eq=[1.0],
        bounds=np.column_stack([low, high]),
        method="highs-ds",
    )
    if found.x is None:
        raise ReweightvizError("no weights meet every limit.")
    x = np.clip(found.x, low, high)
    excess = 0.0
    if limits is not None:
        excess = float((limits.rows @ x - limits.most).max(initial=0.0))
    return Optimum(x / x.sum(), size * float(np.exp(slopes @ x)), 0.0, excess)
