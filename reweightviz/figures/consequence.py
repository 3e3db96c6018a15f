"""The losses that a law predicts of several mixtures, beside a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.lineage import Lineage
from reweightviz.core.protocols import Law
from reweightviz.core.swarm import MEAN_OF_TARGETS, check_targets
from reweightviz.figures.plotly_text import escape_plotly
from reweightviz.figures.theme import (
    BETTER,
    LEGEND,
    MUTED,
    WORSE,
    dress_panels,
    make_panels,
    style_axis,
    style_title,
)
from reweightviz.numerics.contrast import forecast_mixtures

__all__ = ["HOVER", "MEAN", "consequence_figure", "consequences"]


MEAN = MEAN_OF_TARGETS
HOVER = (
    "%{y}<br>predicted %{customdata[0]:.4f}<br>"
    "change %{x:+.4f} (%{customdata[1]:+.4f} to %{customdata[2]:+.4f}): "
    "%{customdata[3]}<extra></extra>"
)


def consequence_figure(
    law: Law,
    mixtures: Mapping[str, Mapping[str, float]],
    baseline: str,
    *,
    level: float = 0.9,
    most: int | None = None,
    height: int | None = None,
) -> go.Figure:
    """Draw the predicted changes to a baseline: a panel a mixture, a row a target.

    The bar is the interval of the change (:mod:`reweightviz.numerics.contrast`): the expected loss
    changes by that much with probability ``level``, as far as the law's draws can be trusted; the
    noise of one run is not in it. A dot is full where the change and its whole bar lie on one side
    of 0, and coloured by whether that side is the better one.

    Args:
        law: fitted to runs of the same domains.
        mixtures: name to domain weights, the baseline among them.
        baseline: name of the mixture that the others are compared with.
        level: probability of the bars.
        most: targets with a row, those that change most; all when not given.
        height: pixels; by the number of targets when not given.

    Raises:
        ReweightvizError: the baseline is not among the mixtures, or there is no other.
    """
    others = [name for name in mixtures if name != baseline]
    if baseline not in mixtures or not others:
        raise ReweightvizError(
            f"mixtures are compared with one of them, {baseline!r}; got {list_names(mixtures)}."
        )
    table = consequences(law, mixtures, baseline, level=level)
    rows = _choose_rows(table, others[0], most)
    figure, places = make_panels([escape_plotly(name, 24) for name in others], len(others))
    for name, place in zip(others, places, strict=True):
        figure.add_trace(_draw_changes(table.loc[name].loc[rows]), **place)
        figure.add_vline(x=0, line={"color": MUTED, "width": 1, "dash": "dot"}, **place)
    shown = table.loc[others].loc[(slice(None), rows), ["low", "high", "change"]]
    reach = float(np.nanmax(np.abs(shown.to_numpy())))
    figure.update_xaxes(style_axis(range=[-1.08 * reach, 1.08 * reach], nticks=4))
    figure.update_yaxes(
        style_axis(autorange="reversed", type="category", nticks=0, dtick=1, automargin=True)
    )
    title = style_title(f"predicted change to {escape_plotly(baseline, 20)}")
    figure.update_xaxes(title=title, col=(len(others) + 1) // 2)
    return dress_panels(figure, height or 110 + 20 * len(rows), top=40, bottom=46, legend=LEGEND)


def consequences(
    law: Law, mixtures: Mapping[str, Mapping[str, float]], baseline: str, *, level: float = 0.9
) -> pd.DataFrame:
    """Return the predictions of a law: a row a mixture and target, and one of their mean.

    ``predicted`` is the loss, ``change`` its difference to the baseline's, ``low`` and ``high`` the
    interval of that change and ``verdict`` what it amounts to, as
    :mod:`reweightviz.numerics.contrast` has them. Where targets differ in direction, the mean is
    that of the losses; ``lower_is_better`` is each row's direction.
    """
    check_targets(law.targets)
    lineage = Lineage()
    weights = np.array(
        [lineage.mixture_onto(mixture, law.domains).array for mixture in mixtures.values()]
    )
    forecast = forecast_mixtures(law, weights, level=level)
    figures = forecast.figures
    start = list(mixtures).index(baseline)
    tables = {}
    for r, name in enumerate(mixtures):
        mean, targets = forecast.contrast(r, start)
        rows = pd.DataFrame([mean, *targets], index=pd.Index([MEAN, *law.targets], name="target"))
        rows.insert(0, "predicted", figures[r])
        rows["lower_is_better"] = forecast.downwards
        tables[name] = rows
    return pd.concat(tables, names=["mixture"])


def _choose_rows(table: pd.DataFrame, mixture: str, most: int | None) -> list[str]:
    """Return the mean and the targets that change most, in the order of the law."""
    rows = list(table.loc[mixture].index)
    change = table["change"].abs().groupby(level="target").max()
    largest = set(change.drop(MEAN).nlargest(most or len(rows)).index)
    return [MEAN, *(row for row in rows if row in largest)]


def _draw_changes(rows: pd.DataFrame) -> go.Scatter:
    certain = rows["verdict"].isin(["better", "worse"])
    good = (rows["change"] < 0) == rows["lower_is_better"]
    marker = {
        "size": 8,
        "color": [BETTER if each else WORSE for each in good],
        "symbol": ["circle" if each else "circle-open" for each in certain],
        "line": {"width": 1.5},
    }
    return go.Scatter(
        x=rows["change"],
        y=_name_rows(list(rows.index)),
        mode="markers",
        showlegend=False,
        marker=marker,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": rows["high"] - rows["change"],
            "arrayminus": rows["change"] - rows["low"],
            "color": MUTED,
            "thickness": 1,
            "width": 0,
        },
        customdata=rows[["predicted", "low", "high", "verdict"]],
        hovertemplate=HOVER,
    )


def _name_rows(rows: Sequence[str]) -> list[str]:
    return [f"<b>{row}</b>" if row == MEAN else escape_plotly(row, 28) for row in rows]
