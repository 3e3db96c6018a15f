"""A table of ``rv.pareto`` read for its pictures, and described in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.types import Array
from reweightviz.figures.plotly_text import escape_plotly

__all__ = [
    "OUTSIDE",
    "describe_front",
    "describe_point",
    "find_outside",
    "list_targets",
    "read_predictions",
    "read_references",
]


OUTSIDE = 0.01
"""Share of tokens outside the runs' hull from which a point is drawn hollow."""
_PARTS = ("weight", "predicted", "low", "high")
_MOST = 6  # domains that a point names
_LEAST = 0.0005  # weight of a domain that is named


def list_targets(front: pd.DataFrame) -> list[str]:
    """Return the targets of a front.

    Raises:
        ReweightvizError: a table that ``rv.pareto`` did not give.
    """
    parts: set[str] = set()
    if isinstance(front, pd.DataFrame) and front.columns.nlevels == 2:
        parts = set(front.columns.get_level_values(0))
    absent = [part for part in _PARTS if part not in parts]
    if absent or not len(front):
        fault = f"there is no {list_names(absent)}" if absent else "it has no rows"
        raise ReweightvizError(
            "a ParetoFront draws what rv.pareto(law, targets) gives, with columns "
            f"{list_names(_PARTS)}; {fault}."
        )
    return list(front["predicted"].columns)


def read_predictions(front: pd.DataFrame) -> Array:
    """Return the predicted losses (P, M)."""
    return np.asarray(front["predicted"], np.float64)


def read_references(front: pd.DataFrame, targets: Sequence[str]) -> Array:
    """Return the losses of the reference mixtures on the two targets of the axes, (F, 2)."""
    references = front.attrs.get("references", {})
    losses = [[each["predicted"][name] for name in targets[:2]] for each in references.values()]
    return np.array(losses, np.float64).reshape(-1, 2)


def find_outside(front: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which mixtures (P,) lie outside the hull of the runs."""
    if "outside" not in front.columns.get_level_values(0):
        return np.zeros(len(front), bool)
    return np.asarray(front["outside"]["hull"] > OUTSIDE)


def describe_front(front: pd.DataFrame) -> str:
    """Return remarks on the picture: hollow points, intervals wider than the whole front."""
    parts = []
    if front["low"].notna().any(axis=None):
        widths = (front["high"] - front["low"]).to_numpy(np.float64)
        width = np.nanmedian(widths, axis=0)
        wider = width > np.ptp(read_predictions(front), axis=0)
        wide = [name for name, is_wider in zip(list_targets(front), wider, strict=True) if is_wider]
        if wide:
            names = ", ".join(wide)
            parts.append(f"a new run's 90 % interval is wider than the whole front for {names}")
    if find_outside(front).any():
        parts.append("hollow: outside the hull of the runs")
    return "; ".join(parts)


def describe_point(front: pd.DataFrame, row: int) -> str:
    """Return a point as plotly text: predictions with their intervals, the largest weights."""
    lines = []
    for name in list_targets(front):
        value, low, high = (
            float(front[part][name].iloc[row]) for part in ("predicted", "low", "high")
        )
        interval = f" ({low:.3f} to {high:.3f})" if np.isfinite(low) else ""
        lines.append(f"<b>{escape_plotly(name, 28)}</b> {value:.3f}{interval}")
    weights = front["weight"].iloc[row].sort_values(ascending=False)
    for domain, weight in weights.head(_MOST).items():
        if weight >= _LEAST:
            lines.append(f"{escape_plotly(str(domain), 28)} {100 * weight:.1f} %")
    if find_outside(front)[row]:
        share = 100 * float(front["outside"]["hull"].iloc[row])
        lines.append(f"{share:.1f} % of the tokens outside the runs' hull")
    return "<br>".join(lines)
