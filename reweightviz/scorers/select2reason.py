"""Select2Reason: an instruction is worth more when a language model calls it difficult.

Cehao Yang et al., "Select2Reason: Efficient Instruction-Tuning Data Selection for Long-CoT
Reasoning", 2025, https://arxiv.org/abs/2505.17266. The difficulty was read in the authors' code,
which asks Qwen2.5-1.5B-Instruct to "return 1 if difficult or 0 if not"; the joint rank with the
length of the answer is not in it, and not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from numpy.typing import ArrayLike

from reweightviz.core.types import Array
from reweightviz.numerics.expected_answer import expected_answer

__all__ = ["Select2Reason"]


@dataclass(frozen=True)
class Select2Reason:
    """The probability that the model's first token is "1", beside "0".

    The authors divide by the probabilities of the two likeliest tokens, whichever they are; here
    it is by those of "0" and "1".

    Example:
        >>> log_probs = [[-1.8, -0.2], [-0.1, float("-inf")]]
        >>> Select2Reason().score(answer_log_probs=log_probs).round(6).tolist()
        [0.832018, 0.0]
    """

    higher_is_better: ClassVar[bool] = True
    row_by_row: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2505.17266"
    verified: ClassVar[str] = "against the authors' code"

    def score(self, *, answer_log_probs: ArrayLike) -> Array:
        """Return probabilities (N,); NaN where neither answer was told.

        Args:
            answer_log_probs: (N, 2) of the tokens "0" and "1"; -inf for one that is not among the
                likeliest, which are all that a server tells.
        """
        return expected_answer(answer_log_probs, [0, 1])
