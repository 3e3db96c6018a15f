"""domain: documents that become a domain of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.selection import Selection


def split_domain(
    corpus: Corpus, selection: Selection | Sequence[int] | NDArray[Any], name: str
) -> Corpus:
    """Make the selected documents a domain of their own, called ``name``.

    The corpus remembers where they lay, so that a law of the former domains still predicts: the
    new domain's weight counts as its parents', by the tokens that came from each.
    """
    rows = selection.rows if isinstance(selection, Selection) else np.asarray(selection)
    if rows.dtype == bool:
        rows = np.flatnonzero(rows)
    if name in corpus.domains:
        raise ReweightvizError(
            f"there is a domain {name!r} already; give the new one another name."
        )
    if not len(rows):
        raise ReweightvizError("the selection is empty; lasso some documents first.")
    if rows.min() < 0 or rows.max() >= len(corpus):
        raise InvalidValue(
            name="rows",
            value=(rows.min(), rows.max()),
            expected=f"between 0 and {len(corpus) - 1}",
            got=f"{rows.min()} to {rows.max()}",
        )
    return corpus.with_domain(rows, name)
