"""Top-k: the documents with the highest scores.

The rule with which, for example, Guillaume Wenzek et al., "CCNet: Extracting High Quality
Monolingual Datasets from Web Crawl Data", LREC 2020, https://arxiv.org/abs/1911.00359, keep the
head of a ranking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Rows
from reweightviz.core.validation import whole_number

__all__ = ["TopK"]


@dataclass(frozen=True)
class TopK:
    """Exactly k documents, best first.

    Equal scores are in row order, scores that are not finite after all others.

    Example:
        >>> TopK().select(score=[0.2, float("nan"), 0.9, 0.2], k=3).tolist()
        [2, 0, 3]
    """

    paper: ClassVar[str] = "https://arxiv.org/abs/1911.00359"
    verified: ClassVar[str] = "not verified against the paper"

    def select(self, *, score: ArrayLike, k: int) -> Rows:
        """Return the rows (k,) of the best scores (N,), where higher is better.

        Raises:
            ReweightvizError: k is no whole number between 0 and N.
        """
        values = np.asarray(score, np.float64)
        if values.ndim != 1:
            raise UnmetNeed(
                name="TopK",
                value=values.shape,
                expected="one score a document, shape (N,)",
                got=f"shape {values.shape}",
            )
        count = whole_number("k", k, most=values.size)
        falling = np.where(np.isfinite(values), -values, np.inf)
        return np.argsort(falling, kind="stable")[:count].astype(np.int64)
