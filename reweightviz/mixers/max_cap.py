"""Max-cap: proportional to the examples, up to a limit on every domain.

Colin Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text
Transformer" (T5), JMLR 2020, https://arxiv.org/abs/1910.10683, examples-proportional and
temperature-scaled mixing; Srinivasan Iyer et al., "OPT-IML: Scaling Language Model Instruction Meta
Learning through the Lens of Generalization", 2022, https://arxiv.org/abs/2212.12017, where the
limit is called EPS. Followed: T5's public code (seqio), which limits first and takes the
temperature then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import ReweightvizError, UnmetNeed
from reweightviz.core.temperature import temperature_weights
from reweightviz.mixers._amounts import check_amounts
from reweightviz.mixers._fixed import Fixed, State
from reweightviz.mixers._hyperparameters import check_fields

__all__ = ["MaxCap"]


@dataclass(frozen=True)
class MaxCap(Fixed):
    """Examples drawn in proportion to ``min(documents, cap) ** (1 / temperature)``.

    The papers count examples, a weight here is a share of tokens. So with ``tokens`` the rate of a
    domain is multiplied by the tokens of its mean document; without them the shares of examples
    are returned as they are, which is right where the documents of all domains are of one length.
    A domain without documents or tokens gets 0.

    Args:
        cap: K, the most documents that count of one domain; T5 uses 2**21 with a temperature, FLAN
            3000.
        temperature: T, 1 for none.

    Example:
        >>> mixer = MaxCap(cap=50)
        >>> mixer.result(mixer.init(documents=[1000, 100, 10, 1])).round(6).tolist()
        [0.45045, 0.45045, 0.09009, 0.009009]
        >>> mixer.result(mixer.init(documents=[1000, 100], tokens=[3000, 100])).tolist()
        [0.75, 0.25]
    """

    cap: float = 2**21
    temperature: float = 1.0

    paper: ClassVar[str] = "https://arxiv.org/abs/1910.10683"
    verified: ClassVar[str] = "against the authors' public code"

    def __post_init__(self) -> None:
        check_fields(self, "cap", "temperature")
        if not (self.cap > 0 and self.temperature > 0):
            raise UnmetNeed(
                name="MaxCap",
                value=(self.cap, self.temperature),
                expected="a cap, in documents, and a temperature above 0",
                got=f"{self.cap} and {self.temperature}",
            )

    def init(self, *, documents: ArrayLike, tokens: ArrayLike | None = None) -> State:
        """Find the weights for the documents of each domain.

        Args:
            documents: (K,) in each domain.
            tokens: (K,) in those documents, for shares of tokens.
        """
        counts = check_amounts(documents, "documents")
        # Limit first, temperature then, as seqio does; the other order gives other rates.
        rates = temperature_weights(np.minimum(counts, self.cap), 1 / self.temperature)
        if tokens is None:
            return State(rates)
        available = check_amounts(tokens, "tokens", counts.size)
        uncounted = np.flatnonzero((counts == 0) & (available > 0))
        if uncounted.size:
            raise ReweightvizError(
                f"MaxCap got tokens without documents in domain {uncounted[0]}: "
                "count its documents, or give it no tokens."
            )
        length = np.divide(available, counts, out=np.zeros_like(counts), where=counts > 0)
        # Lengths are divided by the longest, so that large counts cannot overflow.
        return State(temperature_weights(rates * length / length.max(), 1.0))
