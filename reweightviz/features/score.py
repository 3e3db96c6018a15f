"""score: the worth of every document."""

from __future__ import annotations

from typing import Any

import numpy as np

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import MissingSignal
from reweightviz.core.protocols import Scorer, check_method, check_options, needs, supply
from reweightviz.core.types import COLUMNS
from reweightviz.features._target import QUERIES, Target, make_query, read_target

__all__ = ["OF_THE_TARGET", "score"]


OF_THE_TARGET = ("target_text", "query_group", *QUERIES)
"""Names of what a scorer may ask of the target."""


def score(
    corpus: Corpus,
    scorer: Scorer,
    target: Any = None,
    *,
    label: str | None = None,
    seed: int = 0,
    **given: Any,
) -> Corpus:
    """Add ``score:<scorer>`` (N,), higher is better, from the columns that the scorer names.

    What it asks of the target is made as the corpus' own column was: its embedding by the same
    encoder, its gradients under the same model. Documents of a selection that is the target are
    scored too.

    Args:
        corpus: documents.
        scorer: such as ``rv.scorers.RDS()``.
        target: what the documents should be like: a corpus, a selection, texts, one text, or a
            mapping of a task's name to any of these.
        label: what the column is called after the colon; the scorer's name when not given.
        seed: of scorers that draw.
        given: what a scorer names, as a column's name or an array: ``loss="loss:small"``.

    Raises:
        ReweightvizError: a column, or the target, is missing; the sentence names what is needed.
    """
    check_method(scorer, Scorer, "rv.score", "rv.scorers.Loss()")
    who = type(scorer).__name__
    wanted = needs(scorer.score)
    check_options(score, given, wanted, f"input of {who}")
    found = _Inputs(corpus, target, who, seed, given)
    for name, is_required in wanted.items():
        found.take(name, is_required=is_required)
    values = np.asarray(scorer.score(**supply(who, scorer.score, found.arrays)), np.float64)
    if not scorer.higher_is_better:
        values = -values
    recipe = {
        "verb": "score",
        "scorer": repr(scorer),
        "columns": found.columns,
        "target": found.target.digest if found.target else None,
        "missing": int((~np.isfinite(values)).sum()),
    }
    return corpus.with_column(f"score:{label or who.lower()}", values, recipe=recipe)


class _Inputs:
    """What a scorer gets, and where each of it came from."""

    def __init__(
        self, corpus: Corpus, target: Any, who: str, seed: int, given: dict[str, Any]
    ) -> None:
        self._corpus = corpus
        self._who = who
        self._seed = seed
        self._given = given
        self.target: Target | None = None
        if target is not None:
            self.target = read_target(target, corpus)
        self.arrays: dict[str, Any] = {}
        self.columns: dict[str, str] = {}

    def take(self, name: str, *, is_required: bool) -> None:
        """Find one input; an optional one may be absent."""
        if name in self._given:
            self._take_given(name)
        elif name in OF_THE_TARGET:
            self._take_from_target(name, is_required=is_required)
        elif name == "rng":
            self.arrays[name] = np.random.default_rng(self._seed)
        elif name == "text":
            self.arrays[name] = self._corpus.text(np.arange(len(self._corpus)))
        elif name in COLUMNS and (is_required or name in self._corpus):
            self._take_column(name, self._corpus.only(name, self._who))

    def _take_given(self, name: str) -> None:
        value = self._given[name]
        if isinstance(value, str):
            self._take_column(name, value)
        else:
            self.arrays[name] = value
            self.columns[name] = "given"

    def _take_column(self, name: str, column: str) -> None:
        self.arrays[name] = self._corpus[column]
        self.columns[name] = column

    def _take_from_target(self, name: str, *, is_required: bool) -> None:
        target = self.target
        if target is None:
            if is_required:
                raise MissingSignal(signals=["target"], available=self._given, who=self._who)
        elif name == "target_text":
            self.arrays[name] = target.texts
        elif name == "query_group":
            if target.groups is not None:
                self.arrays[name] = target.groups
        else:
            kind = QUERIES[name]
            column = self.columns.get(kind) or self._corpus.only(kind, self._who)
            self.arrays[name] = make_query(self._corpus, column, target, self._who)
