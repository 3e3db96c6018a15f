"""IFD: an instruction is worth more when it helps little with its answer.

Ming Li et al., "From Quantity to Quality: Boosting LLM Performance with Self-Guided Data Selection
for Instruction Tuning", NAACL 2024, https://arxiv.org/abs/2308.12032.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.types import Array
from reweightviz.numerics.loss_gap import loss_gap

__all__ = ["IFD"]


@dataclass(frozen=True)
class IFD:
    """Perplexity of the answer after its instruction over that of the answer alone.

    Above 1 the instruction makes the answer harder, which is a sign that the two do not belong
    together: those have NaN, as the authors leave them out. Public code gives 0 where it fails, so
    failed rows pass such a filter; here they have NaN, too.

    Args:
        keep_misaligned: whether ratios of 1 and more keep their value.

    Example:
        >>> IFD().score(loss=[1.0, 2.0], reference_loss=[1.5, 1.0]).round(4).tolist()
        [0.6065, nan]
    """

    keep_misaligned: bool = False

    higher_is_better: ClassVar[bool] = True
    row_by_row: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2308.12032"
    verified: ClassVar[str] = "not verified against the paper"

    def score(self, *, loss: ArrayLike, reference_loss: ArrayLike) -> Array:
        """Return ratios (N,).

        Args:
            loss: (N,) nats per token of the answer, given its instruction.
            reference_loss: (N,) nats per token of the answer alone.
        """
        gap = loss_gap(
            "IFD",
            loss,
            reference_loss,
            under="of the answer, given its instruction,",
            reference_under="of the answer alone",
        )
        ratio = np.exp(gap)
        if self.keep_misaligned:
            return ratio
        return np.where(ratio < 1, ratio, np.nan)
