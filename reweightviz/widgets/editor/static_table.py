"""The editor without JavaScript: a table of the domains."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

__all__ = ["draw_table"]


_TITLES = ("domain", "tokens", "weight", "epochs")


def draw_table(
    tokens: Mapping[str, float], weights: Sequence[float], epochs: Mapping[str, float]
) -> str:
    """Return an HTML table.

    Args:
        tokens: domain to tokens available (K domains).
        weights: (K,).
        epochs: domain to passes over it; empty without a budget.
    """
    head = "".join(f"<th>{title}</th>" for title in _TITLES)
    rows = []
    for (name, count), weight in zip(tokens.items(), weights, strict=True):
        passes = f"{epochs[name]:.2f}" if epochs else ""
        cells = (html.escape(name), f"{count:,.0f}", f"{weight:.2%}", passes)
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    body = "".join(rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
