"""The documents as the map takes them: from a corpus, or from an array of places; checked once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import (
    InvalidValue,
    MissingColumn,
    ReweightvizError,
    UnmetNeed,
    WrongDomains,
    listed,
)
from reweightviz.core.mixture import Mixture
from reweightviz.figures.palette import MISSING, build_ramp, choose_colors, parse_hex
from reweightviz.numerics.grids import quantised

MOST_DOMAINS = 65_535
MOST_CATEGORIES = 254


class Coloring(NamedTuple):
    """How the points are coloured: a byte a point (0 is missing), 256 colours, and what the legend says."""

    values: bytes
    ramp: bytes
    legend: dict[str, Any]


@dataclass(frozen=True)
class Points:
    """N documents on the map.

    Args:
        xy: (N, 2) uint16 places.
        codes: (N,) domain of each document.
        domains: (K,) names.
        natural: (K,) share of the tokens that each domain holds.
        ids: (N,) ids.
        columns: numeric columns (N,) by name.
        tokens: (N,) tokens, or None where nobody counted.
        text: rows to texts, or None where there are none.
        cluster_names: names of the clusters.
    """

    xy: NDArray[np.uint16]
    codes: NDArray[np.int32]
    domains: tuple[str, ...]
    natural: NDArray[np.float64]
    ids: NDArray[np.object_]
    columns: Mapping[str, NDArray[Any]]
    tokens: NDArray[np.int64] | None
    text: Callable[[Sequence[int]], Sequence[str]] | None
    cluster_names: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def color_options(self) -> list[str]:
        """What ``color_by`` may be."""
        return ["domain", *self.columns]

    def coloring(self, color_by: str) -> Coloring:
        """Values, ramp and legend for one of :attr:`color_options`."""
        if color_by == "domain":
            return Coloring(b"", bytes(768), {"kind": "domain", "title": "domain"})
        if color_by not in self.columns:
            raise InvalidValue(
                name="a Map",
                value=color_by,
                expected="coloured by 'domain' or a numeric column",
                got=f"{color_by!r}, there is {listed(self.color_options, 40)}",
            )
        column = self.columns[color_by]
        return self._categories(column) if color_by == "cluster" else _numbers(color_by, column)

    def _categories(self, column: NDArray[Any]) -> Coloring:
        """Clusters, the largest first; those past the 254th, and negative ones, are drawn as missing."""
        known = np.isfinite(column) & (column >= 0)
        found, inverse, counts = np.unique(
            column[known].astype(np.int64), return_inverse=True, return_counts=True
        )
        by_size = np.argsort(-counts, kind="stable")
        slot = np.argsort(by_size)[inverse]
        values = np.zeros(len(self), np.uint8)
        values[known] = np.where(slot < MOST_CATEGORIES, slot + 1, 0)
        shown = found[by_size[:MOST_CATEGORIES]]
        palette = choose_colors(len(shown))
        names = [
            str(self.cluster_names[c]) if c < len(self.cluster_names) else f"cluster {c}"
            for c in shown
        ]
        at = [
            np.median(self.xy[values == i + 1], axis=0).round().astype(int).tolist()
            for i in range(len(shown))
        ]
        sizes = counts[by_size[:MOST_CATEGORIES]].tolist()
        legend = {
            "kind": "category",
            "title": "cluster",
            "names": names,
            "colors": palette,
            "at": at,
            "counts": sizes,
        }
        return Coloring(values.tobytes(), _ramp([parse_hex(color) for color in palette]), legend)


def _numbers(title: str, column: NDArray[Any]) -> Coloring:
    """Linear between the 1st and the 99th percentile, so that one outlier does not grey the rest."""
    finite = np.isfinite(column)
    if not finite.any():
        raise ReweightvizError(f"column {title!r} has no finite value to colour by.")
    data = column[finite].astype(np.float64)
    low, high = np.percentile(data, [1, 99])
    unit = np.clip((column - low) / ((high - low) or 1.0), 0, 1)
    values = np.where(finite, 1 + np.rint(254 * np.where(finite, unit, 0)), 0).astype(np.uint8)
    legend = {
        "kind": "number",
        "title": title,
        "low": float(low),
        "high": float(high),
        "missing": int((~finite).sum()),
        "below": bool(data.min() < low),
        "above": bool(data.max() > high),
    }
    return Coloring(values.tobytes(), _ramp(build_ramp()[1:]), legend)


def _ramp(shades: Sequence[Sequence[int]] | NDArray[np.uint8]) -> bytes:
    table = np.zeros((256, 3), np.uint8)
    table[0] = MISSING
    table[1 : 1 + len(shades)] = np.asarray(shades, np.uint8).reshape(-1, 3)
    return table.tobytes()


def points_of(
    data: Any,
    *,
    domains: Sequence[str] | None = None,
    natural: Mapping[str, float] | None = None,
    texts: Any = None,
    ids: Sequence[Any] | None = None,
    columns: Mapping[str, ArrayLike] | None = None,
) -> Points:
    """A corpus with its ``xy`` column, or places (N, 2) with a domain each.

    Raises:
        ReweightvizError: no documents, a place that is not finite, lengths that differ.
    """
    return (
        _from_corpus(data, natural, columns)
        if hasattr(data, "domain_codes")
        else _from_array(data, domains, natural, texts, ids, columns)
    )


def _from_corpus(
    corpus: Any, natural: Mapping[str, float] | None, extra: Mapping[str, ArrayLike] | None
) -> Points:
    if "xy" not in corpus.columns:
        raise MissingColumn(
            column="xy", available=corpus.columns, who="a Map", hint="rv.project(corpus) makes it."
        )
    names = tuple(corpus.domains)
    numeric = {name: corpus[name] for name in corpus.columns if _is_numeric(corpus[name])}
    numeric = {"tokens": corpus.tokens} | numeric | _numeric_columns(extra, len(corpus))
    # Clusters first: the one column that is read as names.
    ordered = {
        name: numeric[name]
        for name in sorted(numeric, key=lambda name: (name != "cluster", name == "tokens", name))
    }
    return Points(
        _places(corpus["xy"]),
        np.asarray(corpus.domain_codes, np.int32),
        names,
        _shares(natural or corpus.natural, names),
        corpus.ids,
        ordered,
        corpus.tokens,
        corpus.text if "text" in corpus.columns else None,
        corpus.meta.get("cluster_names", ()),
    )


def _from_array(
    xy: Any,
    domains: Sequence[str] | None,
    natural: Mapping[str, float] | None,
    texts: Any,
    ids: Sequence[Any] | None,
    columns: Mapping[str, ArrayLike] | None,
) -> Points:
    places = _places(xy)
    n = len(places)
    labels = ["all"] * n if domains is None else [str(label) for label in domains]
    _same_length("domains", labels, n)
    names = tuple(dict.fromkeys(labels))
    if len(names) > MOST_DOMAINS:
        raise ReweightvizError(f"a Map shows at most {MOST_DOMAINS:,} domains; got {len(names):,}.")
    index = {name: code for code, name in enumerate(names)}
    codes = np.fromiter((index[label] for label in labels), np.int32, n)
    share = natural or dict(
        zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True)
    )
    numeric = _numeric_columns(columns, n)
    tokens = numeric["tokens"].astype(np.int64) if "tokens" in numeric else None
    given = [str(row) for row in range(n)] if ids is None else list(ids)
    _same_length("ids", given, n)
    return Points(
        places,
        codes,
        names,
        _shares(share, names),
        np.array(given, object),
        numeric,
        tokens,
        _texts(texts, n),
        (),
    )


def _places(xy: Any) -> NDArray[np.uint16]:
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
    return quantised(places)


def _shares(natural: Mapping[str, float], names: tuple[str, ...]) -> NDArray[np.float64]:
    absent = [name for name in names if name not in natural]
    if absent:
        raise WrongDomains(
            who="natural",
            asked=[name for name in names if name in natural],
            other="the map",
            there=names,
        )
    return Mixture.normalized([(name, float(natural[name])) for name in names]).array


def _same_length(what: str, values: Sequence[Any], n: int) -> None:
    if len(values) != n:
        raise ReweightvizError(
            f"{what} must have one entry a document, {n:,}; got {len(values):,}."
        )


def _is_numeric(column: Any) -> bool:
    return isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind in "buif"


def _numeric_columns(columns: Mapping[str, ArrayLike] | None, n: int) -> dict[str, NDArray[Any]]:
    numeric = {str(name): np.asarray(values) for name, values in (columns or {}).items()}
    for name, values in numeric.items():
        if not _is_numeric(values):
            raise InvalidValue(
                name=f"column {name!r}",
                value=(values.dtype, values.shape),
                expected="(N,) numbers",
                got=f"{values.dtype} of shape {values.shape}",
            )
        _same_length(f"column {name!r}", values, n)
    return numeric


def _texts(texts: Any, n: int) -> Callable[[Sequence[int]], Sequence[str]] | None:
    if texts is None or callable(texts):
        return texts
    _same_length("texts", texts, n)
    return lambda rows: [str(texts[row]) for row in rows]
