"""The pieces of the HTML page of a decision record."""

from __future__ import annotations

from collections.abc import Sequence

from reweightviz.core.text import to_html
from reweightviz.decision.decision import Estimate
from reweightviz.decision.words import sign_number, word_number

__all__ = [
    "render_cell",
    "render_estimate",
    "render_interval",
    "render_pairs",
    "render_percent",
    "render_section",
    "render_table",
]


def render_section(title: str, content: str, *, wide: bool = False) -> str:
    """Return a section under its heading."""
    start = "<section>"
    if wide:
        start = "<section class=wide>"
    return f"{start}\n<h2>{title}</h2>\n{content}\n</section>"


def render_table(
    head: Sequence[str], body: Sequence[str], first: str = "", texts: Sequence[int] = ()
) -> str:
    """Return a table.

    Args:
        head: its headings.
        body: rows of cells.
        first: CSS class of the first row.
        texts: columns of text; all others are numbers.
    """
    heads = []
    for place, cell in enumerate(head):
        kind = "text" if place in texts else ""
        heads.append(_element("th", cell, kind))
    rows = []
    for place, row in enumerate(body):
        kind = first if place == 0 else ""
        rows.append(_element("tr", row, kind))
    return f"<table>\n<tr>{''.join(heads)}</tr>\n" + "\n".join(rows) + "\n</table>"


def render_cell(content: str, kind: str = "", title: str = "") -> str:
    """Return a cell with a CSS class, and a title that shows what is cut short."""
    return _element("td", content, kind, title)


def _element(tag: str, content: str, kind: str, title: str = "") -> str:
    attributes = ""
    if kind:
        # Without quotes: every class here is one word of ours.
        attributes = f" class={kind}"
    if title:
        attributes += f' title="{to_html(title)}"'
    return f"<{tag}{attributes}>{content}</{tag}>"


def render_pairs(pairs: Sequence[tuple[str, str]]) -> str:
    """Return labels and texts as a list of terms."""
    items = (f"<dt>{to_html(label)}</dt><dd>{to_html(text)}</dd>" for label, text in pairs)
    return f"<dl>{''.join(items)}</dl>"


def render_estimate(one: Estimate | None, *, sign: bool = False) -> str:
    """Return a number with its interval beside it, small; nothing for None."""
    if one is None:
        return ""
    value = word_number(one.value, sign=sign)
    if not one.has_interval:
        return value
    return f"{value} <small>{render_interval(one, sign=sign)}</small>"


def render_interval(one: Estimate, *, sign: bool = False) -> str:
    """Return an interval; with signs its ends are joined by a word, as a dash would be a minus."""
    if not one.has_interval:
        return ""
    if sign:
        return f"{sign_number(one.low)} to {sign_number(one.high)}"
    return f"{one.low:.3f}–{one.high:.3f}"


def render_percent(share: float | None) -> str:
    """Return a share in percent; nothing for None."""
    if share is None:
        return ""
    return f"{100 * share:.1f} %"
