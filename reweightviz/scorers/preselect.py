"""PreSelect: a document is worth more when its losses order models as their benchmarks do.

Kashun Shum et al., "Predictive Data Selection: The Data That Predicts Is the Data That Teaches",
ICML 2025, https://arxiv.org/abs/2503.00808.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array

__all__ = ["PreSelect"]


@dataclass(frozen=True)
class PreSelect:
    """Share of the pairs of models in which the better one has the lower loss on the document.

    A pair that is equal in loss or benchmark counts nothing. Without ties it is ``(tau + 1) / 2``
    with Kendall's tau. The authors count the pairs, 15 for six models, and train a classifier on
    the best and the worst documents.

    Example:
        >>> PreSelect().score(model_losses=[[3.0, 2.0, 1.0], [1.0, 3.0, 2.0]], benchmark=[1, 2, 3])
        array([1.        , 0.33333333])
    """

    higher_is_better: ClassVar[bool] = True
    row_by_row: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2503.00808"
    verified: ClassVar[str] = "not verified against the paper"

    def score(self, *, model_losses: ArrayLike, benchmark: ArrayLike) -> Array:
        """Return scores (N,) between 0 and 1; NaN where a model has no finite loss.

        Args:
            model_losses: (N, M) nats per token.
            benchmark: (M,) averages of the same models, higher is better.
        """
        losses = np.asarray(model_losses, np.float64)
        marks = np.asarray(benchmark, np.float64)
        if losses.ndim != 2 or marks.shape != losses.shape[1:] or len(marks) < 2:
            raise UnmetNeed(
                name="PreSelect",
                value=(losses.shape, marks.shape),
                expected="losses (N, M) and benchmarks (M,) of at least two models",
                got=f"shapes {losses.shape} and {marks.shape}",
            )
        pairs = list(combinations(range(len(marks)), 2))
        agreed = np.zeros(len(losses))
        for a, b in pairs:
            agreed += (marks[a] - marks[b]) * (losses[:, b] - losses[:, a]) > 0
        return np.where(np.isfinite(losses).all(1), agreed / len(pairs), np.nan)
