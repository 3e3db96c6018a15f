"""score: the worth of every document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    MissingSignal,
    ReweightvizError,
)
from reweightviz.core.protocols import Scorer, check_method, check_options, needs
from reweightviz.core.types import COLUMNS, SIGNALS, Array
from reweightviz.features.target import QUERIES, Target, TargetLike

__all__ = ["Supply", "score", "tell_missing"]


OF_TARGET = (*QUERIES, "target_text", "query_group")
"""Signals that a target gives."""
NO_SCORE = "no score for"


def score(
    corpus: Corpus,
    scorer: Scorer,
    target: TargetLike | None = None,
    *,
    label: str | None = None,
    seed: int = 0,
    **given: Any,
) -> Corpus:
    """Add ``score:<label>`` (N,) float64, of which higher is better; NaN where there is none.

    What a scorer needs stands in :func:`reweightviz.methods`. Each of its needs is taken from the
    first of these that has it: ``given``, ``target``, the corpus' own column of that kind (the
    only one). Documents without a score are counted in ``corpus.recipes`` and told on the map.

    Args:
        corpus: N documents.
        scorer: one of ``rv.scorers``, with its parameters.
        target: what a targeted scorer looks for. A Corpus: its columns are taken where they were
            made as those of the documents, else its texts go through the same recipe. A Selection
            of these documents, which are scored too: leave them out by ``corpus.take``. Texts; one
            string, a query; or task to any of these.
        label: what the column is called after the colon; the scorer's name when not given.
        seed: of a scorer that draws.
        given: a need of the scorer to the name of a column, to several where it needs one number of
            each (``ratings=["score:a", "score:b"]``), or to an array.

    Raises:
        ReweightvizError: a need is not met, or the target was made otherwise than the documents.

    Example:
        >>> from reweightviz.scorers import Loss
        >>> corpus = Corpus({"text": ["a", "b"], "domain": ["x", "x"], "loss:m": [1.0, 2.0]})
        >>> score(corpus, Loss(), label="m")["score:m"].tolist()
        [-1.0, -2.0]
    """
    check_method(scorer, Scorer, "rv.score", "rv.scorers.Loss()")
    check_options(score, given, needs(scorer.score))
    supply = Supply(corpus, scorer, None if target is None else Target(corpus, target), given, seed)
    values = supply.score()
    name = f"score:{label or type(scorer).__name__.lower()}"
    missing = int(np.isnan(values).sum())
    scored = corpus.with_column(name, values, recipe=supply.recipe() | {"missing": missing})
    if missing:
        figures = tell_missing(scored.score_figures, name, missing, len(corpus))
        scored.meta["score_figures"] = figures
    return scored


def tell_missing(figures: Mapping[str, str], name: str, missing: int, total: int) -> dict[str, str]:
    """Return the figures of scores with how many documents have none, where nothing else is told.

    >>> tell_missing({}, "score:x", 2, 1000)
    {'score:x': 'no score for 2 of 1,000'}
    """
    told = f"{NO_SCORE} {missing:,} of {total:,}"
    if not figures.get(name, NO_SCORE).startswith(NO_SCORE):
        return dict(figures)
    return {**figures, name: told}


class Supply:
    """What a scorer needs, and where it came from.

    Args:
        corpus: N documents.
        scorer: names its needs.
        target: gives some of them.
        given: need to a column's name, names, or an array.
        seed: of ``rng``.
        columns: need to the column that meets it, as found.
    """

    def __init__(
        self,
        corpus: Corpus,
        scorer: Scorer,
        target: Target | None,
        given: Mapping[str, Any],
        seed: int,
    ) -> None:
        self.corpus = corpus
        self.scorer = scorer
        self.target = target
        self.given = given
        self.seed = seed
        self.columns: dict[str, Any] = {}
        self._who = type(scorer).__name__

    def score(self) -> Array:
        """Return the scores (N,), of which higher is better."""
        values = np.asarray(self.scorer.score(**self.find()), np.float64)
        if values.shape != (len(self.corpus),):
            raise InvalidValue(
                name=f"what {self._who} returns",
                value=values.shape,
                expected=f"a score a document, shape ({len(self.corpus)},)",
                got=f"shape {values.shape}",
            )
        return values if self.scorer.higher_is_better else -values

    def find(self) -> dict[str, Any]:
        """Return the scorer's needs by name.

        Raises:
            ReweightvizError: one that it cannot do without is not there.
        """
        wanted = needs(self.scorer.score)
        self._check_target(wanted)
        found: dict[str, Any] = {}
        # The columns first: what the target gives is made as they were.
        for name in sorted(wanted, key=lambda one: one in OF_TARGET):
            value = self._find_one(name, required=wanted[name])
            if value is not None:
                found[name] = value
        absent = [name for name, required in wanted.items() if required and name not in found]
        if absent:
            raise self._missing(absent)
        return found

    def recipe(self) -> dict[str, Any]:
        """Return how the scores were made, in what JSON can hold."""
        columns = {name: column for name, column in self.columns.items() if column is not None}
        sources = [[one] if isinstance(one, str) else one for one in columns.values()]
        return {
            "verb": "score",
            "scorer": repr(self.scorer),
            "from": sorted({name for names in sources for name in names}),
            "columns": columns,
            "given": sorted(set(self.columns) - set(columns)),
            "target": None if self.target is None else self.target.record(),
            "seed": self.seed,
        }

    def _find_one(self, name: str, *, required: bool) -> Any:
        if name in self.given:
            return self._take_given(name)
        if name in OF_TARGET:
            return self._ask_target(name)
        if name == "rng":
            return np.random.default_rng(self.seed)
        if name in COLUMNS and (required or name in self.corpus):
            column = self.corpus.only(name, self._who)
            self.columns[name] = column
            return _as_signal(self.corpus, column)
        return None

    def _take_given(self, name: str) -> Any:
        value = self.given[name]
        self.columns[name] = None
        if isinstance(value, str) and name in QUERIES:
            if self.target is None:
                raise self._missing([name])
            return self.target.named(value, self.columns.get(QUERIES[name]), name)
        if isinstance(value, str):
            self.columns[name] = value
            return _as_signal(self.corpus, value)
        if name not in OF_TARGET and _are_columns(self.corpus, value):
            self.columns[name] = list(value)
            return np.stack([np.asarray(self.corpus[one]) for one in value], 1)
        if _shape(name).startswith("(N") and len(value) != len(self.corpus):
            raise InvalidValue(
                name=f"{name}=",
                value=value,
                expected=f"a column's name, or an array with a row a document, {len(self.corpus)}",
                got=f"{len(value)} rows",
            )
        return value

    def _ask_target(self, name: str) -> Any:
        if self.target is None:
            return None
        if name == "query_group":
            return self.target.groups
        if name == "target_text":
            return self.target.texts
        column = self.columns.get(QUERIES[name])
        if not isinstance(column, str):
            raise ReweightvizError(
                f"{self._who} got an array for {QUERIES[name]}=, by which no target can be made "
                f"alike: pass {name}= too."
            )
        return self.target.column(column, name)

    def _check_target(self, wanted: Mapping[str, bool]) -> None:
        if self.target is not None and not set(wanted) & set(OF_TARGET):
            raise InvalidArgument(
                name=f"{self._who}",
                value=self.target,
                expected="no target, since it scores documents by themselves",
                got="one",
            )

    def _missing(self, absent: list[str]) -> ReweightvizError:
        name = absent[0]
        if name in OF_TARGET:
            return MissingSignal(
                signals=absent,
                available=self.corpus.columns,
                who=self._who,
                where="the corpus has",
                hint="target=, a corpus or texts, gives it",
            )
        return MissingSignal(
            signals=absent,
            available=self.corpus.columns,
            who=self._who,
            where="the corpus has",
            hint=f"pass {name}=, an array or a column's name",
        )


def _shape(name: str) -> str:
    known = COLUMNS if name in COLUMNS else SIGNALS
    return known[name].shape if name in known else ""


def _are_columns(corpus: Corpus, value: Any) -> bool:
    names = value if isinstance(value, list | tuple) else ()
    return bool(names) and all(isinstance(name, str) and name in corpus for name in names)


def _as_signal(corpus: Corpus, column: str) -> Any:
    """Return a column as scorers take it: texts as strings of Python."""
    values = corpus[column]
    if isinstance(values, pa.ChunkedArray) and pa.types.is_large_string(values.type):
        return values.to_numpy()
    return values
