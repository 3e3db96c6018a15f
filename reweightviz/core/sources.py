"""Sources: what there really is. The corpus on the map may be only a sample of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, listed


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
        table: domain to a Source, to a number of tokens, or to a mapping of a Source's fields.
        tokenizer: name of the tokenizer that counted.

    Example:
        >>> sources = Sources({"web": 1.2e12, "code": Source(3e11, documents=1e8, paths=("/data/code",))})
        >>> sources.domains, sources["code"].mean_tokens
        (('web', 'code'), 3000.0)
    """

    def __init__(self, table: Mapping[str, Any], *, tokenizer: str | None = None) -> None:
        if not isinstance(table, Mapping):
            raise ReweightvizError(f"Sources takes a mapping of domain to tokens; got {type(table).__name__}.")
        if not table:
            raise ReweightvizError("Sources needs at least one domain; got none.")
        self._table = {str(domain): _source(str(domain), entry) for domain, entry in table.items()}
        self.tokenizer = tokenizer

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
            raise ReweightvizError(f"no domain {listed(strangers)} in these sources; there is {listed(self)}.")
        table = {
            domain: Source(source.tokens, source.documents, _paths(paths[domain])) if domain in paths else source
            for domain, source in self._table.items()
        }
        return Sources(table, tokenizer=self.tokenizer)


def _source(domain: str, entry: Any) -> Source:
    try:
        given = entry if isinstance(entry, Source) else Source(**entry) if isinstance(entry, Mapping) else Source(entry)
        documents = None if given.documents is None else float(given.documents)
        source = Source(float(given.tokens), documents, _paths(given.paths))
    except (TypeError, ValueError):
        raise ReweightvizError(f"{domain[:60]!r} must be a Source, a number of tokens, or a mapping with 'tokens' and perhaps "
                               f"'documents' and 'paths'; got {entry!r:.80}.") from None
    for what, count in (("tokens", source.tokens), ("documents", source.documents)):
        if count is not None and not 0 <= count < float("inf"):
            raise ReweightvizError(f"the {what} of {domain[:60]!r} must be a number >= 0; got {count}.")
    return source


def _paths(paths: Any) -> tuple[str, ...]:
    return (str(paths),) if isinstance(paths, str | Path) else tuple(str(path) for path in paths)
