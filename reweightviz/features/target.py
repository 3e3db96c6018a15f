"""The target of a score: a corpus, a selection, texts, a query, or several tasks of these."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.columns import as_strings, combine_digests, digest, take_rows
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import InvalidArgument, ReweightvizError
from reweightviz.core.recipes import is_alike
from reweightviz.core.selection import Selection, find_rows
from reweightviz.core.types import kind_of
from reweightviz.features.follow_recipe import FROM_TEXT, follow_recipe

__all__ = ["QUERIES", "Target", "TargetLike"]


TargetLike: TypeAlias = Corpus | Selection | Iterable[str] | str | Mapping[str, Any]
QUERIES = {
    "query_embedding": "embedding",
    "query_gradient": "gradient",
    "query_features": "features",
}
"""Signal of a target to the kind of column of which it is."""
KEPT = 1 << 20
"""Bytes of a target's texts, or ids, that a recipe keeps; of a larger one it keeps the digest."""


class Target:
    """Documents that a score looks for, in the signals that scorers name.

    Args:
        corpus: the documents that are scored, by whose columns' recipes texts become signals.
        target: a Corpus, a Selection of ``corpus``, texts, one query, or task to any of these.

    Raises:
        ReweightvizError: it is none of these, or empty.
    """

    def __init__(self, corpus: Corpus, target: TargetLike) -> None:
        self.corpus = corpus
        self.tasks: tuple[str, ...] = ()
        parts: list[Any] = [target]
        if isinstance(target, Mapping):
            self.tasks = tuple(map(str, target))
            parts = list(target.values())
        if not parts:
            raise InvalidArgument(name="target=", value=target, expected="at least one document")
        self._parts = [_read_part(corpus, part) for part in parts]

    @property
    def groups(self) -> NDArray[np.int64] | None:
        """Number of the task of each document (Q,); None where there is only one."""
        if not self.tasks:
            return None
        return np.repeat(np.arange(len(self._parts)), [len(part) for part in self._parts])

    @property
    def texts(self) -> list[str]:
        """The documents (Q,)."""
        return [text for part in self._parts for text in part.texts]

    def column(self, name: str, signal: str) -> Any:
        """Return what a column of the corpus is of the target's documents (Q, ...).

        Args:
            name: of the column.
            signal: for which it is, for the sentence of an error.
        """
        return _join([part.column(name, signal) for part in self._parts])

    def named(self, name: str, like: str | None, signal: str) -> Any:
        """Return a column of the target's own, which is made like one of the corpus."""
        return _join([part.named(name, like, signal) for part in self._parts])

    def record(self) -> dict[str, Any]:
        """Return what a recipe keeps of it; :meth:`of_record` is the way back."""
        parts = [part.record() for part in self._parts]
        if not self.tasks:
            return parts[0]
        return {"tasks": dict(zip(self.tasks, parts, strict=True))}

    @classmethod
    def of_record(cls, corpus: Corpus, record: Mapping[str, Any]) -> Target | None:
        """Return the target of a recipe; None where only its digest was kept."""
        if "tasks" not in record:
            target = _of_record(corpus, record)
            return None if target is None else cls(corpus, target)
        tasks = {name: _of_record(corpus, part) for name, part in record["tasks"].items()}
        if any(part is None for part in tasks.values()):
            return None
        return cls(corpus, tasks)


class _Texts:
    """Texts from elsewhere."""

    def __init__(self, corpus: Corpus, texts: list[str]) -> None:
        self._corpus = corpus
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    def column(self, name: str, signal: str) -> Any:
        recipe = self._corpus.recipes.get(name)
        if recipe is None or recipe["verb"] not in FROM_TEXT:
            raise ReweightvizError(
                f"no text can be put through column {name!r}, which has no recipe: pass "
                f"{signal}= of the target, an array, or a target that has the column itself."
            )
        return follow_recipe(self._corpus, name, self.texts, plain=True)

    def named(self, name: str, _: str | None, signal: str) -> Any:
        raise InvalidArgument(
            name=f"{signal}=",
            value=name,
            expected="an array, or the name of a column where the target is a Corpus",
        )

    def record(self) -> dict[str, Any]:
        found = digest(as_strings(self.texts))
        return _record("texts", self.texts, combine_digests([found]))


