"""Infra: the influence of a document, or of all that share its attribute, on reasoning.

Siqi Kou et al., "Which Data Attributes Stimulate Math and Code Reasoning? An Investigation via
Influence Functions", 2025, https://arxiv.org/abs/2505.19949. The paper's inverse of the Hessian is
EK-FAC, of the perceptrons' weights alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.numerics.inner import Inverse, inner
from reweightviz.scorers._gradients import as_gradients, target_gradients

__all__ = ["Infra"]


@dataclass(frozen=True)
class Infra:
    """How much a document raises the mean log likelihood of the target's right answers.

    The target is the documents that the model solved right. By domain, every document has the mean
    of its domain, documents without a gradient left out. The inverse stands where the paper has
    EK-FAC: see :func:`reweightviz.numerics.inner.damped_inverse`.

    Args:
        by: "document", or "domain" for the mean over each domain.
        inverse: "none", "datainf" or "exact".
        damping: of the inverse, a share of the mean square of the gradients.

    Example:
        >>> gradient = [[1, 0], [3, 0], [0, 1]]
        >>> Infra(by="domain").score(
        ...     gradient=gradient, query_gradient=[[2, 1]], domain=["math", "math", "code"]
        ... ).tolist()
        [4.0, 4.0, 1.0]
    """

    by: Literal["document", "domain"] = "document"
    inverse: Inverse = "none"
    damping: float = 0.1

    higher_is_better: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2505.19949"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if self.by not in {"document", "domain"}:
            raise UnmetNeed(name="Infra", value=self.by, expected="by to be 'document' or 'domain'")

    @property
    def row_by_row(self) -> bool:
        """Whether a document's score depends on no other document."""
        return self.by == "document" and self.inverse == "none"

    def score(
        self, *, gradient: Any, query_gradient: Any, domain: ArrayLike | None = None
    ) -> Array:
        """Return scores (N,).

        Args:
            gradient: (N, D) of the documents.
            query_gradient: (Q, D) of the target's documents.
            domain: (N,) the attribute by which documents are taken together.
        """
        G = as_gradients("Infra", gradient)
        target, _ = target_gradients("Infra", query_gradient)
        scores = inner(G, target.mean(0), inverse=self.inverse, damping=self.damping)
        if self.by == "document":
            return scores
        if domain is None:
            raise UnmetNeed(
                name="Infra by domain", value=None, expected="the domain of each document"
            )
        _, index = np.unique(np.asarray(domain), return_inverse=True)
        fine = np.isfinite(scores)
        sums = np.bincount(index[fine], scores[fine], minlength=index.max() + 1)
        with np.errstate(invalid="ignore"):
            means: Array = sums / np.bincount(index[fine], minlength=len(sums))
        return means[index]
