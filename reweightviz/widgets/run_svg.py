"""Views of runs as plain SVG, without a browser: panel by panel."""

from __future__ import annotations

import plotly.graph_objects as go

from reweightviz.widgets.curve_picture import svg_of

_WIDE, _NARROW = 900, 460


def svg_text(figure: go.Figure) -> str:
    """The picture as an SVG document; of panels, each as a picture of its own with its title.

    >>> from reweightviz.core.runlog import RunLog
    >>> from reweightviz.widgets.run_panels import scalars_figure
    >>> svg_text(scalars_figure(RunLog(("web",), [1, 2], [[1.0]] * 2, scalars={"lr": [0.1, 0.2]}))).count("<svg ")
    3
    """
    words = figure.layout.annotations
    figure = go.Figure([trace for trace in figure.data if "lines" in trace.mode], figure.layout)
    if len(words) <= 2:
        return svg_of(figure, _WIDE, int(figure.layout.height or 300))
    places = list(dict.fromkeys(trace.xaxis or "x" for trace in figure.data))
    panels = [_panel(figure, place, title.text) for place, title in zip(places, words[2:], strict=False)]
    across, height = 2, 200
    inside = "".join(panel.replace("<svg ", f'<svg x="{_NARROW * (n % across)}" y="{height * (n // across)}" ', 1)
                     for n, panel in enumerate(panels))
    down = -(-len(panels) // across)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_NARROW * across} {height * down}">{inside}</svg>'


def _panel(figure: go.Figure, place: str, title: str) -> str:
    traces = [trace.to_plotly_json() for trace in figure.data if (trace.xaxis or "x") == place]
    one = go.Figure([{name: value for name, value in trace.items() if name not in ("xaxis", "yaxis")} for trace in traces])
    unit, note = (words.text for words in figure.layout.annotations[:2])
    last = [axis.title.text for axis in figure.select_xaxes() if axis.title.text]
    one.update_layout(meta={"stacked": False}, xaxis_title=last[-1] if last else "",
                      annotations=[{"text": " · ".join(filter(None, [_bare(title), unit]))}, {"text": note}])
    return svg_of(one, _NARROW, 190)


def _bare(title: str) -> str:
    """A title without the square before it."""
    return title.rpartition("</span> ")[2]
