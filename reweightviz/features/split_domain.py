"""domain: documents that become a domain of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import InvalidValue, ReweightvizError
from reweightviz.core.selection import Selection, find_rows

__all__ = ["move_documents", "split_domain"]


def split_domain(
    corpus: Corpus, selection: Selection | Sequence[int] | NDArray[Any], name: str
) -> Corpus:
    """Make the selected documents a domain of their own, called ``name``.

    The corpus remembers where they lay, so that a law of the former domains still predicts: the
    new domain's weight counts as its parents', by the tokens that came from each.

    Raises:
        ReweightvizError: there is such a domain, or other documents lay in one of that name
            before; the selection is empty, or names rows that are not there.
    """
    if isinstance(selection, Selection):
        selection = find_rows(selection, corpus)
    rows = np.asarray(selection)
    if rows.dtype == bool:
        rows = np.flatnonzero(rows)
    _check_rows(corpus, rows)
    _check_name(corpus, rows, name)
    domain = np.array(corpus.domains, object)[corpus.domain_codes]
    domain[rows] = name
    return move_documents(corpus, domain, [*corpus.domains, name])


def move_documents(corpus: Corpus, domain: NDArray[np.object_], order: Sequence[str]) -> Corpus:
    """Return the corpus with other domains (N,), which remembers where its documents lay.

    Args:
        corpus: as it was.
        domain: (N,) names.
        order: of the domains; those that lose their last document are left out.
    """
    emptied = {corpus.domains[code] for code in np.unique(corpus.domain_codes)} - set(domain)
    columns = {column: corpus[column] for column in corpus.columns}
    columns[f"former_domain:{len(corpus.former_domains) + 1}"] = corpus["domain"]
    columns["domain"] = domain
    stay = [name for name in order if name not in emptied]
    return Corpus(columns, domains=stay, tokenizer=corpus.tokenizer, meta=corpus.meta)


def _check_rows(corpus: Corpus, rows: NDArray[Any]) -> None:
    if not len(rows):
        raise ReweightvizError("the selection is empty; lasso some documents first.")
    if rows.min() < 0 or rows.max() >= len(corpus):
        raise InvalidValue(
            name="rows",
            value=(rows.min(), rows.max()),
            expected=f"between 0 and {len(corpus) - 1}",
            got=f"{rows.min()} to {rows.max()}",
        )


def _check_name(corpus: Corpus, rows: NDArray[Any], name: str) -> None:
    if name in corpus.domains:
        raise ReweightvizError(
            f"there is a domain {name!r} already; give the new one another name."
        )
    # A name means one set of documents through all splits, or the lineage would mix two.
    were_there = np.zeros(len(corpus), bool)
    for column in corpus.former_domains:
        were_there |= np.asarray(corpus[column].to_numpy() == name)
    if were_there.any() and not were_there[rows].all():
        raise ReweightvizError(
            f"other documents lay in a domain {name!r} before; give the new one another name."
        )
