"""RDS+: a document is worth more when its representation is close to one of the target's.

Hamish Ivison et al., "Large-Scale Data Selection for Instruction Tuning", 2025,
https://arxiv.org/abs/2503.01807.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import ArrayLike

from reweightviz.core.types import Array
from reweightviz.numerics.similar import greatest_cosines

__all__ = ["RDS"]


@dataclass(frozen=True)
class RDS:
    """The greatest cosine with a document of the target; with tasks, the greatest over them.

    It takes any embedding; the paper's is the last hidden state of the language model that will be
    trained, averaged with weights that grow with the position. The authors select round robin over
    the target's documents, which a score cannot say.

    Example:
        >>> embedding = [[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]
        >>> target = [[3.0, 0.0], [3.0, 3.0]]
        >>> RDS().score(embedding=embedding, query_embedding=target).round(4).tolist()
        [1.0, 0.7071, 0.0]
    """

    higher_is_better: ClassVar[bool] = True
    row_by_row: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2503.01807"
    verified: ClassVar[str] = "not verified against the paper"

    def score(
        self, *, embedding: Any, query_embedding: Any, query_group: ArrayLike | None = None
    ) -> Array:
        """Return scores (N,) between -1 and 1.

        Args:
            embedding: (N, D) of the documents.
            query_embedding: (Q, D) of the target's documents, made alike.
            query_group: (Q,) the task of each of them.
        """
        found: Array = greatest_cosines("RDS", embedding, query_embedding, query_group).max(1)
        return found
