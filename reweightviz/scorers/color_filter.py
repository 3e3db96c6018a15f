"""CoLoR-Filter: a document is worth more when fine-tuning on the target made it less of a surprise.

David Brandfonbrener et al., "CoLoR-Filter: Conditional Loss Reduction Filtering for Targeted
Language Model Pre-training", NeurIPS 2024, https://arxiv.org/abs/2406.10670. The same difference is
that of Robert C. Moore and William Lewis, "Intelligent Selection of Language Model Training Data",
ACL 2010.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import ArrayLike

from reweightviz.core.types import Array
from reweightviz.numerics.loss_gap import loss_gap

__all__ = ["CoLoR"]


@dataclass(frozen=True)
class CoLoR:
    """Loss under a prior model less loss under the prior fine-tuned on the target.

    ``rv.score(corpus, CoLoR(), loss="loss:prior", reference_loss="loss:conditional")``

    Example:
        >>> CoLoR().score(loss=[3.0, 2.0], reference_loss=[2.5, 2.2]).round(2).tolist()
        [0.5, -0.2]
    """

    higher_is_better: ClassVar[bool] = True
    row_by_row: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2406.10670"
    verified: ClassVar[str] = "not verified against the paper"

    def score(self, *, loss: ArrayLike, reference_loss: ArrayLike) -> Array:
        """Return scores (N,) in nats per token.

        Args:
            loss: (N,) under the prior.
            reference_loss: (N,) under the prior fine-tuned on documents of the target.
        """
        return loss_gap(
            "CoLoR",
            loss,
            reference_loss,
            under="under the prior",
            reference_under="under the prior fine-tuned on the target",
        )
