"""Repetition: any law, with the weights of the tokens that repeated data is worth.

Niklas Muennighoff, Alexander M. Rush, Boaz Barak, Teven Le Scao, Aleksandra Piktus, Nouamane Tazi,
Sampo Pyysalo, Thomas Wolf and Colin Raffel, "Scaling Data-Constrained Language Models", NeurIPS
2023, https://arxiv.org/abs/2305.16264. Followed: equation 5 and its constant R*_D, checked against
the numbers of the authors' public code. Ours: applied to each domain by itself, and what then
becomes of the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidArgument, UnmetNeed
from reweightviz.core.protocols import LawSpec, needs
from reweightviz.laws._inputs import check_given
from reweightviz.laws._repeated_law import RepeatedLaw, weigh_effective
from reweightviz.laws._runs import check_runs
from reweightviz.laws.olmix import Olmix
from reweightviz.numerics.effective_data import DATA_DECAY

__all__ = ["LEAST_WASTED", "WASTED", "Repeated"]


LEAST_WASTED = 0.01
"""Runs that waste no larger share of their tokens than this do not show what wasting them costs."""
WASTED = "(repeated)"
"""The domain that holds the wasted share."""


@dataclass(frozen=True)
class Repeated:
    """Fit a law to effective weights: repeated tokens count only what they are worth.

    A token is repeated beyond the ``available`` ones of its domain. A law that takes run_tokens is
    given the number of effective tokens, and their shares. Any other gets one domain more, the
    share of the tokens that repetition wasted, if the runs waste enough to learn from; if not, it
    is fitted to the shares alone, and nothing of what fewer effective tokens cost.

    Args:
        law: settings of the law over the effective weights.
        decay: R*, repetitions after which what a further one adds has fallen to 1/e.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> mixtures = rng.dirichlet([1, 1], 40)
        >>> losses = 2 + np.exp(mixtures @ [[-1.0], [-0.5]])
        >>> law = Repeated().fit(
        ...     domains=("web", "code"), targets=("loss",), mixtures=mixtures, losses=losses,
        ...     available=[1e12, 1e10], run_tokens=np.full(40, 1e9),
        ... )
        >>> [round(law.predict([0.2, 0.8], run_tokens=tokens).item(), 2) for tokens in (1e9, 1e12)]
        [2.55, 2.46]
    """

    law: Any = field(default_factory=Olmix)
    decay: float = DATA_DECAY

    paper: ClassVar[str] = "https://arxiv.org/abs/2305.16264"
    verified: ClassVar[str] = "equation 5"

    def __post_init__(self) -> None:
        if not isinstance(self.law, LawSpec) or isinstance(self.law, type | Repeated):
            raise InvalidArgument(
                name="Repeated",
                value=self.law,
                expected="a law's settings, such as Repeated(Olmix())",
            )
        if not self.decay > 0:
            raise UnmetNeed(
                name="Repeated", value=self.decay, expected="a decay above 0, in repetitions"
            )

    def fit(
        self,
        *,
        domains: Sequence[str],
        targets: Sequence[str],
        mixtures: ArrayLike,
        losses: ArrayLike,
        run_tokens: ArrayLike,
        available: ArrayLike,
        lower_is_better: ArrayLike | None = None,
        size: ArrayLike | None = None,
    ) -> RepeatedLaw:
        """Fit the law to effective weights.

        Args:
            domains: names (K,).
            targets: names (M,).
            mixtures: (R, K) weights of the runs, as read.
            losses: (R, M).
            run_tokens: (R,) training tokens of the runs or checkpoints.
            available: (K,) or (R, K) tokens that there were of each domain.
            lower_is_better: (M,); all true when not given.
            size: (R,) model parameters of the runs, for a law that takes them.

        Raises:
            ReweightvizError: what the law itself refuses, or tokens that are not above 0.
        """
        names = tuple(domains)
        who = f"Repeated({type(self.law).__name__})"
        runs = check_runs(
            who,
            names,
            targets,
            mixtures,
            losses,
            needed=2,
            positive=False,
            spanning=False,
            parametric=False,
        )
        shape = runs.mixtures.shape
        tokens = check_given(who, "run_tokens", run_tokens, shape)
        amounts = check_given(who, "available", available, shape)
        effective = weigh_effective(runs.mixtures, tokens, amounts, self.decay)
        one_length = len(np.unique(tokens)) == 1
        wanted = needs(self.law.fit)
        over_tokens = "run_tokens" in wanted and not one_length
        signals = {"lower_is_better": lower_is_better}
        if size is not None:
            signals["size"] = size
        if over_tokens:
            signals["run_tokens"] = effective.tokens
        # A law over tokens learns what the wasted ones cost from how few are left.
        wasteful = not over_tokens and float(effective.wasted.max()) > LEAST_WASTED
        law = self.law.fit(
            domains=(*names, WASTED) if wasteful else names,
            targets=targets,
            losses=runs.losses,
            mixtures=effective.mixtures(wasteful),
            **{name: value for name, value in signals.items() if name in wanted},
        )
        # What all runs share need not be given again.
        held = {}
        if one_length:
            held["run_tokens"] = tokens[0]
        if (amounts == amounts[0]).all():
            held["available"] = amounts[0]
        return RepeatedLaw(law, names, self.decay, wasteful, held=held)
