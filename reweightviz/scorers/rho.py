"""RHO-LOSS: a document is worth more when it is not yet learnt and can be.

Sören Mindermann et al., "Prioritized Training on Points that are Learnable, Worth Learning, and Not
Yet Learnt", ICML 2022, https://arxiv.org/abs/2206.07137.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import ArrayLike

from reweightviz.core.types import Array
from reweightviz.numerics.loss_gap import loss_gap

__all__ = ["RHO"]


@dataclass(frozen=True)
class RHO:
    """Reducible loss: that of the model in training less the irreducible one.

    The irreducible loss is that of a model trained on held-out data, which never saw the document.
    As a score of documents it is the learnability of JEST (https://arxiv.org/abs/2406.17711) and
    ACID (https://arxiv.org/abs/2411.18674) too, whose reference is a pretrained model; batches of
    pairs are drawn by ``numerics/joint_sampling.py``.

    Example:
        >>> RHO().score(loss=[3.0, 2.0], reference_loss=[1.0, 2.0]).tolist()
        [2.0, 0.0]
    """

    higher_is_better: ClassVar[bool] = True
    row_by_row: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2206.07137"
    verified: ClassVar[str] = "not verified against the paper"

    def score(self, *, loss: ArrayLike, reference_loss: ArrayLike) -> Array:
        """Return scores (N,) in nats per token.

        Args:
            loss: (N,) under the model in training.
            reference_loss: (N,) under the reference.
        """
        return loss_gap(
            "RHO",
            loss,
            reference_loss,
            under="under the model in training",
            reference_under="under a model trained on held-out data",
        )
