"""Minimise sums of negative powers of each weight on the simplex, with a KL pull to a prior.

    minimise    sum_i sum_t F_it x_i ** -a_it + kl * KL(x || q)
    subject to  sum x = 1,  lower <= x <= upper

With one power a domain and no prior the weight is ``(a F / p) ** (1 / (1 + a))``, p a price that
is the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidValue
from reweightviz.core.types import Array
from reweightviz.numerics.bounds import weight_bounds
from reweightviz.numerics.programs import Optimum, Program
from reweightviz.numerics.simplex import as_prior

__all__ = ["minimise_powers"]


def minimise_powers(
    factors: Array,
    exponents: Array,
    *,
    kl: float = 0.0,
    prior: ArrayLike | None = None,
    lower: ArrayLike | None = None,
    upper: ArrayLike | None = None,
    names: Sequence[str] | None = None,
) -> Optimum:
    """Minimise ``sum_it F_it x_i ** -a_it + kl * KL(x || q)`` over the simplex within bounds.

    A domain that is held at 0 by its bounds or by a prior of 0 is left out of the sum, where it
    would be infinite.

    Args:
        factors: F (K, T), >= 0.
        exponents: a (K, T), >= 0.
        kl: strength of the pull towards the prior, in the unit of the objective.
        prior: q (K,), sums to 1; uniform when not given. A domain with q = 0 gets 0 when kl > 0.
        lower: (K,) floors, 0 when not given.
        upper: (K,) caps, 1 when not given.
        names: of the domains, for the error sentences.

    Returns:
        The optimum and its gap: the minimum is at least ``value - gap``.

    Raises:
        ReweightvizError: no x meets the bounds.

    Example:
        >>> minimise_powers(np.array([[1.0], [4.0]]), np.ones((2, 1))).x.round(6).tolist()
        [0.333333, 0.666667]
    """
    factors = np.asarray(factors, np.float64)
    exponents = np.asarray(exponents, np.float64)
    is_table = factors.ndim == 2 and factors.shape == exponents.shape
    if not is_table or (factors < 0).any() or (exponents < 0).any():
        raise InvalidValue(
            name="factors and exponents",
            value=(factors.shape, exponents.shape),
            expected="(K, T) numbers >= 0",
            got=f"{factors.shape} and {exponents.shape}",
        )
    count = len(factors)
    q = as_prior(prior, count)
    low, high = weight_bounds(count, lower, upper, q if kl > 0 else None, names)
    program = Program(low, high)
    # A power of exponent 0 is a constant, which no cone is needed for.
    counted = (factors > 0) & (high > 0)[:, None]
    curved = counted & (exponents > 0)
    domain, _ = np.nonzero(curved)
    powers = program.inverse_power(program.weights.rows(domain), exponents[curved])
    cost = factors[curved][None] @ powers + factors[counted & ~curved].sum()
    if kl:
        cost = cost + np.full((1, 1), kl) @ program.divergence(q)
    return program.minimise(cost, size=kl)
