"""The law behind the editor's predicted losses: its form for the page, and its predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reweightviz.core.lineage import Lineage
from reweightviz.core.protocols import Law
from reweightviz.core.types import Array
from reweightviz.numerics.contrast import directions, forecast_mixtures

__all__ = ["describe_law", "predict_pair"]


def describe_law(
    law: Law | None, domains: Sequence[str], lineage: Lineage
) -> tuple[dict[str, Any], bytes]:
    """Return header and numbers of a law's browser form.

    Args:
        law: without a browser form, the page lets the kernel predict; None where there is none.
        domains: of the editor (K,).
        lineage: from which domains of the law they were split.
    """
    if law is None:
        return {}, b""
    form = law.browser_form() if hasattr(law, "browser_form") else None
    if form is None:
        header: dict[str, Any] = {
            "kind": "kernel",
            "domains": list(law.domains),
            "targets": list(law.targets),
            "lower_is_better": directions(law).tolist(),
        }
    else:
        header = dict(form.header)
    if lineage:
        header["shares"] = _list_triples(lineage.known_shares(domains, law.domains))
    return header, b"" if form is None else bytes(form.data)


def predict_pair(law: Law, weights: Array, level: float) -> dict[str, Any]:
    """Return the predictions ``now`` and ``before``, and the ``change``, as JSON can hold them.

    Args:
        law: predicts.
        weights: (2, K) now and before, of the law's domains.
        level: coverage of the intervals.
    """
    forecast = forecast_mixtures(law, weights, level=level)
    rows = np.stack([forecast.figures, *forecast.bounds], axis=-1)
    mean, targets = forecast.contrast(0, 1)
    return {
        "now": _name_figures(rows[0]),
        "before": _name_figures(rows[1]),
        "change": _split_mean([vars(each) for each in (mean, *targets)]),
    }


def _list_triples(shares: Array) -> list[list[float]]:
    """Return the shares above 0 as [row of the law, column of the editor, share]."""
    return [
        [int(row), int(column), float(shares[row, column])] for row, column in np.argwhere(shares)
    ]


def _name_figures(rows: Array) -> dict[str, Any]:
    names = ("value", "low", "high")
    return _split_mean([dict(zip(names, row, strict=True)) for row in rows.tolist()])


def _split_mean(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the mean, which comes first, beside the targets."""
    mean, *targets = (
        {name: _drop_nan(value) for name, value in figure.items()} for figure in figures
    )
    return {"targets": targets, "mean": mean}


def _drop_nan(value: float | str) -> float | str | None:
    # JSON has no NaN: what is not known is None.
    unknown = isinstance(value, float) and not np.isfinite(value)
    return None if unknown else value
