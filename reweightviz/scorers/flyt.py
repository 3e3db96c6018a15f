"""FLYT: a small model learns to weigh documents so that a step on them helps the target.

Mikey Shechter and Yair Carmon, "Filter Like You Test: Data-Driven Data Filtering for CLIP
Pretraining", 2025, https://arxiv.org/abs/2503.08805. The steps were read in the authors' code.
Their counts of how often a document is then taken are in ``numerics/capped_counts.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.numerics.inner import inner
from reweightviz.numerics.look_ahead import softmax, through_softmax
from reweightviz.scorers._gradients import as_gradients, target_gradients

__all__ = ["FLYT", "MFLYT"]


@dataclass(frozen=True)
class FLYT:
    """The logit of a linear head on embeddings, trained by looking one step ahead.

    Each step draws a batch, weighs it by the softmax of the head's logits, and moves the head down
    the derivative of the target's loss after one step on the weighted batch. The model itself stays
    as it is, and so do the gradients of documents and target: the paper's default too. Its loss is
    contrastive, that of a language model a sum over documents: the derivative of a weight is then
    the product of the document's and the target's gradient. The inputs are standardised, and the
    head is trained by Adam.

    Args:
        steps: of training the head.
        rate: its learning rate.
        batch: documents a step; all of them where there are no more.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> embedding = rng.normal(size=(50, 3))
        >>> gradient = embedding @ rng.normal(size=(3, 8))
        >>> scores = FLYT(steps=100).score(
        ...     embedding=embedding, gradient=gradient, query_gradient=gradient[:1], rng=rng
        ... )
        >>> bool(np.corrcoef(scores, gradient @ gradient[0])[0, 1] > 0.8)
        True
    """

    steps: int = 5000
    rate: float = 1e-3
    batch: int = 4096

    higher_is_better: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2503.08805"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if not (self.steps >= 0 and self.rate > 0 and self.batch >= 1):
            raise UnmetNeed(
                name=type(self).__name__,
                value=(self.steps, self.rate, self.batch),
                expected="at least 0 steps, a rate above 0 and a batch of at least 1",
            )

    def score(
        self, *, embedding: ArrayLike, gradient: Any, query_gradient: Any, rng: np.random.Generator
    ) -> Array:
        """Return logits (N,).

        Args:
            embedding: (N, E) what the head sees of each document.
            gradient: (N, D) of the documents.
            query_gradient: (Q, D) of the target's documents.
            rng: draws the batches.
        """
        return _train_head(self, np.asarray(embedding, np.float64), gradient, query_gradient, rng)


@dataclass(frozen=True)
class MFLYT(FLYT):
    """M-FLYT: FLYT's head on the scores of other scorers, which it learns to mix.

    The ratings are standardised; a missing one counts as the mean.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> gradient = rng.normal(size=(50, 8))
        >>> ratings = np.stack([gradient @ gradient[0], rng.normal(size=50)], 1)
        >>> scores = MFLYT(steps=100).score(
        ...     ratings=ratings, gradient=gradient, query_gradient=gradient[:1], rng=rng
        ... )
        >>> bool(np.corrcoef(scores, ratings[:, 0])[0, 1] > 0.6)
        True
    """

    def score(  # type: ignore[override]
        self, *, ratings: ArrayLike, gradient: Any, query_gradient: Any, rng: np.random.Generator
    ) -> Array:
        """Return logits (N,).

        Args:
            ratings: (N, r) other scores of the documents.
            gradient: (N, D) of the documents.
            query_gradient: (Q, D) of the target's documents.
            rng: draws the batches.
        """
        return _train_head(self, np.asarray(ratings, np.float64), gradient, query_gradient, rng)


def _train_head(
    method: FLYT, inputs: Array, gradient: Any, query_gradient: Any, rng: np.random.Generator
) -> Array:
    who = type(method).__name__
    G = as_gradients(who, gradient)
    target, _ = target_gradients(who, query_gradient)
    if inputs.ndim != 2 or len(inputs) != len(G):
        raise UnmetNeed(
            name=who,
            value=inputs.shape,
            expected=f"a row of inputs for each of the {len(G)} documents",
            got=f"shape {inputs.shape}",
        )
    X = _standardise(inputs)
    # Where the model stays, a weight's derivative does too: the target's gradient is taken where
    # the model is, which after a small step differs to second order.
    by_weight = -inner(G, target.mean(0))
    usable = np.flatnonzero(np.isfinite(by_weight))
    head = np.zeros(X.shape[1])
    moments = [np.zeros_like(head), np.zeros_like(head)]
    for step in range(1, method.steps * bool(len(usable)) + 1):
        rows = usable
        if len(usable) > method.batch:
            rows = rng.choice(usable, method.batch, replace=False)
        by_logit = through_softmax(by_weight[rows], softmax(X[rows] @ head))
        head -= method.rate * _adam_step(X[rows].T @ by_logit, moments, step)
    scores = X @ head
    scores[~np.isfinite(by_weight)] = np.nan
    return scores


def _adam_step(gradient: Array, moments: list[Array], step: int) -> Array:
    """Return Adam's direction, and keep its moments."""
    moments[0] = 0.9 * moments[0] + 0.1 * gradient
    moments[1] = 0.999 * moments[1] + 0.001 * gradient**2
    mean = moments[0] / (1 - 0.9**step)
    square = moments[1] / (1 - 0.999**step)
    direction: Array = mean / (np.sqrt(square) + 1e-12)
    return direction


def _standardise(inputs: Array) -> Array:
    finite = np.where(np.isfinite(inputs), inputs, np.nan)
    known = np.isfinite(finite)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, finite, 0).sum(0) / count
    centred = np.where(known, finite - mean, 0)
    deviation = np.sqrt((centred**2).sum(0) / count)
    return centred / np.where(deviation == 0, 1, deviation)
