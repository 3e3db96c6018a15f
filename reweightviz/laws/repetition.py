"""Repetition: any law, with the weights of the tokens that repeated data is worth.

Niklas Muennighoff, Alexander M. Rush, Boaz Barak, Teven Le Scao, Aleksandra Piktus, Nouamane Tazi,
Sampo Pyysalo, Thomas Wolf and Colin Raffel, "Scaling Data-Constrained Language Models", NeurIPS
2023, https://arxiv.org/abs/2305.16264. Followed: equation 5 and its constant R*_D, checked against
the numbers of the authors' public code. Ours: applied to each domain by itself, and what then
becomes of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    ReweightvizError,
    UnmetNeed,
    listed,
)
from reweightviz.core.protocols import BrowserForm, LawSpec, needs
from reweightviz.core.types import Array
from reweightviz.laws._mixtures import asked_mixtures
from reweightviz.laws._runs import checked_given, checked_runs
from reweightviz.laws.olmix import Olmix
from reweightviz.numerics.effective_data import DATA_DECAY, effective_tokens

LEAST_LOST = 0.01
"""Runs that lose no larger share of their tokens than this cannot say what losing them costs."""
LOST = "(repeated)"


@dataclass(frozen=True)
class Repeated:
    """A law over effective weights: of a domain's tokens only what they are worth beyond its ``available`` ones counts.

    A law that takes run_tokens is told how many effective tokens there were, and their shares. Any
    other gets one domain more, the share of the tokens that repetition wasted, if the runs waste
    enough to learn from; if not, it knows the shares alone, and nothing of what fewer effective
    tokens cost.

    Args:
        law: the law that the effective weights are handed to.
        decay: R*, repetitions after which what a further one adds has fallen to 1/e.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> mixtures = rng.dirichlet([1, 1], 40)
        >>> losses = 2 + np.exp(mixtures @ [[-1.0], [-0.5]])
        >>> law = Repeated().fit(domains=("web", "code"), targets=("loss",), mixtures=mixtures, losses=losses,
        ...                      available=[1e12, 1e10], run_tokens=np.full(40, 1e9))
        >>> rare, repeated = (law.predict([0.2, 0.8], run_tokens=tokens).item() for tokens in (1e9, 1e12))
        >>> round(rare, 2), round(repeated, 2)
        (2.55, 2.46)
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
        w, y = checked_runs(
            who,
            names,
            tuple(targets),
            mixtures,
            losses,
            needed=2,
            positive=False,
            spanning=False,
            parametric=False,
        )
        tokens = checked_given(who, "run_tokens", run_tokens, len(w))
        amounts = checked_given(who, "available", available, len(w), len(names))
        shares, lost, worth = _effective(w, tokens, amounts, self.decay)
        wanted = needs(self.law.fit)
        extra: dict[str, Any] = (
            {"lower_is_better": lower_is_better} if "lower_is_better" in wanted else {}
        )
        counted = "run_tokens" in wanted and len(np.unique(tokens)) > 1
        wasteful = not counted and float(lost.max()) > LEAST_LOST
        inputs = {"run_tokens": worth if counted else None, "size": size}
        extra |= {
            name: value for name, value in inputs.items() if name in wanted and value is not None
        }
        fitted = self.law.fit(
            domains=(*names, LOST) if wasteful else names,
            targets=targets,
            losses=y,
            mixtures=_laid_out(shares, lost, wasteful),
            **extra,
        )
        held = {"run_tokens": tokens[0]} if len(np.unique(tokens)) == 1 else {}
        held |= {"available": amounts[0]} if (amounts == amounts[0]).all() else {}
        return RepeatedLaw(
            fitted,
            names,
            self.decay,
            wasteful,
            {name: np.asarray(value) for name, value in held.items()},
        )


