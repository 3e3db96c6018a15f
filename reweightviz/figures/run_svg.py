"""Views of runs as plain SVG, without a browser: panel by panel."""

from __future__ import annotations

import plotly.graph_objects as go

from reweightviz.figures.curves_svg import draw_svg
from reweightviz.figures.svg_plane import assemble_svg, draw_text

_WIDE, _HIGH, _HEAD = 900, 200, 24  # pixels: of a picture, of a panel, of what stands over panels


def draw_run_svg(figure: go.Figure) -> str:
    """The picture as an SVG document; of panels, each as a picture of its own under what all of them say.

    >>> from reweightviz.core.runlog import RunLog
    >>> from reweightviz.figures.run_panels import scalars_figure
    >>> draw_run_svg(scalars_figure(RunLog(("web",), [1, 2], [[1.0]] * 2, scalars={"lr": [0.1, 0.2]}))).count("<svg ")
    3
    """
    said, _, *titles = (words.text for words in figure.layout.annotations)
    if not titles:
        return draw_svg(figure, _WIDE, int(figure.layout.height or 300))
    places = list(dict.fromkeys(trace.xaxis or "x" for trace in figure.data))
    across = min(len(places), 2)
    width, height = _WIDE // across, _HEAD + _HIGH * -(-len(places) // across)
    panels = [
        _draw_panel(figure, place, title, width)
        for place, title in zip(places, titles, strict=False)
    ]
    placed = [
        panel.replace(
            "<svg ", f'<svg x="{width * (n % across)}" y="{_HEAD + _HIGH * (n // across)}" ', 1
        )
        for n, panel in enumerate(panels)
    ]
    return assemble_svg(_WIDE, height, [draw_text(60, 14, said), *placed])


def _draw_panel(figure: go.Figure, place: str, title: str, width: int) -> str:
    traces = [trace.to_plotly_json() for trace in figure.data if (trace.xaxis or "x") == place]
    one = go.Figure(
        [
            {name: value for name, value in trace.items() if name not in ("xaxis", "yaxis")}
            for trace in traces
        ]
    )
    last = [axis.title.text for axis in figure.select_xaxes() if axis.title.text]
    one.update_layout(
        meta={"stacked": False},
        xaxis_title=last[-1] if last else "",
        annotations=[{"text": _strip_square(title)}, figure.layout.annotations[1]],
        shapes=[shape for shape in figure.layout.shapes if shape.xref == place],
    )
    several = len({trace.meta[1] for trace in one.data}) > 1
    return draw_svg(one, width, _HIGH - 10, ends="run" if several else "")


def _strip_square(title: str) -> str:
    """A title without the square before it."""
    return title.rpartition("</span> ")[2]
