"""The answer of a mixer by the value of one of its numbers."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reweightviz.figures.domain_colors import color_names
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.theme import LEGEND, MUTED, REST, dress_panels, style_axis, style_title

__all__ = ["sensitivity_figure"]


def sensitivity_figure(
    weights: pd.DataFrame,
    effective: pd.Series[float],
    *,
    parameter: str,
    own: float,
    most: int = 6,
    height: int = 420,
) -> go.Figure:
    """Draw a mixer's weights over a number of its own, and below how even they are.

    Args:
        weights: a row a value, a column a domain.
        effective: number of domains (rows,).
        parameter: name of the number.
        own: the value that the mixer has; it is marked.
        most: domains with a colour and a name, those that move most; the others are grey lines.
        height: pixels.
    """
    figure = make_subplots(2, 1, shared_xaxes=True, row_heights=[0.72, 0.28], vertical_spacing=0.07)
    colors = color_names(weights.columns)
    named = set((weights.max() - weights.min()).nlargest(most).index)
    # The grey lines first, so that they lie below.
    for domain in sorted(weights.columns, key=lambda name: name in named):
        color = colors[domain] if domain in named else None
        figure.add_trace(
            _draw_weights(weights[domain], str(domain), parameter, color), row=1, col=1
        )
    figure.add_trace(_draw_effective(effective, parameter), row=2, col=1)
    for row in (1, 2):
        figure.add_vline(x=own, line={"color": MUTED, "width": 1, "dash": "dash"}, row=row, col=1)
    # Values of a step size and the like are tried by ratios.
    ratio = bool(weights.index.min() > 0) and len(weights) > 1
    figure.update_xaxes(style_axis(type="log" if ratio else "linear", dtick=1 if ratio else None))
    figure.update_xaxes(title=style_title(f"{parameter} (dashed: {own:g}, the mixer's own)"), row=2)
    figure.update_yaxes(style_axis(rangemode="tozero"))
    figure.update_yaxes(ticksuffix=" %", title=style_title("weight in the answer"), row=1)
    figure.update_yaxes(
        title=style_title("effective<br>domains"), range=[0, 1.08 * weights.shape[1]], row=2
    )
    return dress_panels(figure, height, top=40, bottom=46, legend=LEGEND)


def _draw_weights(
    column: pd.Series[float], domain: str, parameter: str, color: str | None
) -> go.Scatter:
    """Draw one domain; a grey line without a name where it has no colour."""
    title = escape_plotly(domain, 28)
    named = color is not None
    return go.Scatter(
        x=column.index,
        y=100 * column,
        name=title,
        mode="lines+markers" if named else "lines",
        showlegend=named,
        line={"color": color or REST, "width": 2 if named else 1},
        marker={"size": 5},
        hovertemplate=f"{title}<br>{parameter} %{{x:.3g}} · %{{y:.3~f}} %<extra></extra>",
    )


def _draw_effective(effective: pd.Series[float], parameter: str) -> go.Scatter:
    return go.Scatter(
        x=effective.index,
        y=effective,
        mode="lines+markers",
        showlegend=False,
        line={"color": MUTED, "width": 2},
        hovertemplate=f"{parameter} %{{x:.3g}} · %{{y:.1f}} domains<extra></extra>",
    )
