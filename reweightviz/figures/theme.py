"""The look of every plotly figure: colours for light and dark pages, axes, titles, layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reweightviz.figures.palette import choose_colors, parse_hex

__all__ = [
    "BETTER",
    "CLEAR",
    "FONT",
    "LEGEND",
    "MUTED",
    "REST",
    "RULE",
    "SMALL",
    "WORSE",
    "dress_panels",
    "make_panels",
    "style_axis",
    "style_layout",
    "style_title",
    "style_words",
    "tint",
]


FONT = "var(--jp-ui-font-family, system-ui, sans-serif)"
MUTED = "#808080"
"""Words, and lines that are no data."""
RULE = "rgba(128,128,128,0.22)"
"""Grid lines."""
REST = "rgba(128,128,128,0.25)"
"""Domains without a colour of their own."""
CLEAR = "rgba(0,0,0,0)"
WORSE, BETTER = choose_colors(4)[1::2]
SMALL = {"size": 11}
LEGEND = {"font": SMALL, "itemsizing": "constant", "traceorder": "reversed"}
"""Beside stacked areas: in their order from the top."""


def style_axis(**own: Any) -> dict[str, Any]:
    """Return the settings of an axis: faint grid lines, small numbers, and ``own`` above these."""
    style = {
        "gridcolor": RULE,
        "zeroline": False,
        "showline": False,
        "ticks": "",
        "nticks": 5,
        "tickfont": SMALL,
    }
    return style | own


def style_title(text: str, **own: Any) -> dict[str, Any]:
    """Return the title of an axis or a colour bar."""
    return {"text": text, "font": SMALL} | own


def style_words(text: str, **own: Any) -> dict[str, Any]:
    """Return an annotation placed on the paper, without an arrow."""
    return {"text": text, "xref": "paper", "yref": "paper", "showarrow": False, "font": SMALL} | own


def style_layout(
    height: int, *, left: int, right: int, top: int, bottom: int, **own: Any
) -> dict[str, Any]:
    """Return the layout of a figure: transparent, muted words, margins in pixels, and ``own``."""
    margin = {"l": left, "r": right, "t": top, "b": bottom} | own.pop("margin", {})
    return {
        # plotly's own templates have white grounds.
        "template": "none",
        "height": height,
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "font": {"family": FONT, "size": 12, "color": MUTED},
        "margin": margin,
    } | own


def make_panels(titles: Sequence[str], across: int) -> tuple[go.Figure, list[dict[str, int]]]:
    """Return a figure of panels with shared axes, and the row and column of each."""
    down = -(-len(titles) // across)
    figure = make_subplots(
        down,
        across,
        subplot_titles=titles,
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=min(0.14, 0.5 / down) if down > 1 else 0,
    )
    places = [
        {"row": place // across + 1, "col": place % across + 1} for place in range(len(titles))
    ]
    return figure, places


def dress_panels(figure: go.Figure, height: int, *, top: int, bottom: int, **own: Any) -> go.Figure:
    """Lay out a figure of panels with a title each."""
    figure.update_layout(style_layout(height, left=54, right=10, top=top, bottom=bottom, **own))
    figure.update_annotations(font={"size": 12, "color": MUTED})
    return figure


def tint(color: str, opacity: float) -> str:
    """Return a hex colour with an opacity; any other colour becomes grey.

    >>> tint("#60a7ff", 0.62)
    'rgba(96,167,255,0.62)'
    """
    red, green, blue = parse_hex(color) if color.startswith("#") else parse_hex(MUTED)
    return f"rgba({red},{green},{blue},{opacity})"
