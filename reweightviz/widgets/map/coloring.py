"""The colours of the points of a map: a byte a point, a ramp of 256 colours, a legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, list_names
from reweightviz.figures.palette import MISSING, build_ramp, choose_colors, parse_hex
from reweightviz.widgets.map.documents import MapDocuments

__all__ = ["MOST_CATEGORIES", "Coloring", "color_documents", "list_color_options"]


MOST_CATEGORIES = 254


class Coloring(NamedTuple):
    """Values (N,) uint8, 0 where one is missing; a ramp (256, 3) uint8; the legend of both."""

    values: bytes
    ramp: bytes
    legend: dict[str, Any]


def list_color_options(documents: MapDocuments) -> list[str]:
    """Return the names that documents can be coloured by."""
    return ["domain", *documents.columns]


def color_documents(documents: MapDocuments, color_by: str) -> Coloring:
    """Colour documents by one of :func:`list_color_options`.

    Raises:
        ReweightvizError: no such column, or one without a finite value.
    """
    if color_by == "domain":
        # The page has the domain of every point already.
        return Coloring(b"", bytes(768), {"kind": "domain", "title": "domain"})
    if color_by not in documents.columns:
        raise InvalidValue(
            name="a Map",
            value=color_by,
            expected="coloured by 'domain' or a numeric column",
            got=f"{color_by!r}, there is {list_names(list_color_options(documents), 40)}",
        )
    if color_by == "cluster":
        return _color_categories(documents)
    return _color_numbers(color_by, documents.columns[color_by])


def _color_categories(documents: MapDocuments) -> Coloring:
    """Colour clusters, the largest first; those past the 254th and negative ones are missing."""
    column = documents.columns["cluster"]
    known = np.isfinite(column) & (column >= 0)
    clusters, inverse, counts = np.unique(
        column[known].astype(np.int64), return_inverse=True, return_counts=True
    )
    by_size = np.argsort(-counts, kind="stable")
    slot = np.argsort(by_size)[inverse]
    values = np.zeros(len(documents), np.uint8)
    values[known] = np.where(slot < MOST_CATEGORIES, slot + 1, 0)
    shown = by_size[:MOST_CATEGORIES]
    palette = choose_colors(len(shown))
    centres = [np.median(documents.xy[values == i + 1], axis=0) for i in range(len(shown))]
    legend = {
        "kind": "category",
        "title": "cluster",
        "names": [_name_cluster(documents, cluster) for cluster in clusters[shown].tolist()],
        "colors": palette,
        "at": [centre.round().astype(int).tolist() for centre in centres],
        "counts": counts[shown].tolist(),
    }
    return Coloring(values.tobytes(), _fill_ramp([parse_hex(color) for color in palette]), legend)


def _name_cluster(documents: MapDocuments, cluster: int) -> str:
    names = documents.cluster_names
    return str(names[cluster]) if cluster < len(names) else f"cluster {cluster}"


def _color_numbers(title: str, column: NDArray[Any]) -> Coloring:
    """Colour from the 1st to the 99th percentile, so that one outlier does not grey the rest."""
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
    return Coloring(values.tobytes(), _fill_ramp(build_ramp()[1:]), legend)


def _fill_ramp(shades: Sequence[Sequence[int]] | NDArray[np.uint8]) -> bytes:
    table = np.zeros((256, 3), np.uint8)
    table[0] = MISSING
    table[1 : 1 + len(shades)] = np.asarray(shades, np.uint8).reshape(-1, 3)
    return table.tobytes()
