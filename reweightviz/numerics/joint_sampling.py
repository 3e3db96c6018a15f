"""Batches drawn in chunks, each by how much it teaches beside those before it: JEST for pairs.

Talfan Evans et al., "Data Curation via Joint Example Selection Further Accelerates Multimodal
Learning", NeurIPS 2024, https://arxiv.org/abs/2406.17711. The authors' code is not public, and the
formula is not verified against the paper: a public port of other authors divides the logits by
2n + 1, with n examples chosen, and draws the first chunk uniformly. Neither is done here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidValue
from reweightviz.core.types import Array, Rows
from reweightviz.core.validation import whole_number

__all__ = ["conditional_logits", "sample_in_chunks"]


def conditional_logits(learnability: ArrayLike, chosen: ArrayLike = ()) -> Array:
    """Return the logits (B,) of examples beside those chosen: ``s_ii + sum_k (s_ik + s_ki)``.

    Where the losses are sums over examples, ``s_ik = loss_i - reference_k``, the order is that of
    the diagonal whatever was chosen, but the logits grow by n + 1: documents of a language model
    have no pairs, and are drawn by the diagonal alone.

    Args:
        learnability: (B, B) loss under the learner less that under the reference model, of example
            i's one part (an image) beside k's other (a text).
        chosen: rows that are in the batch already.

    Example:
        >>> pairs = [[1, 0.25, -0.5], [0.25, 0.5, 0.5], [0.25, 0.5, 0.75]]
        >>> conditional_logits(pairs, [0]).tolist()
        [3.0, 1.0, 0.5]
    """
    s = np.asarray(learnability, np.float64)
    if s.ndim != 2 or s.shape[0] != s.shape[1] or not np.isfinite(s).all():
        raise InvalidValue(
            name="learnability",
            value=s.shape,
            expected="(B, B) finite numbers, a row and a column an example",
        )
    rows = np.asarray(chosen, np.int64)
    return np.asarray(np.diag(s) + s[:, rows].sum(1) + s[rows].sum(0), np.float64)


def sample_in_chunks(
    learnability: ArrayLike, k: int, *, chunks: int = 16, rng: np.random.Generator
) -> Rows:
    """Return ``k`` different rows in the order they were drawn.

    Each chunk is drawn without replacement by the softmax of the logits beside the chunks before.

    Args:
        learnability: (B, B) as in :func:`conditional_logits`.
        k: how many of the B are kept; the paper keeps a fifth.
        chunks: in which they are drawn.
        rng: draws them.
    """
    s = np.asarray(learnability, np.float64)
    k = whole_number("k", k, 0, len(s))
    chunks = whole_number("chunks", chunks, 1)
    chosen = np.empty(0, np.int64)
    for chunk in np.array_split(np.arange(k), chunks):
        # The highest of logits with Gumbel noise are a draw by their softmax, without replacement.
        keys = conditional_logits(s, chosen) + rng.gumbel(size=len(s))
        keys[chosen] = -np.inf
        best = np.argsort(-keys, kind="stable")[: len(chunk)]
        chosen = np.concatenate([chosen, best])
    return chosen
