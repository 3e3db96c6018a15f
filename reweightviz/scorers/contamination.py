"""Contamination: how much of a document stands in an evaluation set, by word n-grams.

N-gram overlap as, for example, Tom B. Brown et al., "Language Models are Few-Shot Learners",
NeurIPS 2020, https://arxiv.org/abs/2005.14165, appendix C, look for it, with 13 words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from reweightviz.core.types import Array
from reweightviz.numerics.ngrams import list_ngrams, split_words

__all__ = ["Contamination"]


@dataclass(frozen=True)
class Contamination:
    """Share of a document's distinct n-grams that stand in the target, the evaluation set.

    A document of fewer than n words has none, 0.

    Args:
        n: words.

    Example:
        >>> Contamination(n=3).score(
        ...     text=["the cat sat on the mat and slept"], target_text=["a cat sat on the mat"]
        ... ).tolist()
        [0.5]
    """

    n: int = 13

    higher_is_better: ClassVar[bool] = False
    row_by_row: ClassVar[bool] = True
    paper: ClassVar[str] = "https://arxiv.org/abs/2005.14165"
    verified: ClassVar[str] = "not verified against the paper"

    def score(self, *, text: Sequence[str], target_text: Sequence[str]) -> Array:
        """Return shares (N,) between 0 and 1; lower is better.

        Args:
            text: (N,) documents.
            target_text: (Q,) texts of the evaluation, questions and answers.
        """
        held = {gram for one in target_text for gram in list_ngrams(split_words(one), self.n)}
        out = np.zeros(len(text))
        for row, one in enumerate(text):
            grams = set(list_ngrams(split_words(one), self.n))
            if grams:
                out[row] = len(grams & held) / len(grams)
        return out
