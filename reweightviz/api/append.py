"""Corpus.append: what joins the rooms for it; readers count tokens, scorers have names."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from reweightviz import scorers
from reweightviz.core.corpus import Corpus
from reweightviz.core.protocols import Scorer
from reweightviz.features.append import append as append_documents
from reweightviz.readers.documents._tokenizer import TokenCounter

__all__ = ["append", "find_scorer"]


def append(corpus: Corpus, documents: Any) -> Corpus:
    """Return a corpus with more documents; see :meth:`reweightviz.Corpus.append`."""
    return append_documents(corpus, documents, count_tokens=_count_tokens, find_scorer=find_scorer)


def find_scorer(text: str) -> Scorer | None:
    """Return the scorer of a representation, None where it is none of ours.

    The text comes from a file and is not run: a name of ``rv.scorers`` and plain values are read.

    >>> find_scorer("Loss()"), find_scorer("__import__('os')")
    (Loss(), None)
    """
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            return None
        if call.func.id not in scorers.__all__:
            return None
        values = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
        scorer: Scorer = getattr(scorers, call.func.id)(**values)
    except (SyntaxError, ValueError, TypeError):
        return None
    return scorer


def _count_tokens(texts: Sequence[str], tokenizer: str) -> NDArray[np.int64]:
    table = pa.table({"text": pa.array(list(texts), pa.large_string())})
    counted = TokenCounter(tokenizer).append_tokens(table)
    return np.asarray(counted.column("tokens").to_numpy())
