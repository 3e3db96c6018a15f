"""distil: the grades of a sample, spread over all documents by their embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError, warn
from reweightviz.core.types import Array
from reweightviz.core.validation import whole_number
from reweightviz.numerics.accuracy import rank_correlation
from reweightviz.numerics.logistic import fit_logistic
from reweightviz.numerics.quantiles import NORMAL_90
from reweightviz.numerics.ranking import area_under_curve, correlation_interval
from reweightviz.numerics.run_regression import fit_ridge

__all__ = ["apply_head", "distil"]


FEWEST = 10
"""Grades that can be spread at all."""
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Of the logistic regression; the one with the least cross-entropy of held-out grades."""
_BLOCK = 1 << 16  # rows that are in double precision at once


def distil(
    corpus: Corpus,
    grade: str | None = None,
    *,
    embedding: str | None = None,
    label: str | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Corpus:
    """Add ``score:<label>`` (N,): what the grader would say of every document, by its embedding.

    Two different grades, such as good and bad, are spread by logistic regression, and the score is
    the log odds of the higher one; more by ridge regression, in the grades' unit. How well it ranks
    documents that it was not fitted to stands beside the score on the map, in
    ``corpus.score_figures``, and with its numbers in ``corpus.recipes``.

    Args:
        corpus: with grades and an embedding.
        grade: column of grades, NaN where there is none; the only one when not given.
        embedding: column (N, D); the only one when not given.
        label: what the column is called after the colon; that of the grades when not given.
        folds: parts of the grades, each held out once; copies of a text are in one part.
        seed: of the parts.

    Raises:
        ReweightvizError: there are fewer than 10 grades, or all are alike.

    Example:
        >>> E = np.random.default_rng(0).normal(size=(200, 3))
        >>> corpus = Corpus({"domain": ["x"] * 200, "embedding": E})
        >>> grades = np.where(np.arange(200) < 100, E @ [1.0, -2.0, 0.5], np.nan)
        >>> spread = distil(corpus.with_column("grade:a", grades))
        >>> spread["score:a"][:3].round(2).tolist() == grades[:3].round(2).tolist()
        True
        >>> spread.score_figures["score:a"]
        'held-out rank correlation 1.00 (1.00 to 1.00) over 100 grades'
    """
    graded = grade or corpus.only("grade", "rv.distil")
    column = embedding or corpus.only("embedding", "rv.distil")
    folds = whole_number("folds", folds, 2)
    vectors = np.asarray(corpus[column])
    values = np.asarray(corpus[graded], np.float64)
    rows = np.flatnonzero(np.isfinite(values) & np.isfinite(vectors).all(1))
    X = vectors[rows].astype(np.float64)
    y = values[rows]
    kinds = np.unique(y)
    if len(rows) < FEWEST or len(kinds) < 2:
        raise ReweightvizError(
            f"rv.distil needs at least {FEWEST} grades, not all alike; {graded!r} has "
            f"{len(rows)}, of {len(kinds)} values."
        )
    parts = _split(corpus, rows, folds, seed)
    fit = _fit_ridge
    if len(kinds) == 2:
        y = (y == kinds[1]).astype(np.float64)
        fit = _choose_logistic(X, y, parts)
    head = fit(X, y)
    trial = _hold_out(X, y, parts, fit)
    name = f"score:{label or graded.partition(':')[2] or 'distilled'}"
    recipe = {
        "verb": "distil",
        "from": [column],
        "grade": graded,
        "fitted": {"intercept": head.intercept, "coefficients": head.coefficients.tolist()},
        "options": {"folds": folds, "seed": seed},
        "held_out": trial,
    }
    scores = apply_head(recipe, vectors)
    told = corpus.score_figures | {name: _say(trial)}
    if not trial["low"] > 0:
        warn(
            f"{name} ranks held-out documents no better than chance, {_say(trial)}: grade more "
            "documents, or take another embedding."
        )
    return corpus.with_column(name, scores, recipe=recipe, score_figures=told)


def apply_head(recipe: Mapping[str, Any], embedding: NDArray[Any]) -> Array:
    """Return the scores (n,) of embeddings (n, D) by the head that a recipe keeps."""
    fitted = recipe["fitted"]
    coefficients = np.asarray(fitted["coefficients"], np.float64)
    scores = np.empty(len(embedding))
    for start in range(0, len(embedding), _BLOCK):
        part = np.asarray(embedding[start : start + _BLOCK], np.float64)
        scores[start : start + _BLOCK] = part @ coefficients + fitted["intercept"]
    return np.where(np.isfinite(scores), scores, np.nan)


class _Head(NamedTuple):
    """A linear function of the embedding."""

    intercept: float
    coefficients: Array


def _fit_ridge(X: Array, y: Array) -> _Head:
    fitted = fit_ridge(X, y)
    return _Head(fitted.intercept, fitted.coefficients)


def _choose_logistic(X: Array, y: Array, parts: NDArray[np.int64]) -> Any:
    """Return the fit with the penalty that foretells held-out classes best."""
    scale = float(X.std()) or 1.0

    def fit_with(penalty: float) -> Any:
        return lambda inputs, share: _Head(*fit_logistic(inputs, share, penalty * scale**2))

    costs = []
    for penalty in PENALTIES:
        logits = _foretell(X, y, parts, fit_with(penalty))
        costs.append(float((np.logaddexp(0, logits) - y * logits).sum()))
    return fit_with(PENALTIES[int(np.argmin(costs))])


def _split(corpus: Corpus, rows: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """Return the part (n,) of each grade; equal texts share one, or they would be foretold."""
    groups = np.arange(len(rows))
    if "text" in corpus.columns:
        groups = np.unique(np.array(corpus.text(rows), object), return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    return np.asarray(order[groups] % folds, np.int64)


def _foretell(X: Array, y: Array, parts: NDArray[np.int64], fit: Any) -> Array:
    """Return what each grade is foretold as by the others' parts."""
    foretold = np.empty(len(y))
    for part in np.unique(parts):
        out = parts == part
        head = fit(X[~out], y[~out])
        foretold[out] = X[out] @ head.coefficients + head.intercept
    return foretold


def _hold_out(X: Array, y: Array, parts: NDArray[np.int64], fit: Any) -> dict[str, Any]:
    """Return how grades rank that were held out, with the ends of a 90 % interval."""

    def centred(inputs: Array, grades: Array) -> _Head:
        # Without grades of its own a part is foretold below the mean where it lies above it; the
        # level of each part is none of its ranking.
        head = fit(inputs, grades)
        return _Head(-float((inputs @ head.coefficients).mean()), head.coefficients)

    foretold = _foretell(X, y, parts, centred)
    correlation = float(rank_correlation(foretold[:, None], y[:, None])[0])
    low, high = correlation_interval(correlation, len(y), NORMAL_90)
    trial = {"documents": len(y), "rank_correlation": correlation, "low": low, "high": high}
    if set(np.unique(y)) == {0.0, 1.0}:
        area, error = area_under_curve(foretold, y == 1)
        trial |= {"auc": area, "auc_error": error}
    return {name: value if np.isfinite(value) else 0.0 for name, value in trial.items()}


def _say(trial: Mapping[str, Any]) -> str:
    if "auc" in trial:
        half = NORMAL_90 * trial["auc_error"]
        return f"held-out AUC {trial['auc']:.2f} ± {half:.2f} over {trial['documents']:,} grades"
    return (
        f"held-out rank correlation {trial['rank_correlation']:.2f} ({trial['low']:.2f} to "
        f"{trial['high']:.2f}) over {trial['documents']:,} grades"
    )
