"""Mimic: a document is worth more when a step on it moves the weights towards a reference model's.

Tzu-Heng Huang et al., "Evaluating Sample Utility for Data Selection by Mimicking Model Weights",
2025, https://arxiv.org/abs/2501.06708. The formula is from a summary of the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from reweightviz.core.types import Array
from reweightviz.numerics.inner import inner
from reweightviz.scorers._gradients import as_gradients, as_vector

__all__ = ["Mimic"]


@dataclass(frozen=True)
class Mimic:
    """The length of the negative gradient along the way to the reference's weights.

    The difference of the weights must have been projected as the gradients were:
    :func:`reweightviz.weight_difference` does.

    Example:
        >>> gradient = [[1, 0], [0, 1], [-1, 0]]
        >>> Mimic().score(gradient=gradient, weight_difference=[3, 4]).round(3).tolist()
        [-0.6, -0.8, 0.6]
    """

    higher_is_better: ClassVar[bool] = True
    row_by_row: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2501.06708"
    verified: ClassVar[str] = "not verified against the paper"

    def score(self, *, gradient: Any, weight_difference: Any) -> Array:
        """Return scores (N,) in units of the gradient.

        Args:
            gradient: (N, D) of the documents under the model.
            weight_difference: (D,) the reference's weights less the model's.
        """
        way = as_vector("Mimic", weight_difference)
        return -inner(as_gradients("Mimic", gradient), way / np.linalg.norm(way))
