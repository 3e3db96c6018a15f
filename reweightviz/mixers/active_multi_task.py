"""L1 A-MTRL: the source tasks of which the target task's last layer is made, and few of them.

Yiping Wang, Yifang Chen, Kevin Jamieson and Simon S. Du, "Improved Active Multi-Task
Representation Learning via Lasso", ICML 2023, https://arxiv.org/abs/2306.02556; with ``power=2``
the earlier strategy that it improves on, of Yifang Chen, Kevin Jamieson and Simon S. Du, "Active
Multi-Task Representation Learning", ICML 2022. Seen: the first one's abstract, by which the
allocation follows the relevance of smallest L1 norm (before: L2), estimated by a lasso, and costs
may differ. Ours: that the cost multiplies the penalty of its task, and that the floor is kept
exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, UnmetNeed, warn
from reweightviz.core.types import Array
from reweightviz.mixers._amounts import fill_with_ones
from reweightviz.mixers._fixed import Fixed
from reweightviz.mixers._hyperparameters import check_fields
from reweightviz.numerics.lasso import lasso, least_absolute
from reweightviz.numerics.simplex import lift_to_floor

__all__ = ["ActiveMultiTask", "State"]


class State(NamedTuple):
    """The weights (K,) and the relevance nu (K,) of each domain, with its sign."""

    weights: Array
    relevance: Array


@dataclass(frozen=True)
class ActiveMultiTask(Fixed):
    """Weights proportional to ``|nu| ** power``; the domains' task heads times nu are the target's.

    With heads w_k on a common representation, nu is the solution of ``sum_k nu_k w_k = w_target``
    with the smallest L1 norm, or of the lasso ``|sum_k nu_k w_k - w_target|^2 / 2 + penalty
    |nu|_1``. Train a while, fit the heads anew, solve again: the epochs of the paper. Where a
    penalty leaves no domain, or the target's head is 0, the weights are uniform, with a
    :class:`ReweightvizWarning`.

    Args:
        penalty: lambda; 0 for the exact solution, by a linear program.
        power: 1 for the L1 strategy, 2 for the L2 baseline, which takes nu of the smallest L2 norm
            (ridge, with a penalty).
        floor: the least weight of every domain, at most 1 / K, so that its head can be fitted
            again.

    Example:
        >>> mixer = ActiveMultiTask(floor=0.1)
        >>> state = mixer.init(task_heads=[[1, 0, 0], [0, 1, 0], [0, 0, 1]], target_head=[3, 0, -1])
        >>> state.relevance.tolist(), mixer.result(state).round(6).tolist()
        ([3.0, 0.0, -1.0], [0.675, 0.1, 0.225])
    """

    penalty: float = 0.0
    power: int = 1
    floor: float = 0.0

    paper: ClassVar[str] = "https://arxiv.org/abs/2306.02556"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        check_fields(self)
        if self.penalty < 0 or self.power not in (1, 2) or not 0 <= self.floor <= 1:
            raise UnmetNeed(
                name="ActiveMultiTask",
                value=(self.penalty, self.power, self.floor),
                expected="a penalty of at least 0, a power of 1 or 2 and a floor between 0 and 1",
                got=f"{self.penalty!r}, {self.power!r} and {self.floor!r}",
            )

    def init(
        self, *, task_heads: ArrayLike, target_head: ArrayLike, cost: ArrayLike | None = None
    ) -> State:
        """Find nu and the weights.

        Args:
            task_heads: (D, K), the head of each domain's task.
            target_head: (D,), the target's.
            cost: (K,) above 0, of a token of each domain; its mean is taken for 1. A domain at
                twice the cost must be twice as relevant. Not for ``power=2``.
        """
        heads = np.asarray(task_heads, np.float64)
        target = np.asarray(target_head, np.float64)
        finite = np.isfinite(heads).all() and np.isfinite(target).all()
        if heads.ndim != 2 or not heads.size or target.shape != heads.shape[:1] or not finite:
            raise UnmetNeed(
                name="ActiveMultiTask",
                value=(heads.shape, target.shape),
                expected="finite task_heads (D, K) and a target_head (D,) on the same "
                "representation",
                got=f"shapes {heads.shape} and {target.shape}",
            )
        if cost is not None and self.power == 2:
            raise ReweightvizError(
                "ActiveMultiTask takes a cost with power=1 alone; the L2 baseline knows none."
            )
        domains = heads.shape[1]
        price = fill_with_ones(cost, "the cost", domains)
        # Only the ratios of costs count: with a mean of 1 the penalty keeps its meaning.
        nu = self._solve_relevance(heads, target, price / price.mean())
        return State(lift_to_floor(self._share_by_relevance(nu), self.floor), nu)

    def _solve_relevance(self, heads: Array, target: Array, price: Array) -> Array:
        if self.power == 2:
            gram = heads.T @ heads + self.penalty * np.eye(heads.shape[1])
            # Without a penalty the matrix may be singular; pinv then gives the smallest solution.
            return np.asarray(np.linalg.pinv(gram, hermitian=True) @ heads.T @ target, np.float64)
        if self.penalty == 0:
            return least_absolute(heads, target, price)
        return lasso(heads, target, self.penalty * price)

    def _share_by_relevance(self, nu: Array) -> Array:
        largest = float(np.abs(nu).max())
        if largest == 0:
            if nu.size > 1:
                warn(
                    f"ActiveMultiTask: with a penalty of {self.penalty:g} no domain is "
                    "relevant to the target, so the weights are uniform; a smaller penalty, "
                    "or a target head that is not 0, would separate them."
                )
            return np.full(nu.size, 1 / nu.size)
        # Divided first, or the squares of tiny relevances underflow to 0.
        parts = (np.abs(nu) / largest) ** self.power
        return np.asarray(parts / parts.sum(), np.float64)
