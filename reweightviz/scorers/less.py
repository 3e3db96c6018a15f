"""LESS: a document is worth more when its gradient points the way of a task's.

Mengzhou Xia et al., "LESS: Selecting Influential Data for Targeted Instruction Tuning", ICML 2024,
https://arxiv.org/abs/2402.04333. The formulas were read in the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.types import Array
from reweightviz.numerics.inner import group_means, inner, unit_rows
from reweightviz.scorers._gradients import as_gradients, target_gradients

__all__ = ["LESS"]


@dataclass(frozen=True)
class LESS:
    """Cosine of gradients: the mean over the documents of a task, the most over the tasks.

    Adam's preconditioning of the documents' gradients comes before their projection, so it is an
    option of :func:`reweightviz.gradients`; the target's stay plain. For several checkpoints, scale
    the gradients of each to length 1, then put them side by side, each times the root of its share
    of the learning rates: this class would scale them together. The authors' code needs tasks of
    one size; here they may have any.

    Example:
        >>> gradient = [[2.0, 0.0], [0.0, 0.0], [3.0, 3.0]]
        >>> query = [[5.0, 0.0], [0.0, 1.0], [0.0, 2.0]]
        >>> LESS().score(gradient=gradient, query_gradient=query).round(4).tolist()
        [0.3333, 0.0, 0.7071]
        >>> LESS().score(
        ...     gradient=gradient, query_gradient=query, query_group=["a", "b", "b"]
        ... ).round(4).tolist()
        [1.0, 0.0, 0.7071]
    """

    higher_is_better: ClassVar[bool] = True
    row_by_row: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2402.04333"
    verified: ClassVar[str] = "equal to dattri 0.3.0"

    def score(
        self, *, gradient: Any, query_gradient: Any, query_group: ArrayLike | None = None
    ) -> Array:
        """Return scores (N,) between -1 and 1.

        Args:
            gradient: (N, D) of the documents, preconditioned by Adam or plain.
            query_gradient: (Q, D) of the target's documents, plain.
            query_group: (Q,) the task of each of them; all one when not given.
        """
        G = as_gradients("LESS", gradient)
        target, groups = target_gradients("LESS", query_gradient, query_group)
        tasks = group_means(unit_rows(target), groups)
        # The mean of unit rows is shorter than 1, as it must be for a mean of cosines.
        return np.asarray(inner(G, tasks, unit=True).max(1))
