"""The figures of scores: what each finds, gains and repeats, a dot a score, and how they agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from reweightviz.figures.palette import choose_colors
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.theme import MUTED, SMALL, dress_panels, style_axis

__all__ = ["score_trial_figure"]


class _Panel(NamedTuple):
    """A figure of every score.

    Attributes:
        title: of the panel.
        low: column, or columns that are subtracted, of the lower end; empty for none.
        high: of the upper end.
        rest: where a score that is worth nothing lies.
    """

    title: str
    low: str = ""
    high: str = ""
    rest: float = 0.0


PANELS: Mapping[str, _Panel] = {
    "auc": _Panel("AUC of the planted", rest=0.5),
    "gain": _Panel("gain, nats per byte"),
    "lds": _Panel("linear datamodeling score", "lds_low", "lds_high"),
    "left_out": _Panel("left out, rank correlation", "left_out_low", "left_out_high"),
    "length_share": _Panel("explained by length"),
    "domain_share": _Panel("explained by domain"),
}


def score_trial_figure(
    table: pd.DataFrame, agreement: pd.DataFrame, z: float, *, height: int = 320
) -> go.Figure:
    """Draw a panel a figure, and the rank correlations of the scores as colours.

    Args:
        table: a row a score; see :class:`reweightviz.evaluation.score_trial.ScoreTrial`.
        agreement: (M, M) rank correlations.
        z: standard errors on either side of a dot.
        height: pixels.
    """
    shown = [name for name in PANELS if name in table and np.isfinite(table[name]).any()]
    names = [escape_plotly(str(name).removeprefix("score:"), 24) for name in table.index]
    titles = [*(PANELS[name].title for name in shown), "agreement of ranks"]
    figure = make_subplots(
        1, len(titles), subplot_titles=titles, shared_yaxes=True, horizontal_spacing=0.03
    )
    for place, column in enumerate(shown, 1):
        figure.add_trace(_draw_dots(table, column, names, z), row=1, col=place)
        figure.add_vline(PANELS[column].rest, line={"color": MUTED, "width": 1}, row=1, col=place)
    figure.add_trace(_draw_agreement(agreement, names), row=1, col=len(titles))
    figure.update_xaxes(style_axis())
    figure.update_yaxes(style_axis(autorange="reversed"))
    figure.update_xaxes(showticklabels=False, showgrid=False, row=1, col=len(titles))
    return dress_panels(figure, height, top=40, bottom=36, showlegend=False)


def _draw_dots(table: pd.DataFrame, column: str, names: list[str], z: float) -> go.Scatter:
    values = table[column].to_numpy(float)
    panel = PANELS[column]
    if panel.low:
        above = table[panel.high].to_numpy(float) - values
        below = values - table[panel.low].to_numpy(float)
    else:
        error = table.get(f"{column}_error", pd.Series(np.nan, table.index))
        above = below = z * error.to_numpy(float)
    return go.Scatter(
        x=values,
        y=names,
        mode="markers",
        marker={"size": 9, "color": choose_colors(1)[0]},
        error_x={"array": above, "arrayminus": below, "thickness": 1.4, "width": 0},
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )


def _draw_agreement(agreement: pd.DataFrame, names: list[str]) -> go.Heatmap:
    values = agreement.to_numpy(float)
    return go.Heatmap(
        z=values,
        x=names,
        y=names,
        zmin=-1,
        zmax=1,
        colorscale="RdBu",
        showscale=False,
        texttemplate="%{z:.2f}",
        textfont=SMALL,
        hovertemplate="%{y} and %{x}: %{z:.2f}<extra></extra>",
    )