class _Rows(_Texts):
    """Documents of the corpus itself."""

    def __init__(self, corpus: Corpus, rows: NDArray[np.int64]) -> None:
        super().__init__(corpus, corpus.text(rows) if "text" in corpus.columns else [])
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, name: str, signal: str) -> Any:
        if self._corpus.recipes.get(name, {}).get("moments"):
            return super().column(name, signal)
        return take_rows(self._corpus[name], self._rows)

    def record(self) -> dict[str, Any]:
        ids = [str(name) for name in self._corpus.ids[self._rows]]
        return _record("ids", ids, _hash(ids))


class _Documents(_Texts):
    """A corpus of its own, with columns that may be of other models."""

    def __init__(self, corpus: Corpus, target: Corpus) -> None:
        texts = target.text(np.arange(len(target))) if "text" in target.columns else []
        super().__init__(corpus, texts)
        self._target = target

    def __len__(self) -> int:
        return len(self._target)

    def column(self, name: str, signal: str) -> Any:
        kind = kind_of(name)
        for known in sorted(self._target.columns, key=lambda one: one != name):
            if kind_of(known) == kind and self._is_alike(known, name):
                return self._target[known]
        if not self.texts:
            raise self._strange(name, signal)
        return super().column(name, signal)

    def named(self, name: str, like: str | None, signal: str) -> Any:
        values = self._target[name]
        if like is not None and not self._is_alike(name, like):
            raise self._strange(like, signal, name)
        return values

    def record(self) -> dict[str, Any]:
        if self.texts:
            return super().record() | {"from": "corpus"}
        return {"documents": len(self), "digest": self._target.digest("domain")}

    def _is_alike(self, known: str, name: str) -> bool:
        theirs = self._target.recipes.get(known)
        ours = self._corpus.recipes.get(name)
        # Ready arrays tell nothing of themselves: they are taken to be alike by their name.
        return is_alike(theirs, ours) and (ours is not None or known == name)

    def _strange(self, name: str, signal: str, known: str = "") -> ReweightvizError:
        kind = kind_of(name)
        return ReweightvizError(
            f"{signal} must be made as column {name!r} of the corpus was; the target's "
            f"{known or kind!r} was made otherwise: a target of texts goes through the same."
        )


def _read_part(corpus: Corpus, target: Any) -> _Texts:
    part: _Texts
    if isinstance(target, Corpus):
        part = _Documents(corpus, target)
    elif isinstance(target, Selection):
        part = _Rows(corpus, find_rows(target, corpus))
    elif isinstance(target, str):
        part = _Texts(corpus, [target])
    else:
        part = _Texts(corpus, list(_each_text(target)))
    if not len(part):
        raise InvalidArgument(name="target=", value=target, expected="at least one document")
    return part


def _each_text(target: Any) -> Iterator[str]:
    if isinstance(target, Iterable) and not isinstance(target, bytes | Mapping):
        for text in target:
            if not isinstance(text, str):
                break
            yield text
        else:
            return
    raise InvalidArgument(
        name="target=",
        value=target,
        expected="a Corpus, a Selection, texts, one query, or a mapping of task to any of these",
        got=type(target).__name__,
    )


def _record(kind: str, names: Sequence[str], found: str) -> dict[str, Any]:
    record: dict[str, Any] = {"documents": len(names), "digest": found}
    if sum(len(name.encode("utf-8", "surrogatepass")) for name in names) <= KEPT:
        record[kind] = list(names)
    return record


def _of_record(corpus: Corpus, record: Mapping[str, Any]) -> Any:
    if "texts" in record:
        return list(record["texts"])
    if "ids" not in record:
        return None
    return Selection(corpus.rows(record["ids"]), np.array(record["ids"], object))


def _hash(names: Sequence[str]) -> str:
    joined = "\0".join(names).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(joined, digest_size=12).hexdigest()


def _join(parts: Sequence[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    join: Callable[[Sequence[Any]], Any] = np.concatenate
    if hasattr(parts[0], "tocsr"):
        from scipy.sparse import vstack

        join = vstack
    return join(parts)
