"""The state of a plotly figure in the page, so that only what differs is sent again."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

__all__ = ["SentFigure", "read_layout"]


_STYLE = (
    "x",
    "y",
    "name",
    "visible",
    "opacity",
    "mode",
    "fill",
    "fillcolor",
    "stackgroup",
    "hoverinfo",
    "hovertemplate",
    "line.color",
    "line.width",
    "line.dash",
    "marker.color",
    "marker.size",
)
_PER_POINT = ("x", "y", "marker.size")
_PATHS = {path: path.partition(".") for path in _STYLE}
_LAYOUT = (
    "annotations[0].text",
    "annotations[1].text",
    "hoverdistance",
    "xaxis.title.text",
    "yaxis.autorange",
    "yaxis.range",
    "meta",
)


class SentFigure:
    """A figure as the page has it; lines that are not drawn are not sent.

    Args:
        figure: the first one, which the page has whole.
    """

    def __init__(self, figure: go.Figure) -> None:
        self._traces = [_read_style(trace) for trace in figure.data]
        self._places = {trace.uid: place for place, trace in enumerate(figure.data)}
        self._layout = read_layout(figure)

    def update_traces(self, figure: go.Figure) -> tuple[list[int], dict[str, list[Any]]]:
        """Take over the known traces of a figure.

        Returns:
            The places of those that changed, and by property their values now. A property is
            there for all of them when it changed in one.
        """
        changed: dict[int, go.Scatter] = {}
        properties: set[str] = set()
        for trace in figure.data:
            place = self._places.get(trace.uid)
            if place is None:
                continue
            new = _read_style(trace)
            before = self._traces[place]
            differing = {
                path for path, value in new.items() if not _is_same(value, before.get(path))
            }
            if differing:
                changed[place] = trace
                properties |= differing
        restyle = {
            path: [trace[path] for trace in changed.values()]
            for path in _STYLE
            if path in properties
        }
        for row, place in enumerate(changed):
            self._traces[place] |= {path: values[row] for path, values in restyle.items()}
        return list(changed), restyle

    def update_layout(self, figure: go.Figure) -> dict[str, Any]:
        """Take over the layout of a figure; return the properties that changed."""
        before = self._layout
        self._layout = read_layout(figure)
        return {
            path: value
            for path, value in self._layout.items()
            if value is not None and value != before[path]
        }

    def add_traces(self, figure: go.Figure) -> list[go.Scatter]:
        """Take over the traces of a figure that the page does not have yet, and return them."""
        new = [trace for trace in figure.data if trace.uid not in self._places]
        for trace in new:
            self._places[trace.uid] = len(self._traces)
            self._traces.append(_read_style(trace))
        return new


def read_layout(figure: go.Figure) -> dict[str, Any]:
    """Return the properties of the layout that change between drawings."""
    layout = {path: figure.layout[path] for path in _LAYOUT}
    # plotly reads ranges as tuples and takes only lists.
    return {
        path: list(value) if isinstance(value, tuple) else value for path, value in layout.items()
    }


def _read_style(trace: go.Scatter) -> dict[str, Any]:
    # As plain values: plotly's own look-up by path is slow, and this is most of what an update
    # costs.
    given = trace.to_plotly_json()
    style = {}
    for path, (head, _, tail) in _PATHS.items():
        if path in _PER_POINT and not trace.visible:
            continue
        style[path] = given.get(head, {}).get(tail) if tail else given.get(head)
    return style


def _is_same(new: Any, old: Any) -> bool:
    arrays = isinstance(new, np.ndarray), isinstance(old, np.ndarray)
    if all(arrays):
        return np.array_equal(new, old, equal_nan=True)
    return not any(arrays) and bool(new == old)