@dataclass(frozen=True, eq=False)
class RepeatedLaw:
    """What :class:`Repeated` fits: a law over effective weights, and how the weights become those.

    Args:
        law: over the effective weights.
        domains: names (K,).
        decay: R*, in repetitions.
        wasteful: whether the law has the wasted share as a domain more.
        held: run_tokens () and available (K,) where a prediction is not told.
    """

    law: Any
    domains: tuple[str, ...]
    decay: float
    wasteful: bool
    held: Mapping[str, Array] = field(default_factory=dict)

    kind: ClassVar[str] = "repeated"
    takes_itself: ClassVar[tuple[str, ...]] = ("run_tokens", "available")

    def __repr__(self) -> str:
        return f"RepeatedLaw({self.law!r})"

    @property
    def targets(self) -> tuple[str, ...]:
        """Names (M,)."""
        return tuple(self.law.targets)

    @property
    def lower_is_better(self) -> NDArray[np.bool_]:
        """Whether lower is better for each target, (M,)."""
        return np.asarray(self.law.lower_is_better, bool)

    @property
    def diagnostics(self) -> Mapping[str, Sequence[Any]]:
        """What the fit says of itself: a list of M values a name."""
        return dict(self.law.diagnostics)

    @property
    def takes(self) -> tuple[str, ...]:
        """What :meth:`predict` may be told beside the weights."""
        inner = getattr(self.law, "takes", getattr(self.law, "given", ()))
        return (*self.takes_itself, *(name for name in inner if name not in self.takes_itself))

    @property
    def given(self) -> tuple[str, ...]:
        """What :meth:`predict` must be told beside the weights."""
        inner = getattr(self.law, "given", ())
        return tuple(
            name
            for name in self.takes
            if name not in self.held and (name in self.takes_itself or name in inner)
        )

    def predict(self, weights: ArrayLike, **given: ArrayLike) -> Array:
        """Losses (n, M) under mixtures (n, K)."""
        shares, inner = self._effective(weights, given)
        return np.asarray(self.law.predict(shares, **inner), np.float64)

    def samples(self, weights: ArrayLike, **given: ArrayLike) -> Array:
        """Losses (B, n, M) that a new run at each of the mixtures (n, K) might reach."""
        shares, inner = self._effective(weights, given)
        return np.asarray(self.law.samples(shares, **inner), np.float64)

    def interval(
        self, weights: ArrayLike, level: float = 0.9, **given: ArrayLike
    ) -> tuple[Array, Array]:
        """Low and high (n, M): where a new run lands with probability ``level``."""
        shares, inner = self._effective(weights, given)
        low, high = self.law.interval(shares, level, **inner)
        return low, high

    def at(self, **given: ArrayLike) -> RepeatedLaw:
        """The same law with run_tokens or available fixed, so that it need not be told them."""
        unknown = [name for name in given if name not in self.takes_itself]
        if unknown:
            raise ReweightvizError(
                f"the law can hold {listed(self.takes_itself)}; got {listed(given)}."
            )
        held = {name: self._checked(name, value, 1)[0] for name, value in given.items()}
        return RepeatedLaw(self.law, self.domains, self.decay, self.wasteful, {**self.held, **held})

    def browser_form(self) -> BrowserForm | None:
        """None: a browser asks the kernel for this law."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {
            "kind": self.kind,
            "domains": list(self.domains),
            "decay": self.decay,
            "wasteful": self.wasteful,
            "held": {name: np.asarray(value).tolist() for name, value in self.held.items()},
            "law": {
                "class": f"{type(self.law).__module__}:{type(self.law).__qualname__}",
                "record": self.law.to_dict(),
            },
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> RepeatedLaw:
        """What :meth:`to_dict` gave."""
        if record.get("kind") != cls.kind:
            raise InvalidValue(
                name="the kind of the law", value=record.get("kind"), expected=repr(cls.kind)
            )
        try:
            module, _, name = record["law"]["class"].partition(":")
            if not module.startswith("reweightviz.laws."):
                raise ReweightvizError(
                    f"a law is read only if it is one of reweightviz.laws; this is of {module!r}."
                )
            inner = getattr(import_module(module), name).from_dict(record["law"]["record"])
            return cls(
                inner,
                tuple(record["domains"]),
                float(record["decay"]),
                bool(record["wasteful"]),
                {name: np.array(value, np.float64) for name, value in record["held"].items()},
            )
        except (AttributeError, ImportError, KeyError, TypeError) as error:
            raise ReweightvizError(
                f"the record of the law is incomplete or damaged: {error}."
            ) from error

    def _checked(self, name: str, value: ArrayLike, count: int) -> Array:
        return checked_given(
            "the law", name, value, count, len(self.domains) if name == "available" else None
        )

    def _effective(
        self, weights: ArrayLike, given: Mapping[str, ArrayLike]
    ) -> tuple[Array, dict[str, Any]]:
        mixtures = asked_mixtures(weights, self.domains)
        if any(name not in given for name in self.given) or any(
            name not in self.takes for name in given
        ):
            raise InvalidArgument(
                name="the law",
                value=given,
                expected=f"{listed(self.takes)} beside the weights",
                got=listed(given) or "none",
            )
        told = {
            name: self._checked(name, {**self.held, **given}[name], len(mixtures))
            for name in self.takes_itself
        }
        shares, lost, worth = _effective(
            mixtures, told["run_tokens"], told["available"], self.decay
        )
        inner: dict[str, Any] = {
            name: value for name, value in given.items() if name not in self.takes_itself
        }
        if "run_tokens" in getattr(self.law, "takes", getattr(self.law, "given", ())):
            inner["run_tokens"] = worth
        return _laid_out(shares, lost, self.wasteful), inner


def _effective(
    weights: Array, tokens: Array, available: Array, decay: float
) -> tuple[Array, Array, Array]:
    """Shares (n, K) of the effective tokens, the share (n,) of all tokens that was wasted, and the effective tokens (n,)."""
    worth = effective_tokens(weights * tokens[:, None], available, decay)
    total, whole = worth.sum(1), weights.sum(1)
    return worth * (whole / total)[:, None], np.maximum(1 - total / (tokens * whole), 0.0), total


def _laid_out(shares: Array, lost: Array, wasteful: bool) -> Array:
    return np.column_stack([shares * (1 - lost)[:, None], lost]) if wasteful else shares
