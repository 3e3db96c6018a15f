"""Types of arrays, and the closed lists of corpus columns and signals, with shape and unit."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "COLUMNS",
    "COSTLY_SIGNALS",
    "LOG_SIGNALS",
    "SIGNALS",
    "Array",
    "Kind",
    "Rows",
    "Single",
    "kind_of",
]


Array: TypeAlias = NDArray[np.float64]
"""Numbers, of any shape."""
Single: TypeAlias = NDArray[np.float32]
"""Numbers in single precision, of which there are many."""
Rows: TypeAlias = NDArray[np.int64]
"""Row numbers."""


class Kind(NamedTuple):
    """Shape, unit and meaning of a column or a signal."""

    shape: str
    unit: str
    meaning: str


COLUMNS: dict[str, Kind] = {
    "id": Kind("(N,)", "text", "name of a document, unique in its corpus"),
    "text": Kind("(N,)", "text", "the document"),
    "domain": Kind("(N,)", "text", "which domain the document belongs to"),
    "former_domain": Kind(
        "(N,)", "text", "the domain before a split; `former_domain:1` before the first"
    ),
    "tokens": Kind("(N,)", "tokens", "length of the document under the corpus' tokenizer"),
    "embedding": Kind("(N, D)", "1", "a vector a document"),
    "xy": Kind("(N, 2)", "1", "place on the map"),
    "cluster": Kind("(N,)", "index", "which cluster; names in meta['cluster_names']"),
    "score": Kind("(N,)", "the scorer's", "what a document is worth; `score:<method>`"),
    "loss": Kind(
        "(N,)", "nats per token", "mean loss of the document under a model; `loss:<model>`"
    ),
    "token_loss": Kind(
        "(N,)", "lists of nats", "loss of every next token of the document; `token_loss:<model>`"
    ),
    "gradient": Kind("(N, D)", "1", "projected gradient of the document's loss"),
    "features": Kind("(N, F)", "1", "sparse features of the document, such as those of an SAE"),
    "copies": Kind("(N,)", "documents", "how often the document is in the corpus, itself included"),
    "grade": Kind(
        "(N,)", "the grader's", "grade of the document; NaN where none; `grade:<grader>`"
    ),
}
"""Kinds of corpus columns. Several of a kind carry a label after a colon: ``score:loss``."""

SIGNALS: dict[str, Kind] = {
    "tokens": Kind("(K,)", "tokens", "tokens available in each domain"),
    "documents": Kind("(K,)", "documents", "documents available in each domain"),
    "cost": Kind(
        "(K,)", "any currency", "what a token of each domain costs; all alike when not given"
    ),
    "sizes": Kind(
        "(S, K)", "tokens", "sizes at which each domain's loss was measured; NaN for none"
    ),
    "size_losses": Kind("(S, K)", "nats per token", "each domain's loss at those sizes"),
    "task_heads": Kind(
        "(D, K)", "1", "the last layer that each domain's task needs on a common representation"
    ),
    "target_head": Kind(
        "(D,)", "1", "the last layer that the target task needs on the same representation"
    ),
    "influence": Kind(
        "(K,)",
        "any, higher is better",
        "how much more of each domain lowers the target's loss; NaN where not known",
    ),
    "task": Kind(
        "(K,)",
        "index",
        "which task each domain belongs to, such as hard math and easy math to math",
    ),
    "prior": Kind("(K,)", "share of tokens", "weights to start from; uniform when not given"),
    "loss": Kind("(T, K)", "nats per token", "training loss of the model on each domain"),
    "reference_loss": Kind(
        "(T, K)", "nats per token", "loss of a frozen reference model on the same tokens"
    ),
    "excess_loss": Kind(
        "(T, K)", "nats per token", "mean over tokens of max(loss - reference loss, 0)"
    ),
    "held_out_loss": Kind(
        "(T, K)", "nats per token", "loss on documents that are never trained on"
    ),
    "probe_loss": Kind(
        "(T, K)", "nats per token", "loss on the held-out documents that mixers may look at"
    ),
    "gradient_products": Kind(
        "(T, K)", "1", "inner product of each domain's gradient with that of the mean held-out loss"
    ),
    "gradient_norm": Kind("(T, K)", "1", "length of each domain's training gradient"),
    "hypergradient": Kind(
        "(T, K)",
        "nats per token",
        "derivative of the mean held-out loss after an update, by each domain's weight",
    ),
    "penalty_gap": Kind(
        "(T, K)",
        "nats per token",
        "loss under the model less that under a follower of the training loss alone",
    ),
    "drawn_tokens": Kind("(T, K)", "tokens", "tokens drawn since the last record"),
    "score": Kind("(N,)", "the scorer's", "higher is better, NaN last"),
    "target_text": Kind("(Q,)", "text", "documents of the target"),
    "query_embedding": Kind("(Q, D)", "1", "embedding of the target's documents"),
    "query_features": Kind("(Q, F)", "1", "sparse features of the target's documents"),
    "query_gradient": Kind("(Q, D)", "1", "projected gradients of the target's documents"),
    "query_group": Kind(
        "(Q,)", "index", "which task of the target each of its documents belongs to; all one"
    ),
    "weight_difference": Kind(
        "(D,)", "1", "parameters of a reference model less those of the model, projected alike"
    ),
    "model_losses": Kind("(N, M)", "nats per token", "each document's loss under M models"),
    "benchmark": Kind("(M,)", "any, higher is better", "average benchmark score of those models"),
    "runs": Kind("(R, N)", "bool", "which documents each training run saw"),
    "run_losses": Kind("(R,)", "nats per token", "loss on the target that the run reached"),
    "ratings": Kind("(N, r)", "each rater's", "ratings of the documents by r raters"),
    "rater_weights": Kind(
        "(R, r)", "1", "weights of the raters by which each run's data was chosen"
    ),
    "comparisons": Kind("(P, 2)", "row", "pairs of documents that were compared"),
    "preference": Kind("(P,)", "share", "how sure the first of the pair is the better one"),
    "answer_log_probs": Kind(
        "(N, A)",
        "nats",
        "log probability of each answer that a grader may give; -inf where it was not told, NaN "
        "where the document was not graded",
    ),
    "skills": Kind("(N, S)", "1", "which skills each document has; sparse"),
    "profile": Kind("(S,)", "any", "how much each skill is wanted"),
    "mixtures": Kind("(R, K)", "share of tokens", "domain weights of the proxy runs"),
    "losses": Kind("(R, M)", "the target's", "what the proxy runs reached"),
    "size": Kind("(R,)", "parameters", "model parameters of the proxy runs"),
    "run_tokens": Kind("(R,)", "tokens", "training tokens of the proxy runs"),
    "available": Kind("(R, K) or (K,)", "tokens", "tokens that there were of each domain"),
    "law": Kind("()", "law", "a fitted law on the losses of smaller models"),
    "proxy_losses": Kind(
        "(R, P)", "the proxy target's", "what a small model reached at the same mixtures"
    ),
    "log_probs": Kind(
        "(X, K)",
        "nats",
        "log probability of the target's documents under a model of each domain; or one "
        "array a target",
    ),
    "lengths": Kind(
        "(X,)", "tokens", "length of those documents; log_probs are then of whole documents"
    ),
    "embedding": Kind("(X, D)", "1", "documents of each domain; a mapping of domain to array"),
    "target_embedding": Kind(
        "(Y, D)", "1", "documents of the targets; or a mapping of target to array"
    ),
    "domain_distances": Kind(
        "(K,) or (M, K)", "1", "transport distance of each domain to the targets"
    ),
    "lower_is_better": Kind("(M,)", "bool", "direction of each target"),
    "graph": Kind(
        "(K, K)",
        "1",
        "skills graph: the share of the column's loss that training on the row's domain "
        "alone takes off",
    ),
    "policy": Kind(
        "()", "policy", "gives the next weights from the history of weights and held-out losses"
    ),
    "k": Kind("()", "documents", "how many documents to select"),
    "rng": Kind("()", "generator", "numpy Generator made from the verb's seed"),
}
"""Names that a method may have as keyword-only parameters, as a pytest test names its fixtures."""

COSTLY_SIGNALS = (
    "held_out_loss",
    "probe_loss",
    "gradient_products",
    "gradient_norm",
    "hypergradient",
    "penalty_gap",
)
"""Signals that take extra passes to measure.

A trainer does so on the steps that a mixer's ``measures`` names; on all others they are NaN.
"""

LOG_SIGNALS = ("loss", "reference_loss", "excess_loss", "drawn_tokens", *COSTLY_SIGNALS)
"""The signals that a RunLog may hold, each (T, K)."""


def kind_of(column: str) -> str:
    """Return the kind of a column name: what stands before the colon.

    >>> kind_of("loss:proxy")
    'loss'
    """
    return column.partition(":")[0]
