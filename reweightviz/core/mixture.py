"""Mixture: weights of the domains. A weight is a share of training tokens."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import (
    DuplicateName,
    InvalidArgument,
    InvalidValue,
    ReweightvizError,
    UnmetNeed,
    WrongContent,
    WrongDomains,
    list_names,
)
from reweightviz.core.files import write_json
from reweightviz.core.foreign_file import NO_RECORD, guard_reading
from reweightviz.core.json_text import parse_json
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.temperature import temperature_weights
from reweightviz.core.token_counts import parse_count
from reweightviz.core.validation import find_repeated

__all__ = ["FORMAT", "SUM_TOLERANCE", "Mixture", "effective_domains"]


SUM_TOLERANCE = 1e-6
FORMAT = "reweightviz.mixture/1"


def effective_domains(weights: ArrayLike) -> NDArray[np.float64]:
    """Return the effective number of domains of weights (..., K), between 1 and K.

    It is the exponential of their entropy. A weight that is not known (NaN) counts as 0; where
    none is known the number is NaN. The same as effectiveDomains in widgets/simplex.js;
    tests/golden/effective_domains.json holds both.

    >>> effective_domains([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]).tolist()
    [2.0, 1.0]
    """
    given = np.asarray(weights, np.float64)
    share = np.where(given > 0, given, 0.0)
    entropy = -(share * np.log(np.where(share > 0, share, 1.0))).sum(-1)
    return np.asarray(np.where(np.isnan(given).all(-1), np.nan, np.exp(entropy)), np.float64)


class Mixture(Mapping[str, float]):
    """A frozen mapping of domain to weight; weights are >= 0 and sum to 1.

    Args:
        weights: domain to weight, each a share of training tokens; order is kept.
        source: where it came from (method, parameters, digest of what it was fitted on).

    Raises:
        ReweightvizError: a weight is negative, not finite, or the sum is not 1.

    Example:
        >>> mix = Mixture({"web": 0.7, "code": 0.3})
        >>> mix["web"], mix.domains
        (0.7, ('web', 'code'))
        >>> Mixture.normalized({"web": 3, "code": 1})["code"]
        0.25
    """

    __slots__ = ("_weights", "source")
    _weights: dict[str, float]
    source: dict[str, Any]

    def __init__(
        self,
        weights: Mapping[str, float] | Iterable[tuple[str, float]],
        *,
        source: Mapping[str, Any] | None = None,
    ) -> None:
        table = _parse(weights)
        total = sum(table.values())
        if abs(total - 1.0) > SUM_TOLERANCE:
            raise ReweightvizError(
                f"the weights of a Mixture must sum to 1; these sum to {total:.6g}: "
                "Mixture.normalized(...) rescales them."
            )
        object.__setattr__(self, "_weights", table)
        object.__setattr__(self, "source", dict(source or {}))

    def __setattr__(self, name: str, value: object) -> None:
        raise ReweightvizError(f"a Mixture is frozen; make a new one instead of setting {name!r}.")

    def __getitem__(self, domain: str) -> float:
        return self._weights[domain]

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    def __hash__(self) -> int:
        # Mappings are equal in any order, so their hashes must be too.
        return hash(frozenset(self._weights.items()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return dict(self) == dict(other)

    def __repr__(self) -> str:
        weights = ", ".join(f"{domain!r}: {weight:.4g}" for domain, weight in self.items())
        return f"Mixture({{{weights}}})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickle would set the slots one by one, which a frozen mixture refuses.
        return _restore, (dict(self), self.source)

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains, in order."""
        return tuple(self._weights)

    @property
    def array(self) -> NDArray[np.float64]:
        """Weights (K,) in the order of the domains."""
        return np.fromiter(self._weights.values(), np.float64, len(self))

    @classmethod
    def of(cls, given: Mapping[str, float]) -> Mixture:
        """Return a mixture as it is, or one made from domain to weight."""
        return given if isinstance(given, Mixture) else cls(given)

    @classmethod
    def normalized(
        cls,
        weights: Mapping[str, float] | Iterable[tuple[str, float]],
        *,
        source: Mapping[str, Any] | None = None,
    ) -> Mixture:
        """Rescale non-negative numbers to sum 1."""
        table = _parse(weights)
        top = max(table.values())
        if top <= 0:
            raise ReweightvizError(
                "all weights are 0; at least one domain must have a weight above 0."
            )
        # The largest becomes 1 first, so that no sum of large numbers overflows.
        scaled = {domain: weight / top for domain, weight in table.items()}
        total = sum(scaled.values())
        return cls({domain: part / total for domain, part in scaled.items()}, source=source)

    @classmethod
    def uniform(cls, domains: Iterable[str]) -> Mixture:
        """Give every domain the same weight."""
        names = list(domains)
        return cls.normalized([(name, 1.0) for name in names], source={"method": "uniform"})

    @classmethod
    def natural(cls, tokens: Mapping[str, float | str]) -> Mixture:
        """Weigh domains in proportion to their tokens."""
        return cls.temper(tokens, exponent=1.0)

    @classmethod
    def temper(cls, tokens: Mapping[str, float | str], exponent: float) -> Mixture:
        """Weigh domains in proportion to ``tokens ** exponent``.

        The exponent is 1 / temperature: 1 is natural, 0 is uniform.
        """
        counts = [
            parse_count(value, f"the tokens of {str(domain)[:60]!r}")
            for domain, value in tokens.items()
        ]
        weights = temperature_weights(counts, exponent).tolist()
        method = "natural" if exponent == 1 else "temperature"
        source = {"method": method, "exponent": exponent}
        return cls(zip(tokens, weights, strict=True), source=source)

    def aligned(self, domains: Iterable[str]) -> NDArray[np.float64]:
        """Return the weights (K,) in the order of ``domains``; refuse other names."""
        names = list(domains)
        if set(names) != set(self) or len(names) != len(self):
            raise WrongDomains(who="the mixture", asked=self, other="the data", there=names)
        return np.array([self[name] for name in names], np.float64)

    def reorder(self, domains: Iterable[str]) -> Mixture:
        """Return the same mixture with its domains in another order; refuse other names."""
        names = list(domains)
        return Mixture(zip(names, self.aligned(names).tolist(), strict=True), source=self.source)

    def epochs(self, tokens: Mapping[str, float | str], budget: float | str) -> dict[str, float]:
        """Return the passes over each domain in ``budget`` tokens: weight * budget / tokens."""
        trained = parse_count(budget, "budget", positive=True)
        absent = [domain for domain in self if domain not in tokens]
        if absent:
            raise ReweightvizError(
                f"no token count for {list_names(absent)}; there is {list_names(tokens)}."
            )
        passes = {}
        for domain, weight in self.items():
            available = parse_count(tokens[domain], f"the tokens of {domain[:60]!r}")
            passes[domain] = _passes(weight * trained, available)
        return passes

    def blend(self, other: Mixture, share: float) -> Mixture:
        """Return ``(1 - share) * self + share * other``."""
        mixed = (1 - share) * self.array + share * other.aligned(self.domains)
        source = {"method": "blend", "share": share}
        return Mixture.normalized(zip(self.domains, mixed.tolist(), strict=True), source=source)

    def distance(self, other: Mixture) -> float:
        """Return the total variation: the share of tokens that would have to move."""
        return float(np.abs(self.array - other.aligned(self.domains)).sum() / 2)

    @property
    def effective_domains(self) -> float:
        """Perplexity of the weights: exp of their entropy, between 1 and K."""
        return float(effective_domains(self.array))

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
        """Write JSON: weights in token shares, full precision, and the source."""
        record = {
            "format": FORMAT,
            "unit": "share of training tokens",
            "weights": dict(self),
            "source": to_jsonable(self.source),
        }
        return write_json(path, record, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Mixture:
        """Read what :meth:`save` wrote."""
        with guard_reading(path):
            try:
                record = parse_json(Path(path).read_bytes())
                return cls(record["weights"], source=record.get("source"))
            except NO_RECORD as error:
                raise WrongContent(
                    path=path,
                    reason=f"is no mixture file (JSON with 'weights'): {str(error).rstrip('.')}",
                ) from error


def _passes(wanted: float, available: float) -> float:
    if available > 0:
        return wanted / available
    # Nothing of nothing is no pass; something of nothing is never done.
    return math.inf if wanted > 0 else 0.0


def _restore(weights: dict[str, float], source: dict[str, Any]) -> Mixture:
    return Mixture(weights, source=source)


def _parse(weights: Mapping[str, float] | Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return domain to weight, each a finite number >= 0."""
    pairs = weights.items() if isinstance(weights, Mapping) else weights
    try:
        named = [(str(domain), weight) for domain, weight in pairs]
    except (TypeError, ValueError):
        raise InvalidArgument(
            name="a Mixture",
            value=weights,
            expected="a mapping of domain to weight, or pairs of the two",
        ) from None
    if not named:
        raise UnmetNeed(name="a Mixture", value=None, expected="at least one domain", got="none")
    twice = sorted(find_repeated(domain for domain, _ in named))
    if twice:
        raise DuplicateName(kind="domain", names=twice, where="a Mixture")
    return {domain: _parse_weight(domain, weight) for domain, weight in named}


def _parse_weight(domain: str, weight: Any) -> float:
    if isinstance(weight, bool | np.bool_):
        raise InvalidValue(name=f"the weight of {domain[:60]!r}", value=weight, expected="a number")
    try:
        value = float(weight)
    except (TypeError, ValueError, OverflowError):
        raise InvalidValue(
            name=f"the weight of {domain[:60]!r}", value=weight, expected="a number"
        ) from None
    if not np.isfinite(value) or value < 0:
        raise InvalidValue(
            name=f"the weight of {domain[:60]!r}", value=value, expected="finite and >= 0"
        )
    return value
