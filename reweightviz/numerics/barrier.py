"""The lowest value of any smooth convex function on the simplex with bounds, and the proof.

    minimise  f(x)   subject to  sum x = 1,  lower <= x <= upper

A barrier method with Newton steps (Boyd and Vandenberghe, Convex Optimization, 2004, section 11.3,
https://web.stanford.edu/~boyd/cvxbook/), for some tens of domains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import ReweightvizError
from reweightviz.numerics.convex import Optimum, _bounds, _vertex

Array = NDArray[np.float64]
CHECKED = 1e-6
"""An answer that may lie above the minimum by a larger share of its value than this is not given."""
Curved = Callable[[Array], tuple[float, Array, Array]]
"""From x (K,) to the value, its gradient (K,) and Hessian (K, K)."""


def minimise_convex(curved: Curved, domains: int, *, lower: ArrayLike | None = None, upper: ArrayLike | None = None,
                    closed: Array | None = None, names: Sequence[str] | None = None) -> Optimum:
    """Minimise a convex function over the simplex within bounds.

    Args:
        curved: the value, gradient and Hessian inside the bounds; they may grow without end towards 0.
        domains: K.
        lower: (K,) floors, 0 when not given.
        upper: (K,) caps, 1 when not given.
        closed: (K,) a prior whose zeros hold their domains at 0; not given for none.
        names: of the domains, for the error sentences.

    Raises:
        ReweightvizError: no x meets the bounds, or the optimum could not be certified.

    Example:
        >>> def curved(x):
        ...     return float(1 / x[0] + 4 / x[1]), np.array([-1, -4]) / x ** 2, np.diag(np.array([2, 8]) / x ** 3)
        >>> minimise_convex(curved, 2).x.round(6).tolist()
        [0.333333, 0.666667]
    """
    low, high = _bounds(domains, lower, upper, closed, names)
    free = high - low > 1e-12
    x = low.copy()
    room = 1 - low.sum()
    if room > 1e-12 and (high - low).sum() - room > 1e-12:
        x[free] += (high - low)[free] * room / (high - low)[free].sum()
        x = _descended(curved, x, low, np.where(high >= 1, 2.0, high), free)
    else:
        x = low if room <= 1e-12 else high
        x = x / x.sum()
    value, slope, _ = curved(x)
    gap = float(slope[free] @ (x - _vertex(slope, low, high))[free]) if free.any() and np.isfinite(slope[free]).all() else 0.0
    if not gap <= CHECKED * max(abs(value), 1e-12):
        raise ReweightvizError(f"the optimiser stopped up to {gap:.2g} above the minimum; wider bounds make the problem better posed.")
    return Optimum(x, value, max(gap, 0.0))


def _descended(curved: Curved, x: Array, low: Array, high: Array, free: NDArray[np.bool_]) -> Array:
    """Along the central path, until the barrier could hide no more than a 1e-11 of the value."""
    count = int(free.sum())
    value = curved(x)[0]
    strength = 0.1 * max(abs(value), 1e-12) / count
    while True:
        for _ in range(60):
            moved = _newton(curved, x, low, high, free, strength)
            if moved is None:
                break
            x = moved
        if 2 * count * strength < 1e-11 * max(abs(curved(x)[0]), 1e-12):
            return x
        strength *= 0.1


def _newton(curved: Curved, x: Array, low: Array, high: Array, free: NDArray[np.bool_], strength: float) -> Array | None:
    """One step that keeps the sum and lowers the value with its barrier; None where there is nothing left to gain."""
    value, slope, bend = curved(x)
    under, over = (x - low)[free], (high - x)[free]
    slope = slope[free] - strength / under + strength / over
    bend = bend[np.ix_(free, free)] + np.diag(strength / under ** 2 + strength / over ** 2)
    scale = 1 / np.sqrt(np.diag(bend))  # weights of very different sizes: every domain in its own unit
    ahead = np.linalg.solve(bend * np.outer(scale, scale), np.column_stack([-slope * scale, scale])) * scale[:, None]
    step = ahead[:, 0] - ahead[:, 1] * (ahead[:, 0].sum() / ahead[:, 1].sum())
    gain = -float(slope @ step)
    if gain < 1e-3 * strength:
        return None
    before = value - strength * float(np.log(under).sum() + np.log(over).sum())
    with np.errstate(divide="ignore"):
        reach = min(1.0, 0.99 * float(np.where(step < 0, under / -step, np.where(step > 0, over / step, np.inf)).min()))
    for _ in range(50):
        moved = x.copy()
        moved[free] += reach * step
        after = curved(moved)[0] - strength * float(np.log((moved - low)[free]).sum() + np.log((high - moved)[free]).sum())
        if after < before - 0.1 * reach * gain:
            return moved
        reach *= 0.5
    return None
