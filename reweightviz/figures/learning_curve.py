"""The error of a law against the number of runs that it was fitted to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reweightviz.figures.palette import choose_colors
from reweightviz.figures.theme import style_axis, style_layout, style_title

__all__ = ["FURTHEST", "learning_curve_figure"]


FURTHEST = 4
"""Times as many runs as there are, to which the curve is drawn."""


def learning_curve_figure(
    table: pd.DataFrame, runs: int, error: Callable[[float], float] | None, *, height: int = 300
) -> go.Figure:
    """Draw measured errors, and the curve to four times as many runs.

    Args:
        table: a row a number of runs: ``relative`` error, and its ``low`` and ``high``.
        runs: how many runs there are.
        error: number of runs to the error on the curve; None where there is no curve.
        height: pixels.
    """
    paint = choose_colors(2)
    traces = [_measured_errors(table, paint[0])]
    if error is not None:
        n = np.geomspace(table.index[0], FURTHEST * runs, 60)
        traces.append(
            go.Scatter(
                x=n,
                y=[error(each) for each in n],
                mode="lines",
                line={"color": paint[1], "width": 1.4},
                name="curve",
            )
        )
    figure = go.Figure(traces)
    ticks = [*table.index.tolist(), runs, 2 * runs, FURTHEST * runs]
    top = 1.08 * min(float(table["high"].max()), 1.2)
    figure.update_layout(
        style_layout(
            height,
            left=54,
            right=10,
            top=16,
            bottom=44,
            showlegend=False,
            xaxis=style_axis(
                type="log",
                title=style_title("runs"),
                tickvals=ticks,
                ticktext=[str(n) for n in ticks],
            ),
            yaxis=style_axis(
                range=[0, top],
                tickformat=".0%",
                title=style_title("error, of that of the mean"),
            ),
        )
    )
    return figure


def _measured_errors(table: pd.DataFrame, color: str) -> go.Scatter:
    return go.Scatter(
        x=table.index,
        y=table["relative"],
        mode="markers",
        marker={"size": 7, "color": color},
        name="measured",
        error_y={
            "type": "data",
            "symmetric": False,
            "array": table["high"] - table["relative"],
            "arrayminus": table["relative"] - table["low"],
            "thickness": 1,
            "width": 0,
        },
    )
