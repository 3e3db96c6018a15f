"""What a page was sent of a plotly figure, so that only what differs is sent again."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

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
_POINTS = ("x", "y", "marker.size")
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


class Sent:
    """What the page was sent last, so that only what differs is sent again. Lines that are not drawn are not sent.

    Args:
        figure: the first one, which the page has whole.
    """

    def __init__(self, figure: go.Figure) -> None:
        self._traces = [_style(trace) for trace in figure.data]
        self._places = {trace.uid: place for place, trace in enumerate(figure.data)}
        self._layout = layout_of(figure)

    def traces(self, figure: go.Figure) -> tuple[list[int], dict[str, list[Any]]]:
        """The places of the traces that changed, and by property what they are now."""
        known = [
            (self._places[trace.uid], trace) for trace in figure.data if trace.uid in self._places
        ]
        changed = {
            place: {
                path
                for path, value in _style(trace).items()
                if not _same(value, self._traces[place].get(path))
            }
            for place, trace in known
        }
        known = [(place, trace) for place, trace in known if changed[place]]
        style = {
            path: [trace[path] for _, trace in known]
            for path in _STYLE
            if any(path in changed[place] for place, _ in known)
        }
        for n, (place, _) in enumerate(known):
            self._traces[place] |= {path: values[n] for path, values in style.items()}
        return [place for place, _ in known], style

    def layout(self, figure: go.Figure) -> dict[str, Any]:
        """The properties of the layout that changed."""
        before, self._layout = self._layout, layout_of(figure)
        return {
            path: value
            for path, value in self._layout.items()
            if value is not None and value != before[path]
        }

    def added(self, figure: go.Figure) -> list[go.Scatter]:
        """The traces that the page does not have yet."""
        new = [trace for trace in figure.data if trace.uid not in self._places]
        self._places |= {trace.uid: len(self._traces) + n for n, trace in enumerate(new)}
        self._traces += [_style(trace) for trace in new]
        return new


def _style(trace: go.Scatter) -> dict[str, Any]:
    # As plain values: plotly's own look-up by path is slow, and this is most of what an update
    # costs.
    given = trace.to_plotly_json()
    style = {
        path: given.get(head, {}).get(tail) if tail else given.get(head)
        for path, (head, _, tail) in _PATHS.items()
    }
    return (
        style
        if trace.visible
        else {path: value for path, value in style.items() if path not in _POINTS}
    )


def layout_of(figure: go.Figure) -> dict[str, Any]:
    """The properties of the layout that change between drawings."""
    # plotly reads ranges as tuples and takes only lists.
    values = {path: figure.layout[path] for path in _LAYOUT}
    return {
        path: list(value) if isinstance(value, tuple) else value for path, value in values.items()
    }


def _same(new: Any, old: Any) -> bool:
    if isinstance(new, np.ndarray) and isinstance(old, np.ndarray):
        return np.array_equal(new, old, equal_nan=True)
    return not isinstance(new, np.ndarray) and not isinstance(old, np.ndarray) and new == old
