"""The documents as the map takes them: from a corpus, or from an array of places; checked once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    MissingColumn,
    ReweightvizError,
    UnmetNeed,
    WrongDomains,
    list_names,
)
from reweightviz.core.mixture import Mixture
from reweightviz.core.selection import Selection, find_rows, tell_origin
from reweightviz.numerics.grids import quantise

__all__ = ["MOST_DOMAINS", "MapDocuments", "ReadTexts", "read_documents"]


MOST_DOMAINS = 65_535  # a uint16 holds the domain of a point

ReadTexts = Callable[[Sequence[int]], Sequence[str]]


@dataclass(frozen=True)
class MapDocuments:
    """N documents on the map.

    Args:
        xy: (N, 2) uint16 places.
        codes: (N,) domain of each document.
        domains: (K,) names.
        natural: (K,) share of the tokens that each domain holds.
        ids: (N,) ids.
        columns: numeric columns (N,) by name.
        tokens: (N,) tokens, or None where nobody counted.
        read_texts: rows to texts, or None where there are none.
        cluster_names: names of the clusters.
        score_figures: column to how far to believe it, in words.
        corpus: where they came from, or None for an array of places.
    """

    xy: NDArray[np.uint16]
    codes: NDArray[np.int32]
    domains: tuple[str, ...]
    natural: NDArray[np.float64]
    ids: NDArray[np.object_]
    columns: Mapping[str, NDArray[Any]]
    tokens: NDArray[np.int64] | None = None
    read_texts: ReadTexts | None = None
    cluster_names: Sequence[str] = ()
    score_figures: Mapping[str, str] = field(default_factory=dict)
    corpus: Corpus | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def _row_by_id(self) -> dict[Any, int]:
        return {name: row for row, name in enumerate(self.ids)}

    def find_rows(self, chosen: Any) -> NDArray[np.int64]:
        """Return rows, sorted and unique.

        Args:
            chosen: rows, ids, or a mask (N,).

        Raises:
            ReweightvizError: a document that is not on the map, or another shape.
        """
        n = len(self)
        chosen = np.asarray(chosen)
        if chosen.ndim != 1:
            raise InvalidArgument(
                name="map.selection",
                value=chosen.shape,
                expected=f"rows, ids or a mask ({n:,},)",
                got=f"shape {chosen.shape}",
            )
        if not len(chosen):
            return np.zeros(0, np.int64)
        if chosen.dtype == bool:
            if len(chosen) != n:
                raise ReweightvizError(
                    f"a mask must have one entry a document, {n:,}; got {len(chosen):,}."
                )
            return np.flatnonzero(chosen)
        if chosen.dtype.kind not in "iu":
            return self._find_ids(chosen)
        if chosen.min() < 0 or chosen.max() >= n:
            raise InvalidValue(
                name="rows of this map",
                value=(int(chosen.min()), int(chosen.max())),
                expected=f"0 to {n - 1:,}",
                got=f"{int(chosen.min()):,} to {int(chosen.max()):,}",
            )
        return np.unique(chosen).astype(np.int64)

    def select(self, rows: NDArray[np.int64], how: str) -> Selection:
        """Return those rows as a selection that says where they came from."""
        origin = {}
        # The digest of a whole corpus is not for a map on which nothing is selected.
        if self.corpus is not None and len(rows):
            origin = tell_origin(self.corpus)
        return Selection(rows, self.ids[rows], {"how": how} | origin)

    def place(self, selection: Selection) -> Selection:
        """Return a selection with the rows that its documents have here."""
        if self.corpus is None:
            self.find_rows(selection.rows)
            return selection
        rows = find_rows(selection, self.corpus)
        if rows is selection.rows:
            return selection
        return replace(selection, rows=rows)

    def _find_ids(self, ids: NDArray[Any]) -> NDArray[np.int64]:
        absent = [name for name in ids if name not in self._row_by_id]
        if absent:
            raise ReweightvizError(
                f"no document {list_names(absent, 3)} on this map of {len(self):,}."
            )
        return np.unique(np.fromiter((self._row_by_id[name] for name in ids), np.int64, len(ids)))


def read_documents(
    data: Any,
    *,
    domains: Sequence[str] | None = None,
    natural: Mapping[str, float] | None = None,
    texts: Any = None,
    ids: Sequence[Any] | None = None,
    columns: Mapping[str, ArrayLike] | None = None,
) -> MapDocuments:
    """Read a corpus with its ``xy`` column, or places (N, 2) with a domain each.

    Raises:
        ReweightvizError: no documents, a place that is not finite, lengths that differ.
    """
    if hasattr(data, "domain_codes"):
        return _read_corpus(data, natural, columns)
    return _read_places(data, domains, natural, texts, ids, columns)


def _read_corpus(
    corpus: Any, natural: Mapping[str, float] | None, extra: Mapping[str, ArrayLike] | None
) -> MapDocuments:
    if "xy" not in corpus.columns:
        raise MissingColumn(
            column="xy", available=corpus.columns, who="a Map", hint="rv.project(corpus) makes it."
        )
    domains = tuple(corpus.domains)
    own = {name: corpus[name] for name in corpus.columns if _is_numeric(corpus[name])}
    columns = {"tokens": corpus.tokens} | own | _check_columns(extra, len(corpus))
    return MapDocuments(
        xy=_quantise(corpus["xy"]),
        codes=np.asarray(corpus.domain_codes, np.int32),
        domains=domains,
        natural=_normalise(natural or corpus.natural, domains),
        ids=corpus.ids,
        columns={name: columns[name] for name in sorted(columns, key=_menu_place)},
        tokens=corpus.tokens,
        read_texts=corpus.text if "text" in corpus.columns else None,
        cluster_names=corpus.meta.get("cluster_names", ()),
        score_figures=corpus.score_figures,
        corpus=corpus,
    )


def _menu_place(column: str) -> tuple[bool, bool, str]:
    """Return the sorting key of a column: clusters first, which have names, and tokens last."""
    return (column != "cluster", column == "tokens", column)


def _read_places(
    xy: Any,
    domains: Sequence[str] | None,
    natural: Mapping[str, float] | None,
    texts: Any,
    ids: Sequence[Any] | None,
    columns: Mapping[str, ArrayLike] | None,
) -> MapDocuments:
    places = _quantise(xy)
    n = len(places)
    labels = ["all"] * n if domains is None else [str(label) for label in domains]
    _check_length("domains", labels, n)
    names = tuple(dict.fromkeys(labels))
    if len(names) > MOST_DOMAINS:
        raise ReweightvizError(f"a Map shows at most {MOST_DOMAINS:,} domains; got {len(names):,}.")
    index = {name: code for code, name in enumerate(names)}
    codes = np.fromiter((index[label] for label in labels), np.int32, n)
    if not natural:
        counts = np.bincount(codes, minlength=len(names)).tolist()
        natural = dict(zip(names, counts, strict=True))
    numeric = _check_columns(columns, n)
    given = [str(row) for row in range(n)] if ids is None else list(ids)
    _check_length("ids", given, n)
    return MapDocuments(
        xy=places,
        codes=codes,
        domains=names,
        natural=_normalise(natural, names),
        ids=np.array(given, object),
        columns=numeric,
        tokens=numeric["tokens"].astype(np.int64) if "tokens" in numeric else None,
        read_texts=_read_texts(texts, n),
    )


# ---- checks


def _quantise(xy: Any) -> NDArray[np.uint16]:
    try:
        places = np.asarray(xy, np.float64)
    except (TypeError, ValueError):
        raise UnmetNeed(
            name="a Map",
            value=xy,
            expected="places (N, 2) of numbers, or a corpus",
            got=type(xy).__name__,
        ) from None
    if places.ndim != 2 or places.shape[1] != 2 or not len(places):
        raise UnmetNeed(
            name="a Map",
            value=places.shape,
            expected="places (N, 2) of at least one document",
            got=f"shape {places.shape}",
        )
    bad = ~np.isfinite(places).all(axis=1)
    if bad.any():
        raise ReweightvizError(
            f"a Map needs finite places; {int(bad.sum()):,} of {len(places):,} rows of xy "
            f"are not, the first is row {int(bad.argmax())}."
        )
    return quantise(places)


def _normalise(natural: Mapping[str, float], domains: tuple[str, ...]) -> NDArray[np.float64]:
    known = [name for name in domains if name in natural]
    if len(known) < len(domains):
        raise WrongDomains(who="natural", asked=known, other="the map", there=domains)
    return Mixture.normalized([(name, float(natural[name])) for name in domains]).array


def _check_columns(columns: Mapping[str, ArrayLike] | None, n: int) -> dict[str, NDArray[Any]]:
    numeric = {str(name): np.asarray(values) for name, values in (columns or {}).items()}
    for name, values in numeric.items():
        if not _is_numeric(values):
            raise InvalidValue(
                name=f"column {name!r}",
                value=(values.dtype, values.shape),
                expected="(N,) numbers",
                got=f"{values.dtype} of shape {values.shape}",
            )
        _check_length(f"column {name!r}", values, n)
    return numeric


def _check_length(what: str, values: Sized, n: int) -> None:
    if len(values) != n:
        raise ReweightvizError(
            f"{what} must have one entry a document, {n:,}; got {len(values):,}."
        )


def _is_numeric(column: Any) -> bool:
    return isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind in "buif"


def _read_texts(texts: Any, n: int) -> ReadTexts | None:
    if texts is None:
        return None
    if callable(texts):
        read: ReadTexts = texts
        return read
    _check_length("texts", texts, n)
    return lambda rows: [str(texts[row]) for row in rows]
