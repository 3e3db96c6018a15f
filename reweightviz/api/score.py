"""Step 2, score: the worth of every document, and the documents chosen by it."""

from __future__ import annotations

import inspect
from typing import Any

from reweightviz import features
from reweightviz.core.corpus import Corpus
from reweightviz.core.protocols import check_options
from reweightviz.evaluation.evaluate_scores import evaluate_scores
from reweightviz.features import (
    distil,
    grade,
    score,
    score_weights,
    select,
    split_by_score,
    split_domain,
    weight_difference,
)

__all__ = [
    "distil",
    "evaluate_scores",
    "grade",
    "gradients",
    "losses",
    "score",
    "score_weights",
    "select",
    "split_by_score",
    "split_domain",
    "weight_difference",
]


def losses(corpus: Corpus, model: Any = "proxy", **options: Any) -> Corpus:
    """Add ``loss:<label>`` (N,), nats per token; "proxy" is the demo's own small model.

    See :func:`reweightviz.features.losses.losses`.
    """
    check_options(losses, options, inspect.signature(features.losses).parameters)
    return features.losses(corpus, _find_proxy(model, options), **options)


def gradients(corpus: Corpus, model: Any = "proxy", **options: Any) -> Corpus:
    """Add ``gradient:<label>`` (N, D), projected; "proxy" is the demo's own small model.

    See :func:`reweightviz.features.gradients.gradients`.
    """
    check_options(gradients, options, inspect.signature(features.gradients).parameters)
    return features.gradients(corpus, _find_proxy(model, options), **options)


def _find_proxy(model: Any, options: dict[str, Any]) -> Any:
    """Return the file of the demo's model where its name came, and label the column by it."""
    if not isinstance(model, str) or model != "proxy":
        return model
    # The demo's files belong to readers, which features may not import.
    from reweightviz.readers.demo.runs import proxy_path

    options.setdefault("label", "proxy")
    return proxy_path()
