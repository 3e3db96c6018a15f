"""Mixtures that an explorer offers: its law's optimum, the results in its logs, its scores."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import ConvexLaw, Law
from reweightviz.core.runlog import RunLog
from reweightviz.core.sources import Sources
from reweightviz.core.types import kind_of
from reweightviz.features import score_weights
from reweightviz.figures.runs import name_runs
from reweightviz.proposals.optimize import optimize

__all__ = [
    "OPTIMUM",
    "UNCAPPED",
    "collect_results",
    "covers",
    "propose_optimum",
    "weigh_by_scores",
]


OPTIMUM = "law's optimum"
UNCAPPED = "law's optimum, no epoch cap"


def propose_optimum(
    law: ConvexLaw, sources: Sources, *, budget: float, max_epochs: float | None
) -> tuple[str, Mixture] | None:
    """Return the law's optimum and the name of its preset; None where there is no optimum.

    Args:
        law: of the domains of the sources, or of those from which they were split.
        sources: tokens available of each domain.
        budget: tokens to train on.
        max_epochs: cap on the passes over a domain; without it where the budget is more than the
            data at it.
    """
    caps: dict[str, dict[str, Any]] = {OPTIMUM: {"max_epochs": max_epochs}, UNCAPPED: {}}
    for name, cap in caps.items():
        with suppress(ReweightvizError):
            return name, _optimize_quietly(law, tokens=budget, sources=sources, **cap)
    return None


def covers(law: Law, sources: Sources) -> bool:
    """Return whether a law predicts the losses of mixtures of the sources.

    Its domains are those of the sources, or those from which they were split.
    """
    shares = sources.lineage.known_shares(sources.domains, law.domains)
    return bool(np.allclose(shares.sum(0), 1)) and bool(shares.any(1).all())


def collect_results(logs: Sequence[RunLog], domains: Sequence[str]) -> dict[str, Mixture]:
    """Return by name of the preset what mixers came to, of the logs with these domains."""
    results = {}
    for name, log in zip(name_runs(logs), logs, strict=True):
        weights = log.meta.get("result")
        # The editor always offers natural and uniform by itself.
        if not weights or log.name in ("natural", "uniform") or set(log.domains) != set(domains):
            continue
        results[f"{name} (log)"] = Mixture.normalized(
            zip(log.domains, weights, strict=True), source={"method": log.name}
        )
    return results


def weigh_by_scores(corpus: Corpus, natural: Mixture) -> dict[str, Mixture]:
    """Return by name of the preset what the scores of a corpus make of the natural weights.

    A score that some domain has not one of is left out, as are its weights.
    """
    weighed = {}
    for name in corpus.columns:
        if kind_of(name) == "score":
            with suppress(ReweightvizError):
                weighed[f"by {name}"] = score_weights(corpus, name, prior=natural)
    return weighed


def _optimize_quietly(law: Law, **constraints: Any) -> Mixture:
    """Return the optimum with its warnings in its source, where the page shows them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ReweightvizWarning)
        optimum = optimize(law, draws=0, **constraints)
    sentences = []
    for warning in caught:
        if issubclass(warning.category, ReweightvizWarning):
            sentences.append(str(warning.message))
        else:
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return Mixture(optimum, source=optimum.source | {"warnings": sentences})
