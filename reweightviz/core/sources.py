"""Sources: the tokens that there really are. The corpus on the map may be only a sample."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
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
from reweightviz.core.files import write_json
from reweightviz.core.lineage import Lineage
from reweightviz.core.token_counts import parse_count
from reweightviz.core.validation import check_unique

__all__ = ["FORMAT", "Source", "Sources"]


FORMAT = "reweightviz.sources/1"


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
        table: domain to a Source, to a number of tokens, or to a mapping of a Source's fields;
            numbers may be written as in "1.2T".
        tokenizer: name of the tokenizer that counted.
        lineage: where each domain's tokens lay before splits, for a law of the domains of then.

    Example:
        >>> code = Source(3e11, documents=1e8, paths=("/data/code",))
        >>> sources = Sources({"web": 1.2e12, "code": code})
        >>> sources.domains, sources["code"].mean_tokens
        (('web', 'code'), 3000.0)
        >>> Sources({"web": "1.2T"})["web"].tokens
        1200000000000.0
    """

    def __init__(
        self,
        table: Mapping[str, Any],
        *,
        tokenizer: str | None = None,
        lineage: Lineage | None = None,
    ) -> None:
        if not isinstance(table, Mapping):
            raise InvalidArgument(
                name="Sources",
                value=table,
                expected="a mapping of domain to tokens",
                got=type(table).__name__,
            )
        if not table:
            raise UnmetNeed(name="Sources", value=None, expected="at least one domain", got="none")
        check_unique("domain", map(str, table), "Sources")
        self._table = {str(domain): _source(str(domain), entry) for domain, entry in table.items()}
        self.tokenizer = tokenizer
        self.lineage = lineage or Lineage()

    @classmethod
    def of(cls, given: Sources | Mapping[str, Any] | None) -> Sources | None:
        """Return sources as they are, or made from a table of domains; None for None."""
        if given is None or isinstance(given, Sources):
            return given
        return cls(given)

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
        """Return the same sources with files or dataset names; every named domain must exist."""
        strangers = [domain for domain in paths if domain not in self]
        if strangers:
            raise UnknownName(kind="domain", name=strangers[0], known=self)
        table = dict(self._table)
        for domain, given in paths.items():
            table[domain] = replace(table[domain], paths=_paths(domain, given))
        return Sources(table, tokenizer=self.tokenizer, lineage=self.lineage)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> Path:
        """Write JSON that ``rv.read_sources`` reads."""
        domains = {domain: asdict(source) for domain, source in self._table.items()}
        record: dict[str, Any] = {"format": FORMAT, "tokenizer": self.tokenizer, "domains": domains}
        if self.lineage:
            record["lineage"] = self.lineage.to_jsonable()
        return write_json(path, record, overwrite=overwrite)


def _source(domain: str, entry: Any) -> Source:
    if isinstance(entry, Source):
        given = asdict(entry)
    elif isinstance(entry, Mapping):
        given = dict(entry)
    else:
        given = {"tokens": entry}
    known = [field.name for field in fields(Source)]
    strange = [name for name in given if name not in known]
    if strange:
        raise UnknownName(
            kind=f"field of {domain[:60]!r} in these sources", name=str(strange[0]), known=known
        )
    if given.get("tokens") is None:
        raise ReweightvizError(
            f"{domain[:60]!r} has no tokens: give it a number of tokens, or a mapping with "
            f"'tokens' and perhaps 'documents' and 'paths'; got {entry!r:.80}."
        )
    counts = {
        name: parse_count(given[name], f"the {name} of {domain[:60]!r}")
        for name in ("tokens", "documents")
        if given.get(name) is not None
    }
    return Source(**counts, paths=_paths(domain, given.get("paths")))


def _paths(domain: str, given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    paths = [given] if isinstance(given, str | os.PathLike) else given
    is_list = isinstance(paths, list | tuple)
    if not is_list or not all(isinstance(path, str | os.PathLike) for path in paths):
        raise InvalidValue(
            name=f"the paths of {domain[:60]!r}", value=given, expected="a path or a list of them"
        )
    return tuple(str(path) for path in paths)
