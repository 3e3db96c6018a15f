"""Curves that a law may be made of: one target's loss, given its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from reweightviz.core.types import Array
from reweightviz.laws._inputs import Inputs

__all__ = ["CURVES", "Curve", "Start"]


class Curve(NamedTuple):
    """The form of a law.

    Args:
        value: parameters (..., P) and inputs to losses (..., n).
        jacobian: parameters (Q, P) and inputs to derivatives (Q, n, P).
        takes: names of its inputs beside the weights.
        per_target: names of the fixed arrays with a row a target; they come with a row for each
            row of parameters.
        equations: parameters (Q, P), inputs, weights and residuals (Q, n) of the runs to gradient
            (Q, P) and J'WJ (Q, P, P), where there is a quicker way to them than through the
            jacobian.
        minimise: fitted parameters (M, P), the inputs of one mixture, shares (M,), and the keywords
            of :func:`reweightviz.numerics.separable.minimise_powers` to the best mixture (K,);
            only for a curve that is convex in the weights.
    """

    value: Callable[[Array, Inputs], Array]
    jacobian: Callable[[Array, Inputs], Array]
    takes: tuple[str, ...] = ()
    per_target: tuple[str, ...] = ()
    equations: Callable[[Array, Inputs, Array, Array], tuple[Array, Array]] | None = None
    minimise: Callable[[Array, Inputs, Array, Mapping[str, Any]], Array] | None = None


CURVES: dict[str, Curve] = {}
"""Kind to curve. The module of a curve enters its own."""


class Start(NamedTuple):
    """Where a fit starts, (S, M, P), and the bounds (P,) that it keeps."""

    theta: Array
    low: Array
    high: Array
