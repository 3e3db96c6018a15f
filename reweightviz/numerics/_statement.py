"""The statement of a convex program: weights, functions of them, what is kept, what is least."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.types import Array, Rows
from reweightviz.numerics.convex_functions import Affine, Entropy, Function, Values
from reweightviz.numerics.linear_constraints import Limits

__all__ = ["ROOM", "Objective", "Statement"]


ROOM = 1e-12
"""Bounds that leave less than this leave one point."""


@dataclass
class Statement:
    """Weights x (K,) within bounds, and functions of them in the order in which they were stated.

    Block 0 of the variables holds the weights that are ``free`` (K,); block i, of function i - 1,
    depends on earlier blocks alone. ``domains`` gives for each function the domain of each part
    (n,), where every part is the weight of one domain. Each of ``kept`` stays at 0 or above.
    """

    low: Array
    high: Array
    limits: Limits | None
    functions: list[Function] = field(default_factory=list)
    domains: list[Rows | None] = field(default_factory=list)
    kept: list[Affine] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.free: NDArray[np.bool_] = self.high - self.low > ROOM

    @property
    def weights(self) -> Affine:
        """Return the weights (K,): the free ones are variables, the others constants."""
        return Affine({0: np.eye(len(self.low))[:, self.free]}, np.where(self.free, 0.0, self.low))

    @property
    def only_weights(self) -> Array | None:
        """Return the one point (K,) that the bounds leave; None where they leave more."""
        if self.high.sum() <= 1 + ROOM:
            return np.asarray(self.high / self.high.sum(), np.float64)
        if self.low.sum() >= 1 - ROOM:
            return np.asarray(self.low / self.low.sum(), np.float64)
        return None

    @property
    def has_entropy(self) -> bool:
        """Return whether a relative entropy keeps the weights above 0."""
        return any(isinstance(function, Entropy) for function in self.functions)

    @property
    def sizes(self) -> list[int]:
        """Return the length of each block of variables."""
        return [int(self.free.sum()), *(len(each.r.offset) for each in self.functions)]

    def add_function(self, kind: type[Function], r: Affine, parameter: Array | None) -> Values:
        """Return the variables that stand for a function, and its values at constant arguments."""
        if parameter is None:
            parameter = np.ones(len(r.offset))
        varies = r.varies
        # Functions of constants are numbers: the solver gets no cone for them.
        constant = np.zeros(len(varies))
        constant[~varies] = kind(r.rows(~varies), parameter[~varies]).values(r.offset[~varies])
        varying = r.rows(varies)
        self.functions.append(kind(varying, parameter[varies]))
        self.domains.append(self._domains_of(varying))
        return Values(len(self.functions), varies, constant)

    def _domains_of(self, r: Affine) -> Rows | None:
        """Return the domain of each part (n,), where each is the weight of one domain."""
        if set(r.blocks) != {0} or r.offset.any() or not r.offset.size:
            return None
        block = r.blocks[0]
        is_one_weight = (np.count_nonzero(block, axis=1) == 1) & (block.sum(1) == 1)
        if not is_one_weight.all():
            return None
        return np.asarray(np.flatnonzero(self.free)[block.argmax(1)], np.int64)

    def variables(self, x: Array) -> list[Array]:
        """Return the values of all blocks of variables at weights (K,)."""
        variables = [x[self.free]]
        for function in self.functions:
            # A trial point may lie outside a function's domain, whose value there is infinite.
            with np.errstate(divide="ignore", over="ignore"):
                variables.append(function.values(function.r.at(variables)))
        return variables


class Objective(NamedTuple):
    """``cost (1,) + max(worst (J,))``, and what a gap is compared with beside their terms."""

    cost: Affine
    worst: Affine | None
    size: float

    def value(self, variables: list[Array]) -> float:
        """Return the objective."""
        cost = float(self.cost.at(variables)[0])
        if self.worst is None:
            return cost
        return cost + float(self.worst.at(variables).max())

    def scale(self, variables: list[Array]) -> float:
        """Return the sum of the objective's terms without their signs."""
        # Terms of opposite signs may cancel, and a gap relative to what is left means nothing.
        total = sum(
            float((abs(block) @ abs(variables[b])).sum()) for b, block in self.cost.blocks.items()
        )
        if self.worst is not None:
            total += float(np.abs(self.worst.at(variables)).max())
        total += self.size
        if not 0 < total < np.inf:
            return 1.0
        return total
