"""Sources: what there really is. The corpus on the map may be only a sample of it."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    ReweightvizError,
    UnknownName,
    UnmetNeed,
)
from reweightviz.core.files import write_atomically

FORMAT = "reweightviz.sources/1"
POWERS = {"K": 3, "M": 6, "B": 9, "T": 12}
"""What a letter behind a count stands for, as a power of ten."""


def count(value: object) -> float:
    """A number of tokens or documents, as a person writes it.

    >>> count("100B"), count("1.2 t"), count("3_000"), count("1,200,000"), count(5)
    (100000000000.0, 1200000000000.0, 3000.0, 1200000.0, 5.0)
    """
    try:
        found = _number(value.strip()) if isinstance(value, str) else math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (ArithmeticError, TypeError, ValueError):
        found = math.nan
    if not 0 <= found < math.inf:
        raise ReweightvizError(f"a count must be a number >= 0, such as 1.2e12 or '1.2T' (K, M, B, T); got {value!r:.60}.")
    return found


def counted(tokens: float) -> str:
    """A number of tokens in a few characters, as :func:`count` reads it.

    >>> counted(1.2e12), counted(38e6), counted(512)
    ('1.2T', '38M', '512')
    """
    for letter, power in reversed(POWERS.items()):
        if tokens >= 0.9995 * 10**power:
            return f"{tokens / 10**power:.3g}{letter}"
    return f"{tokens:.3g}"


def _number(text: str) -> float:
    power = POWERS.get(text[-1:].upper(), 0)
    digits = text[:-1].rstrip() if power else text
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", digits):
        digits = digits.replace(",", "")
    return float(Decimal(digits).scaleb(power))


@dataclass(frozen=True)
class Source:
    """One domain as it lies on disk.

    Args:
        tokens: tokens available, under the tokenizer of the training run.
        documents: number of documents, where known.
        paths: files, dataset names or prefixes that hold it.
    """

    tokens: float
    documents: float | None = None
    paths: tuple[str, ...] = ()

    @property
    def mean_tokens(self) -> float | None:
        """Mean tokens per document; None where the number of documents is not known."""
        return self.tokens / self.documents if self.documents else None


class Sources(Mapping[str, Source]):
    """Domain to :class:`Source`. Epochs, caps and unit conversions come from here.

    Args:
        table: domain to a Source, to a number of tokens, or to a mapping of a Source's fields; numbers may be
            written as in "1.2T".
        tokenizer: name of the tokenizer that counted.

    Example:
        >>> sources = Sources({"web": 1.2e12, "code": Source(3e11, documents=1e8, paths=("/data/code",))})
        >>> sources.domains, sources["code"].mean_tokens
        (('web', 'code'), 3000.0)
        >>> Sources({"web": "1.2T"})["web"].tokens
        1200000000000.0
    """

    def __init__(self, table: Mapping[str, Any], *, tokenizer: str | None = None) -> None:
        if not isinstance(table, Mapping):
            raise InvalidArgument(
                name="Sources",
                value=table,
                expected="a mapping of domain to tokens",
                got=type(table).__name__,
            )
        if not table:
            raise UnmetNeed(name="Sources", value=None, expected="at least one domain", got="none")
        self._table = {str(domain): _source(str(domain), entry) for domain, entry in table.items()}
        self.tokenizer = tokenizer

    @classmethod
    def of(cls, given: Sources | Mapping[str, Any] | None) -> Sources | None:
        """Sources as they are, made from a table of domains, or None where there are none."""
        return given if given is None or isinstance(given, Sources) else cls(given)

    def __getitem__(self, domain: str) -> Source:
        return self._table[domain]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def __repr__(self) -> str:
        counted = f" (counted by {self.tokenizer})" if self.tokenizer else ""
        return f"Sources({len(self)} domains, {self.tokens.sum():,.0f} tokens{counted})"

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains, in order."""
        return tuple(self._table)

    @property
    def tokens(self) -> NDArray[np.float64]:
        """Tokens available (K,)."""
        return np.array([source.tokens for source in self._table.values()], np.float64)

    @property
    def token_table(self) -> dict[str, float]:
        """Domain to tokens available."""
        return {domain: source.tokens for domain, source in self._table.items()}

    def with_paths(self, paths: Mapping[str, str | Path | Sequence[str | Path]]) -> Sources:
        """The same sources with files or dataset names; every named domain must exist."""
        strangers = [domain for domain in paths if domain not in self]
        if strangers:
            raise UnknownName(kind="domain", name=strangers[0], known=self)
        table = {
            domain: Source(source.tokens, source.documents, _paths(domain, paths[domain])) if domain in paths else source
            for domain, source in self._table.items()
        }
        return Sources(table, tokenizer=self.tokenizer)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
        """Write JSON that ``rv.read_sources`` reads."""
        domains = {domain: asdict(source) for domain, source in self._table.items()}
        record = {"format": FORMAT, "tokenizer": self.tokenizer, "domains": domains}
        return write_atomically(path, json.dumps(record, indent=2, ensure_ascii=False) + "\n", overwrite=overwrite)


def _source(domain: str, entry: Any) -> Source:
    given = asdict(entry) if isinstance(entry, Source) else dict(entry) if isinstance(entry, Mapping) else {"tokens": entry}
    known = [field.name for field in fields(Source)]
    strange = [name for name in given if name not in known]
    if strange:
        raise UnknownName(
            kind=f"field of {domain[:60]!r} in these sources", name=str(strange[0]), known=known
        )
    if given.get("tokens") is None:
        raise ReweightvizError(f"{domain[:60]!r} has no tokens: give it a number of tokens, or a mapping with 'tokens' and perhaps "
                               f"'documents' and 'paths'; got {entry!r:.80}.")
    documents = given.get("documents")
    return Source(_counted(domain, "tokens", given["tokens"]), None if documents is None else _counted(domain, "documents", documents),
                  _paths(domain, given.get("paths")))


def _counted(domain: str, what: str, value: object) -> float:
    try:
        return count(value)
    except ReweightvizError:
        raise InvalidValue(
            name=f"the {what} of {domain[:60]!r}",
            value=value,
            expected="a number >= 0, such as 1.2e12 or '1.2T' (K, M, B, T)",
        ) from None


def _paths(domain: str, paths: Any) -> tuple[str, ...]:
    found = (paths,) if isinstance(paths, str | os.PathLike) else () if paths is None else paths
    if not isinstance(found, list | tuple) or not all(isinstance(path, str | os.PathLike) for path in found):
        raise InvalidValue(
            name=f"the paths of {domain[:60]!r}", value=paths, expected="a path or a list of them"
        )
    return tuple(str(path) for path in found)
