"""Uniform: the same weight for every domain, whatever its size; the baseline that is hard to beat.

Mayee F. Chen, Michael Y. Hu, Nicholas Lourie, Kyunghyun Cho and Christopher Ré, "Aioli: A Unified
Optimization Framework for Language Model Data Mixing", ICLR 2025,
https://arxiv.org/abs/2411.05735, where it is called stratified sampling and no earlier method
beats it on every data set.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import UnmetNeed
from reweightviz.mixers._fixed import Fixed, State

__all__ = ["Uniform"]


@dataclass(frozen=True)
class Uniform(Fixed):
    """Weight ``1 / K`` for each of K domains.

    Of ``prior`` only the length is used: a domain that holds nothing still gets its share, so look
    at the epochs before training on it.

    Example:
        >>> mixer = Uniform()
        >>> mixer.result(mixer.init(prior=[0.7, 0.2, 0.1, 0.0])).tolist()
        [0.25, 0.25, 0.25, 0.25]
    """

    paper: ClassVar[str] = "https://arxiv.org/abs/2411.05735"
    verified: ClassVar[str] = "not verified against the paper"

    def init(self, *, prior: ArrayLike) -> State:
        """Give each entry of ``prior`` (K,) the same weight."""
        count = np.size(prior)
        if not count:
            raise UnmetNeed(
                name="Uniform", value=None, expected="a prior with one entry a domain", got="none"
            )
        return State(np.full(count, 1 / count))
