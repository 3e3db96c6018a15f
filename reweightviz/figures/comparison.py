"""Predicted against observed losses of runs held out, a panel a law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from reweightviz.figures.domain_colors import color_names
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.theme import MUTED, SMALL, dress_panels, style_axis, style_title

__all__ = ["ACROSS", "comparison_figure"]


ACROSS = 3
"""Panels in a row at most."""


def comparison_figure(
    observed: NDArray[np.float64],
    predicted: Mapping[str, NDArray[np.float64]],
    *,
    targets: Sequence[str],
    drawn: Sequence[int],
    r2: Mapping[str, float],
    height: int = 320,
) -> go.Figure:
    """Draw predictions beside what the runs reached, a colour a target.

    Args:
        observed: (R, M) losses.
        predicted: law to (R, M) predictions of runs that it was not fitted to.
        targets: (M,) names.
        drawn: places of the targets that are drawn.
        r2: law to the figure in its title.
        height: pixels of a panel.
    """
    across = min(ACROSS, len(predicted))
    down = -(-len(predicted) // across)
    figure = make_subplots(
        down,
        across,
        subplot_titles=[f"{escape_plotly(law, 30)}<br>R2 {r2[law]:.3f}" for law in predicted],
        shared_xaxes=True,
        shared_yaxes=True,
        horizontal_spacing=0.04,
        vertical_spacing=0.12 if down > 1 else 0,
    )
    paint = color_names(targets)
    ends = [float(np.nanmin(observed[:, drawn])), float(np.nanmax(observed[:, drawn]))]
    for place, values in enumerate(predicted.values()):
        panel = {"row": place // across + 1, "col": place % across + 1}
        figure.add_trace(_diagonal(ends), **panel)
        for m in drawn:
            points = _points(targets[m], observed[:, m], values[:, m], paint[targets[m]])
            points.showlegend = place == 0 and len(drawn) > 1
            figure.add_trace(points, **panel)
    figure.update_xaxes(style_axis())
    figure.update_yaxes(style_axis())
    figure.update_xaxes(title=style_title("observed"), row=down)
    figure.update_yaxes(title=style_title("predicted without the run"), col=1)
    legend = {"font": SMALL, "itemsizing": "constant"}
    return dress_panels(figure, height * down, top=44, bottom=44, legend=legend)


def _diagonal(ends: Sequence[float]) -> go.Scatter:
    return go.Scatter(
        x=ends,
        y=ends,
        mode="lines",
        line={"color": MUTED, "width": 1, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )


def _points(
    target: str, observed: NDArray[np.float64], predicted: NDArray[np.float64], color: str
) -> go.Scatter:
    title = escape_plotly(target, 28)
    return go.Scatter(
        x=observed,
        y=predicted,
        mode="markers",
        name=title,
        legendgroup=title,
        marker={"size": 4, "color": color, "opacity": 0.65},
        customdata=np.arange(len(observed)),
        hovertemplate=f"{title}, run %{{customdata}}<br>observed "
        f"%{{x:.4f}}, predicted %{{y:.4f}}<extra></extra>",
    )
