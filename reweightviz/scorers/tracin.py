"""TracIn: a document is worth more when a step on it lowers the target's loss.

Garima Pruthi et al., "Estimating Training Data Influence by Tracing Gradient Descent", NeurIPS
2020, https://arxiv.org/abs/2002.08484.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from reweightviz.core.types import Array
from reweightviz.numerics.inner import inner
from reweightviz.scorers._gradients import as_gradients, target_gradients

__all__ = ["TracIn"]


@dataclass(frozen=True)
class TracIn:
    """The product of the document's gradient and the target's mean gradient.

    A step of size eta on the document lowers the target's mean loss by eta times this, to first
    order. For several checkpoints, put their gradients side by side, each times the root of its
    learning rate, on both sides: the product is then the paper's sum over checkpoints.

    Example:
        >>> TracIn().score(gradient=[[1, 0], [0, 1]], query_gradient=[[1, 2], [1, 0]]).tolist()
        [1.0, 1.0]
    """

    higher_is_better: ClassVar[bool] = True
    row_by_row: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2002.08484"
    verified: ClassVar[str] = "not verified against the paper"

    def score(self, *, gradient: Any, query_gradient: Any) -> Array:
        """Return scores (N,) for gradients (N, D) and those of the target (Q, D)."""
        G = as_gradients("TracIn", gradient)
        target, _ = target_gradients("TracIn", query_gradient)
        return inner(G, target.mean(0))
