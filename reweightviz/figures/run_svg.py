"""Views of runs as plain SVG, without a browser: panel by panel."""

from __future__ import annotations

import plotly.graph_objects as go

from reweightviz.figures.lines_svg import draw_svg
from reweightviz.figures.svg_plane import assemble_svg, draw_text

__all__ = ["draw_run_svg"]


_WIDE, _HIGH, _HEAD = 900, 200, 24  # pixels: of a picture, of a panel, of the words over panels


def draw_run_svg(figure: go.Figure) -> str:
    """Draw a view as an SVG document; of panels, each as a picture of its own.

    >>> from reweightviz.core.runlog import RunLog
    >>> from reweightviz.figures.scalars import scalars_figure
    >>> log = RunLog(("web",), [1, 2], [[1.0]] * 2, scalars={"lr": [0.1, 0.2]})
    >>> draw_run_svg(scalars_figure(log)).count("<svg ")
    3
    """
    remarks, _, *titles = (words.text for words in figure.layout.annotations)
    if not titles:
        return draw_svg(figure, _WIDE, int(figure.layout.height or 300))
    places = list(dict.fromkeys(trace.xaxis or "x" for trace in figure.data))
    across = min(len(places), 2)
    width = _WIDE // across
    height = _HEAD + _HIGH * -(-len(places) // across)
    parts = [draw_text(60, 14, remarks)]
    for n, (place, title) in enumerate(zip(places, titles, strict=False)):
        corner = f'x="{width * (n % across)}" y="{_HEAD + _HIGH * (n // across)}"'
        panel = _draw_panel(figure, place, title, width)
        parts.append(panel.replace("<svg ", f"<svg {corner} ", 1))
    return assemble_svg(_WIDE, height, parts)


def _draw_panel(figure: go.Figure, place: str, title: str, width: int) -> str:
    traces = []
    for trace in figure.data:
        if (trace.xaxis or "x") == place:
            # Without its axes, for in a picture of its own there is one pair.
            record = trace.to_plotly_json()
            traces.append(
                {name: value for name, value in record.items() if name not in ("xaxis", "yaxis")}
            )
    titles = [axis.title.text for axis in figure.select_xaxes() if axis.title.text]
    panel = go.Figure(traces)
    panel.update_layout(
        meta={"stacked": False},
        xaxis_title=titles[-1] if titles else "",
        annotations=[{"text": _strip_square(title)}, figure.layout.annotations[1]],
        shapes=[shape for shape in figure.layout.shapes if shape.xref == place],
    )
    several = len({trace.meta[1] for trace in panel.data}) > 1
    return draw_svg(panel, width, _HIGH - 10, ends="run" if several else "")


def _strip_square(title: str) -> str:
    """Return a title without the coloured square before it."""
    return title.rpartition("</span> ")[2]
