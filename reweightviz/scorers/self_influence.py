"""Self-influence: how much a step on a document lowers that document's own loss.

Garima Pruthi et al., "Estimating Training Data Influence by Tracing Gradient Descent", NeurIPS
2020, https://arxiv.org/abs/2002.08484, find outliers and wrong labels at its top. Megh Thakkar et
al., "Self-Influence Guided Data Reweighting for Language Model Pre-training", EMNLP 2023,
https://arxiv.org/abs/2311.00913, prefer a high one early in training and a low one late. Without
the square it is the GraNd score, Mansheej Paul et al., "Deep Learning on a Data Diet", NeurIPS
2021, https://arxiv.org/abs/2107.07075.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from reweightviz.core.types import Array
from reweightviz.numerics.inner import self_inner
from reweightviz.scorers._gradients import as_gradients

__all__ = ["SelfInfluence"]


@dataclass(frozen=True)
class SelfInfluence:
    """The squared length of the document's gradient: high for what is novel, or noise.

    The weights that PRESENCE makes of it over a batch are not done: their temperatures and the step
    of the switch are not known. Gradients of mean losses are shorter for longer documents.

    Example:
        >>> SelfInfluence().score(gradient=[[3, 4], [0, 0]]).tolist()
        [25.0, 0.0]
    """

    higher_is_better: ClassVar[bool] = True
    row_by_row: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2002.08484"
    verified: ClassVar[str] = "not verified against the paper"

    def score(self, *, gradient: Any) -> Array:
        """Return scores (N,) for gradients (N, D)."""
        return self_inner(as_gradients("SelfInfluence", gradient))
