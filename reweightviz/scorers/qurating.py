"""QuRating: a document is worth more when it would be preferred to others.

Alexander Wettig, Aatmik Gupta, Saumya Malik and Danqi Chen, "QuRating: Selecting High-Quality Data
for Training Language Models", ICML 2024, https://arxiv.org/abs/2402.09739. Theirs is a language
model with a scalar head, trained on comparisons that a larger one made; here the head is linear and
the embedding stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.numerics.logistic import fit_bradley_terry

__all__ = ["QuRating"]


@dataclass(frozen=True)
class QuRating:
    """The ability of a document by Bradley and Terry's model of comparisons.

    The difference of two scores is the log odds that the first is preferred. The score is a linear
    function of the embedding, so documents that nobody compared have one too. Each document's own
    ability, whatever it is like, is that for ``embedding=scipy.sparse.identity(N).tocsr()``.

    Args:
        penalty: of half the squared head beside the cross-entropy of all comparisons.

    Example:
        >>> pairs = np.array([[0, 1], [1, 2], [2, 3]])
        >>> scores = QuRating().score(embedding=np.arange(5.0)[:, None], comparisons=pairs)
        >>> bool((np.diff(scores) < 0).all())
        True
    """

    penalty: float = 1.0

    higher_is_better: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2402.09739"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if not self.penalty > 0:
            raise UnmetNeed(name="QuRating", value=self.penalty, expected="a penalty above 0")

    def score(
        self, *, embedding: Any, comparisons: ArrayLike, preference: ArrayLike | None = None
    ) -> Array:
        """Return log odds (N,), with mean 0.

        Args:
            embedding: (N, D), sparse or not; a row that is not finite has NaN, and its comparisons
                are left out.
            comparisons: (P, 2) rows of the two documents of each comparison.
            preference: (P,) how sure the first is the better one, between 0 and 1; 1 when not
                given.
        """
        shares = np.ones(len(np.asarray(comparisons)))
        if preference is not None:
            shares = np.asarray(preference, np.float64)
        head = fit_bradley_terry(comparisons, shares, embedding, self.penalty)
        ability = np.asarray(embedding @ head, np.float64)
        known = np.isfinite(ability)
        return np.where(known, ability - ability[known].mean(), np.nan)
