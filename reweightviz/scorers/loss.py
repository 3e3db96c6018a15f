"""Loss: a document is worth more when a language model finds it likely.

Guillaume Wenzek et al., "CCNet: Extracting High Quality Monolingual Datasets from Web Crawl Data",
LREC 2020, https://arxiv.org/abs/1911.00359, ranks web documents by the perplexity of a model
trained on Wikipedia and keeps the lowest. Max Marion et al., "When Less is More: Investigating Data
Pruning for Pretraining LLMs at Scale", 2023, https://arxiv.org/abs/2309.04564, find the middle of
the ranking better for another model: look at both ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array

__all__ = ["Loss"]


@dataclass(frozen=True)
class Loss:
    """The document's mean loss per token, as it is; lower is better.

    The logarithm of the perplexity, so the ranking is that of CCNet. ``higher_is_better`` is
    False: ``score`` returns nats, and :func:`reweightviz.score` stores them negated, so that in
    every score column higher is better.

    Example:
        >>> Loss().score(loss=[2.5, float("inf"), 3.0]).tolist()
        [2.5, nan, 3.0]
    """

    higher_is_better: ClassVar[bool] = False
    row_by_row: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/1911.00359"
    verified: ClassVar[str] = "not verified against the paper"

    def score(self, *, loss: ArrayLike) -> Array:
        """Return scores (N,) in nats per token.

        A loss (N,) that is not finite, that of a document without tokens, scores NaN.
        """
        values = np.asarray(loss, np.float64)
        if values.ndim != 1:
            raise UnmetNeed(
                name="Loss",
                value=values.shape,
                expected="one loss a document, shape (N,)",
                got=f"shape {values.shape}",
            )
        return np.where(np.isfinite(values), values, np.nan)
