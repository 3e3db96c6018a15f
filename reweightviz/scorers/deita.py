"""DEITA: an instruction with its answer is worth more when it is complex and answered well.

Wei Liu et al., "What Makes Good Data for Alignment? A Comprehensive Study of Automatic Data
Selection in Instruction Tuning", ICLR 2024, https://arxiv.org/abs/2312.15685. The formula was read
in the authors' code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.numerics.expected_answer import expected_answer

__all__ = ["DEITA"]


RATINGS = np.arange(1, 7)


@dataclass(frozen=True)
class DEITA:
    """The mean rating from 1 to 6 by the scorer model's own probabilities; of two, their product.

    The paper's "evol score" multiplies that of complexity and that of quality, and adds up over the
    turns of a conversation: of turns, add up the scores of each. The authors' code gives 3 where a
    rating's token is missing; here that is an error.

    Example:
        >>> logits = [[0, 0, 0, 0, 0, 0], [-9, -9, -9, -9, -9, 0]]
        >>> DEITA().score(answer_log_probs=logits).round(2).tolist()
        [3.5, 6.0]
    """

    higher_is_better: ClassVar[bool] = True
    row_by_row: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2312.15685"
    verified: ClassVar[str] = "against the authors' code"

    def score(self, *, answer_log_probs: ArrayLike) -> Array:
        """Return scores (N,): from 1 to 6, of two ratings from 1 to 36.

        Args:
            answer_log_probs: (N, 6) of the tokens "1" to "6", or (N, 2, 6) of complexity and
                quality; logits do as well. NaN rows are documents that were not rated.
        """
        logits = np.asarray(answer_log_probs, np.float64)
        if logits.ndim == 2:
            logits = logits[:, None]
        if logits.ndim != 3 or logits.shape[2] != len(RATINGS):
            raise UnmetNeed(
                name="DEITA",
                value=logits.shape,
                expected="the log probability of each of the tokens '1' to '6', (N, 6) or (N, 2, "
                "6)",
                got=f"shape {np.shape(answer_log_probs)}",
            )
        rated = np.asarray(~np.isnan(logits).all((1, 2)))
        absent = ~np.isfinite(logits) & rated[:, None, None]
        if absent.any():
            token = int(RATINGS[np.flatnonzero(absent.any((0, 1)))[0]])
            raise UnmetNeed(
                name="DEITA",
                value=token,
                expected="the log probability of each of the tokens '1' to '6'",
                got=f"none of '{token}' in {int(absent.any((1, 2)).sum())} documents",
            )
        return np.asarray(expected_answer(logits, RATINGS).prod(1), np.float64)
