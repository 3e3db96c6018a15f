"""Figures of small panels with the lines of runs."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reweightviz.figures.axes import Axis
from reweightviz.figures.lines import frame_lines

__all__ = ["arrange_panels"]


_ROW = 150  # pixels of a row of panels
_AROUND = 90  # pixels of the words around them


def arrange_panels(
    traces: Sequence[go.Scatter],
    panels: Sequence[int],
    titles: Sequence[str],
    axis: Axis,
    *,
    across: int,
    height: int | None,
    remarks: Sequence[str],
    focus: str | None = None,
    note: str = "",
) -> go.Figure:
    """Put traces into their panels, dressed as :func:`frame_lines` dresses one picture.

    Args:
        traces: the lines.
        panels: number of the panel of each.
        titles: one a panel.
        axis: of x, the same in all.
        across: panels in a row.
        height: pixels; by the number of rows when not given.
        remarks: stand over all panels.
        focus: the domain that stands out.
        note: stands in the middle where there is nothing to see.
    """
    across = max(min(across, len(titles)), 1)
    down = max(-(-len(titles) // across), 1)
    height = height or _ROW * down + _AROUND
    frame = frame_lines(
        traces, axis, unit="", remarks=remarks, height=height, focus=focus, note=note
    )
    between_rows = min(46 / (height - _AROUND + 10), 0.9 / down) if down > 1 else 0
    figure = make_subplots(
        down,
        across,
        subplot_titles=list(titles) or None,
        horizontal_spacing=0.16 / across,
        vertical_spacing=between_rows,
    )
    for trace, panel in zip(traces, panels, strict=True):
        figure.add_trace(trace, row=panel // across + 1, col=panel % across + 1)
    _dress(figure, frame, several=len(titles) > 1)
    # The title of x stands under the lowest panel of every column alone.
    title = frame.layout.xaxis.title.to_plotly_json()
    for panel in range(max(len(titles) - across, 0), max(len(titles), 1)):
        figure.update_xaxes(title=title, row=panel // across + 1, col=panel % across + 1)
    return figure


def _dress(figure: go.Figure, frame: go.Figure, *, several: bool) -> None:
    """Give panels the look and the words of a frame, beside their own titles."""
    titles = [
        title.to_plotly_json() | {"font": {"size": 12}, "yshift": 2}
        for title in figure.layout.annotations
    ]
    look = frame.layout.to_plotly_json()
    x = look.pop("xaxis")
    y = look.pop("yaxis")
    words = look.pop("annotations")
    # Above the titles of the upper panels.
    words[0] |= {"yshift": 24}
    figure.update_layout(look)
    figure.layout.annotations = [*words, *titles]
    figure.update_layout(margin={"t": 48}, meta={"stacked": False, "unit": "", "unlabelled": True})
    del x["title"]
    shared = {"nticks": 4, "tickangle": 0, "matches": "x" if several else None}
    figure.update_xaxes(**x | shared)
    figure.update_yaxes(**y | {"nticks": 4})
