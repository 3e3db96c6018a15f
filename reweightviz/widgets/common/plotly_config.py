"""The bar of buttons over every plotly chart."""

from __future__ import annotations

import plotly.graph_objects as go

__all__ = ["CONFIG", "configure_chart"]


CONFIG = {
    "displaylogo": False,
    "displayModeBar": "hover",
    "typesetMath": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "sendChartToCloud"],
}


def configure_chart(chart: go.FigureWidget) -> go.FigureWidget:
    """Give a chart its bar of buttons."""
    # plotly's FigureWidget has no other door to these settings.
    chart._config = chart._config | CONFIG  # noqa: SLF001
    return chart
