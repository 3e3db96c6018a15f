"""Protocols of the methods, and their needs as their signatures name them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidArgument, MissingSignal, UnknownName
from reweightviz.core.runlog import RunLog
from reweightviz.core.types import Array

__all__ = [
    "BrowserForm",
    "Columns",
    "ConvexLaw",
    "ExponentialLaw",
    "FollowedRun",
    "Law",
    "LawSpec",
    "Mixer",
    "Sampled",
    "Scorer",
    "Selector",
    "check_method",
    "check_options",
    "needs",
    "supply",
]


@runtime_checkable
class Mixer(Protocol):
    """Weights of the domains; ``init`` and ``update`` name their needs as keyword-only parameters.

    ``weights(state)`` is what to train with now, (K,); ``result(state)`` the method's answer,
    (K,). A static mixer has no ``update``; one whose answer changes by the step has
    ``stages(state)``, first step to weights (K,). By ``applies_to`` a trainer draws by
    the weights ("sampling") or scales the loss by them ("loss"). An ``update`` that names
    costly signals (``core.types.COSTLY_SIGNALS``) needs ``measures(state)``, the names that are to
    be measured right after the coming training step; where it does not name them, ``update`` gets
    NaN (K,). One that names ``penalty_gap`` has a field ``alpha``, by which the trainer weighs the
    training loss.
    """

    applies_to: str

    def init(self, **signals: Array) -> Any: ...
    def weights(self, state: Any) -> Array: ...
    def result(self, state: Any) -> Array: ...


@runtime_checkable
class Law(Protocol):
    """Losses of mixtures; ``predict`` takes (n, K) weights in the order of ``domains``."""

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]

    def predict(self, weights: Array) -> Array: ...
    def interval(self, weights: Array, level: float = 0.9) -> tuple[Array, Array]: ...
    def browser_form(self) -> BrowserForm | None: ...


@runtime_checkable
class Sampled(Protocol):
    """A law that draws losses (B, n, M) that new runs at the mixtures (n, K) might reach.

    A draw has one refit and the noise of one run for all its mixtures and targets, the same
    whenever it is drawn, so differences between mixtures or targets keep their correlation. B is 0
    for a law without draws.
    """

    def samples(self, weights: ArrayLike) -> Array: ...


@runtime_checkable
class ConvexLaw(Law, Sampled, Protocol):
    """A law whose best mixture (K,) a convex program finds, within (K,) bounds."""

    def minimise(
        self,
        importance: ArrayLike | None = None,
        *,
        kl: float = ...,
        prior: ArrayLike | None = None,
        lower: ArrayLike | None = None,
        upper: ArrayLike | None = None,
    ) -> Array: ...


@runtime_checkable
class ExponentialLaw(ConvexLaw, Protocol):
    """A law of one exponential a target, ``exp(log c) + exp(t.w)``.

    Its caps are linear in the weights.
    ``exponentials()`` returns rows [log c, t_1..t_K], (M, 1 + K); ``exponential_draws()`` the same
    refitted B times, (B, M, 1 + K).
    """

    def exponentials(self) -> Array: ...
    def exponential_draws(self) -> Array: ...


@runtime_checkable
class LawSpec(Protocol):
    """Hyperparameters of a law; ``fit`` names what it needs and returns a :class:`Law`."""

    def fit(
        self, *, domains: Sequence[str], targets: Sequence[str], mixtures: Array, losses: Array
    ) -> Law: ...


@runtime_checkable
class Scorer(Protocol):
    """Worth of documents; ``score`` names the columns it needs and returns (N,).

    One whose ``row_by_row`` is true gives a document the same score whatever others there are, so
    that documents which are appended are scored alone.
    """

    higher_is_better: bool

    def score(self, **columns: Any) -> Array: ...


@runtime_checkable
class Selector(Protocol):
    """Documents within a budget; ``select`` returns k unique rows, int64, in pick order."""

    def select(self, *, score: Array, k: int) -> NDArray[np.int64]: ...


@runtime_checkable
class FollowedRun(Protocol):
    """A run that is still being written, as widgets follow it.

    ``poll()`` reads what is new and returns whether something was. ``generation`` counts the
    changes to rows before the last one (restarts, late domains), ``last_update`` is in Unix
    seconds, ``usual`` in seconds between two news, and ``quiet`` in seconds without news after
    which the run no longer counts as live.
    ``problem`` is what was wrong with what came last, in a sentence.
    """

    path: Path
    problem: str

    @property
    def log(self) -> RunLog: ...
    @property
    def last_step(self) -> int | None: ...
    @property
    def generation(self) -> int: ...
    @property
    def last_update(self) -> float | None: ...
    @property
    def usual(self) -> float | None: ...
    @property
    def quiet(self) -> float: ...
    @property
    def live(self) -> bool: ...
    @property
    def ended(self) -> bool: ...
    @property
    def gone(self) -> bool: ...
    def poll(self) -> bool: ...


class Columns(Protocol):
    """A corpus, as far as a store needs it."""

    domains: tuple[str, ...]
    tokenizer: str
    meta: dict[str, Any]
    earlier: tuple[Any, ...]

    @property
    def columns(self) -> tuple[str, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, name: str) -> Any: ...
    def digest(self, *columns: str) -> str: ...
    def to_arrow(self, columns: Sequence[str] | None = None) -> Any: ...


@dataclass(frozen=True, eq=False)
class BrowserForm:
    """A law that a browser evaluates by itself: a JSON header and little-endian float32 numbers.

    ``log-linear``: coef (M, 1+K) rows [log c, t_1..t_K], draws (B, M, 1+K), noise (B, M). The
    prediction is exp(log c) + exp(t.w); the interval at a level is the quantiles over b of
    prediction_b + noise_b.
    """

    header: Mapping[str, Any]
    data: bytes


def check_method(
    method: Any,
    protocol: Any,
    verb: str,
    example: str,
    what: str = "a method with its parameters",
) -> None:
    """Refuse what is no method of a protocol, or a class without its parameters.

    Args:
        method: what came.
        protocol: one of those above.
        verb: the call, such as "rv.fit".
        example: what would do, such as "rv.laws.Olmix()".
        what: the protocol in words.
    """
    expected = f"{what}, such as {example}"
    # A class has the methods of its instances, so the protocol alone would let it pass.
    if isinstance(method, type):
        got = f"the class {method.__name__}: add ()"
        raise InvalidArgument(name=verb, value=method, expected=expected, got=got)
    if not isinstance(method, protocol):
        raise InvalidArgument(name=verb, value=method, expected=expected)


def needs(verb: Callable[..., Any]) -> dict[str, bool]:
    """Return the keyword-only parameters of a verb: name to whether it is required.

    >>> def update(self, state, *, loss, prior=None): ...
    >>> needs(update)
    {'loss': True, 'prior': False}
    """
    parameters = inspect.signature(verb).parameters.values()
    return {p.name: p.default is p.empty for p in parameters if p.kind is p.KEYWORD_ONLY}


def check_options(
    verb: Callable[..., Any], given: Iterable[str], known: Iterable[str], kind: str = ""
) -> None:
    """Refuse an option that a verb neither has nor hands on; the sentence gives the nearest name.

    Args:
        verb: the public verb, which takes any keyword.
        given: the keywords that came.
        known: those that are taken where the verb hands them to.
        kind: of the options, such as "signal".

    Raises:
        UnknownName: one of them is not known.

    Example:
        >>> def compare(swarm, *, folds=5, **signals): ...
        >>> check_options(compare, ["fold"], ["size"])
        Traceback (most recent call last):
        reweightviz.core.errors.UnknownName: no option of rv.compare 'fold'; did you mean 'folds'...
    """
    known = set(known)
    parameters = inspect.signature(verb).parameters.values()
    own = {p.name for p in parameters if p.kind is not p.VAR_KEYWORD}
    for name in given:
        if name not in known:
            kind = kind or f"option of rv.{verb.__name__}"
            raise UnknownName(kind=kind, name=name, known=known | own)


def supply(who: str, verb: Callable[..., Any], available: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that ``verb`` names, taken from ``available``.

    Raises:
        ReweightvizError: one that is required is missing.
    """
    wanted = needs(verb)
    absent = [name for name, required in wanted.items() if required and name not in available]
    if absent:
        raise MissingSignal(signals=absent, available=available, who=who)
    return {name: available[name] for name in wanted if name in available}
