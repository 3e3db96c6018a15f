"""A plotly chart in the page: its bar of buttons, and one plotly for all charts of a page."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import plotly
import plotly.graph_objects as go
import traitlets as t

from reweightviz.widgets.common.shared_module import SHARED, carry

__all__ = ["CONFIG", "Chart"]


CONFIG = {
    "displaylogo": False,
    "displayModeBar": "hover",
    "typesetMath": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "sendChartToCloud"],
}


class Chart(go.FigureWidget):
    """A plotly figure as a widget.

    plotly's own brings plotly along with every chart: 5 MB of the notebook, and 17 MB of the page
    that no closing gives back.
    """

    _esm = SHARED
    _module = t.Unicode().tag(sync=True)

    def __init__(self, figure: go.Figure) -> None:
        super().__init__(figure)
        # plotly's FigureWidget has no other door to these settings.
        self.set_trait("_config", self._config | CONFIG)

    @t.default("_module")
    def _carry_module(self) -> str:
        return carry(_read_plotly())


@cache
def _read_plotly() -> str:
    return (Path(plotly.__file__).parent / "package_data" / "widgetbundle.js").read_text("utf-8")
