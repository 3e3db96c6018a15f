"""score_weights: a score of documents as weights of their domains."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import InvalidArgument, ReweightvizError, UnknownName, UnmetNeed
from reweightviz.core.mixture import Mixture
from reweightviz.core.types import Array

__all__ = ["HOW", "score_weights"]


HOW = ("mean", "share above", "softmax")
"""How the scores of a domain's documents become a factor of its weight."""


def score_weights(
    corpus: Corpus,
    score: str | None = None,
    *,
    how: str = "softmax",
    threshold: float | None = None,
    temperature: float = 1.0,
    prior: Mapping[str, float] | None = None,
) -> Mixture:
    """Return weights that are the prior's times a factor of each domain, scaled to sum to 1.

    Means and shares count tokens, over documents that have a score. Domains of equal scores keep
    the prior's proportions.

    Args:
        corpus: documents with a score.
        score: name of the column; the only score when not given.
        how: the factor of a domain: "mean", its mean score, which must not be negative; "share
            above", the share of its tokens with a score of ``threshold`` or more; "softmax",
            ``exp(z / temperature)`` of its mean score in standard deviations of the documents'.
        threshold: of "share above".
        temperature: of "softmax"; the higher, the closer to the prior.
        prior: weights to start from; each domain's share of the tokens when not given.

    Raises:
        ReweightvizError: a domain has no score, or no factor is above 0.

    Example:
        >>> corpus = Corpus({"text": ["aa", "bb"], "domain": ["web", "code"]})
        >>> corpus = corpus.with_column("score:x", [1.0, 3.0])
        >>> dict(score_weights(corpus, how="mean"))
        {'web': 0.25, 'code': 0.75}
    """
    if how not in HOW:
        raise UnknownName(kind="way from scores to weights", name=str(how), known=HOW)
    name = score or corpus.only("score", "rv.score_weights")
    values = np.asarray(corpus[name], np.float64)
    if how == "share above":
        if threshold is None:
            raise UnmetNeed(
                name="how='share above'", value=threshold, expected="threshold=", got="none"
            )
        factors = _average(corpus, values, np.where(values >= threshold, 1.0, 0.0))
    else:
        factors = _average(corpus, values, values)
    if how == "mean" and factors.min() < 0:
        raise ReweightvizError(
            f"the mean of {name!r} is negative in a domain; how='softmax' takes any scores."
        )
    if how == "softmax":
        if not temperature > 0:
            raise InvalidArgument(name="temperature", value=temperature, expected="above 0")
        spread = float(np.nanstd(np.where(np.isfinite(values), values, np.nan))) or 1.0
        steps = factors / spread / temperature
        factors = np.exp(steps - steps.max())
    base = corpus.natural if prior is None else Mixture.normalized(prior)
    weights = factors * base.aligned(corpus.domains)
    if not weights.sum() > 0:
        raise ReweightvizError(
            f"no document has a score of {threshold} or more in {name!r}; take a lower threshold."
        )
    source = {"method": "score_weights", "score": name, "how": how}
    return Mixture.normalized(zip(corpus.domains, weights, strict=True), source=source)


def _average(corpus: Corpus, score: Array, values: Array) -> Array:
    """Return the mean (K,) of values over the tokens of documents with a score."""
    K = len(corpus.domains)
    counted = np.where(np.isfinite(score), np.asarray(corpus.tokens, np.float64), 0.0)
    tokens = np.bincount(corpus.domain_codes, counted, K)
    if not tokens.all():
        domain = corpus.domains[int(np.argmin(tokens))]
        raise ReweightvizError(
            f"no document of domain {domain[:60]!r} has a score; score them, or take it out."
        )
    sums = np.bincount(corpus.domain_codes, counted * np.where(counted > 0, values, 0.0), K)
    return np.asarray(sums / tokens, np.float64)
