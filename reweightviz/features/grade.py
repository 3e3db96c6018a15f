"""grade: how good a sample of the documents is, as a function, a model or a person says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    MissingColumn,
    ReweightvizError,
    warn,
)
from reweightviz.core.selection import Selection, find_rows
from reweightviz.core.types import Array
from reweightviz.core.validation import is_number, whole_number
from reweightviz.features._ask_grader import Asking
from reweightviz.features.graders import Endpoint

__all__ = ["Grader", "grade"]


Grader: TypeAlias = Endpoint | Callable[[Any], Any] | Selection | tuple[Selection, Selection]


def grade(
    corpus: Corpus,
    grader: Grader,
    *,
    documents: int | Selection = 500,
    label: str | None = None,
    seed: int = 0,
    batch: int | None = None,
    within: Sequence[float] | None = None,
    budget: int | None = None,
    requests: int | None = None,
) -> Corpus:
    """Add ``grade:<label>`` (N,): grades of a sample, NaN elsewhere; higher is better.

    :func:`reweightviz.distil` spreads them over all documents. Each answer is on the disk as soon
    as it comes: after a failure, a spent budget or a kill, the same call goes on where it was and
    asks nothing twice. What stopped it, and answers without a grade, are told in a warning, and
    the corpus has the grades there are.

    A function is known again by its code and the text and numbers it holds, not by what it calls;
    an object by its attribute ``digest``. Where neither can be told nothing is kept.

    Args:
        corpus: documents.
        grader: a function from a text to a number, or to text that names one; an
            :class:`reweightviz.graders.Endpoint`; a selection of what is good, graded 1 beside
            others graded 0; or two selections, good and bad.
        documents: how many are graded, drawn at random from those with text, the first of a larger
            number; or which. Beside a selection of what is good others are drawn, from all
            that are not in it, until there are so many, and at least as many as are good.
        label: what the column is called after the colon; the grader's name when not given.
        seed: of the draw.
        batch: texts that the function takes at once, as a list, and grades as a list.
        within: lowest and highest grade; one beyond is none.
        budget: tokens that an Endpoint may spend, as its server counts them.
        requests: how often it may be asked, tries included, or the function be called.

    Raises:
        ReweightvizError: there is no grade at all.

    Example:
        >>> corpus = Corpus({"text": ["a", "b b", ""], "domain": ["x", "x", "x"]})
        >>> grade(corpus, lambda text: text.count("b"), label="b")["grade:b"].tolist()
        [0.0, 2.0, nan]
    """
    name = label or _name(grader)
    values = np.full(len(corpus), np.nan)
    if isinstance(grader, Selection | tuple):
        _grade_by_hand(values, corpus, grader, documents, seed)
        told: dict[str, Any] = {"grader": "selection"}
    else:
        _check_grader(grader)
        rows = _draw(corpus, documents, seed)
        asking = Asking(
            grader,
            name,
            batch=None if batch is None else whole_number("batch", batch, 1),
            within=_read_within(within),
            budget=None if budget is None else _read_budget(grader, budget),
            requests=None if requests is None else whole_number("requests", requests, 1),
        )
        values[rows] = asking.run(corpus.text(rows))
        _tell(asking, len(rows))
        told = {"grader": _describe(grader), "tokens": asking.tokens, "stopped": asking.stopped}
    graded = int(np.isfinite(values).sum())
    recipe = {"verb": "grade", "from": ["text"], "seed": seed, "graded": graded, **told}
    return corpus.with_column(f"grade:{name}", values, recipe=recipe)


def _name(grader: Any) -> str:
    if isinstance(grader, Selection | tuple):
        return "selected"
    if isinstance(grader, Endpoint):
        return grader.model.rsplit("/", 1)[-1]
    name = getattr(grader, "__name__", type(grader).__name__)
    return str(name).strip("<>")


def _describe(grader: Any) -> Any:
    return grader.describe() if isinstance(grader, Endpoint) else _name(grader)


def _check_grader(grader: Any) -> None:
    if isinstance(grader, type) or not (callable(grader) or isinstance(grader, Endpoint)):
        raise InvalidArgument(
            name="rv.grade",
            value=grader,
            expected="a function of a text, an rv.graders.Endpoint, or one or two selections",
            got=f"the class {grader.__name__}" if isinstance(grader, type) else None,
        )
    if isinstance(grader, Endpoint):
        # Before anything is spent, and not once a text.
        grader.find_key()


def _read_within(within: Sequence[float] | None) -> tuple[float, float] | None:
    if within is None:
        return None
    limits = list(within) if isinstance(within, Sequence | np.ndarray) else []
    if len(limits) != 2 or not all(map(is_number, limits)) or not limits[0] < limits[1]:
        raise InvalidValue(
            name="within", value=within, expected="the lowest and the highest grade, as (0, 5)"
        )
    return float(limits[0]), float(limits[1])


def _read_budget(grader: Any, budget: int) -> int:
    if not isinstance(grader, Endpoint):
        raise ReweightvizError(
            "budget= counts the tokens that the server of an Endpoint tells; a function is "
            "bounded by requests=, how often it is called."
        )
    return whole_number("budget", budget, 1)


# ---- which documents


def _draw(corpus: Corpus, documents: int | Selection, seed: int) -> NDArray[np.int64]:
    """Return rows of documents with text, in the order in which they are asked for."""
    if "text" not in corpus.columns:
        raise MissingColumn(column="text", available=corpus.columns, who="rv.grade")
    lengths = pc.binary_length(corpus["text"]).to_numpy()
    has_text = np.asarray(lengths > 0)
    if isinstance(documents, Selection):
        rows = find_rows(documents, corpus)
        rows = rows[has_text[rows]]
    else:
        count = whole_number("documents", documents, 1)
        order = np.random.default_rng(seed).permutation(len(corpus))
        rows = order[has_text[order]][:count]
    if not len(rows):
        raise ReweightvizError("rv.grade found no document with text to grade.")
    return np.asarray(rows, np.int64)


def _grade_by_hand(
    values: Array,
    corpus: Corpus,
    grader: Selection | tuple[Any, ...],
    documents: int | Selection,
    seed: int,
) -> None:
    """Fill in 1 for what is good and 0 for what is bad, or for others drawn at random."""
    parts = grader if isinstance(grader, tuple) else (grader,)
    if not 1 <= len(parts) <= 2 or not all(isinstance(part, Selection) for part in parts):
        raise InvalidArgument(
            name="rv.grade",
            value=None,
            expected="one selection, or two: good and bad",
            got="others",
        )
    good = find_rows(parts[0], corpus)
    rest = np.setdiff1d(np.arange(len(corpus)), good)
    if len(parts) == 2:
        bad = find_rows(parts[1], corpus)
        if len(np.intersect1d(good, bad)):
            raise ReweightvizError("a document cannot be both good and bad; some are in both.")
    elif isinstance(documents, Selection):
        bad = np.intersect1d(rest, find_rows(documents, corpus))
    else:
        count = whole_number("documents", documents, 1)
        wanted = min(max(count - len(good), len(good)), len(rest))
        bad = np.random.default_rng(seed).choice(rest, wanted, replace=False)
    if not len(good) or not len(bad):
        raise ReweightvizError(
            f"rv.grade needs documents of both kinds; got {len(good)} good and {len(bad)} others."
        )
    values[good] = 1.0
    values[bad] = 0.0


# ---- what became of it


def _tell(asking: Asking, count: int) -> None:
    graded = int(np.isfinite(asking.grades).sum())
    if not graded:
        reason = asking.stopped or (asking.ungraded or ["nothing was asked"])[0]
        raise ReweightvizError(f"rv.grade got no grade of {count:,} documents: {reason}.")
    if asking.stopped:
        warn(
            f"rv.grade stopped with {graded:,} of {count:,} grades, which are kept: "
            f"{asking.stopped}; the same call goes on from there."
        )
    elif asking.ungraded:
        warn(
            f"{len(asking.ungraded):,} of {count:,} documents have no grade: the first, "
            f"{asking.ungraded[0]}."
        )
