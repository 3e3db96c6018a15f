"""Weights to data: which documents would have moved a model's weights as they were moved.

John X. Morris et al., "Approximating Language Model Training Data from Weights", 2025,
https://arxiv.org/abs/2506.15553, pick documents greedily by the running sum of their gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.numerics.inner import inner, self_inner
from reweightviz.scorers._gradients import as_gradients, as_vector

__all__ = ["WeightsToData"]


@dataclass(frozen=True)
class WeightsToData:
    """The place at which a document is picked, 0 for the first and -1 for the second.

    Each pick brings the sum of the picked documents' negative gradients nearest to the direction
    of the weights' difference; no document is picked twice. Behind the picks the others stand by
    the same measure, as if each were the next. Unlike the best products alone, which are near
    duplicates, the picks complete each other. What step the paper gives each gradient is not known:
    here all have one.

    Args:
        picks: how many are picked one by one, each in the time of a pass over all gradients.

    Example:
        >>> gradient = [[-3, 0], [-3, 0], [0, -4], [1, 1]]
        >>> WeightsToData().score(gradient=gradient, weight_difference=[3, 4]).tolist()
        [-1.0, -3.0, 0.0, -2.0]
    """

    picks: int = 1000

    higher_is_better: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2506.15553"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if not self.picks >= 0:
            raise UnmetNeed(
                name="WeightsToData", value=self.picks, expected="a number of picks of at least 0"
            )

    def score(self, *, gradient: Any, weight_difference: Any) -> Array:
        """Return scores (N,), all different, 0 for the best.

        Args:
            gradient: (N, D) of the documents under the first model.
            weight_difference: (D,) the later weights less the first.
        """
        G = as_gradients("WeightsToData", gradient)
        way = as_vector("WeightsToData", weight_difference)
        order = _pick(G, way / np.linalg.norm(way), self.picks)
        scores = np.full(len(G), np.nan)
        scores[order] = 0.0 - np.arange(len(order))
        return scores


def _pick(G: NDArray[Any], way: Array, picks: int) -> NDArray[np.int64]:
    """Return rows in the order of picking, those without a gradient left out."""
    along = -inner(G, way)  # of each row, towards the goal
    squares = self_inner(G)
    left = np.isfinite(squares)
    crossed = np.zeros(len(G))  # product of each row with the sum so far
    reached = 0.0
    length = 0.0
    order: list[int] = []
    while True:
        totals = np.sqrt(np.maximum(length + 2 * crossed + squares, 0))
        cosine = np.where(totals > 0, (reached + along) / np.where(totals > 0, totals, 1), 0)
        cosine[~left] = -np.inf
        if len(order) == min(picks, int(np.isfinite(squares).sum())):
            break
        row = int(np.argmax(cosine))
        order.append(row)
        left[row] = False
        reached += along[row]
        length += 2 * crossed[row] + squares[row]
        crossed += inner(G, np.asarray(G[row], np.float64))
    behind = np.argsort(-cosine, kind="stable")[: int(left.sum())]
    return np.concatenate([np.array(order, np.int64), behind])
