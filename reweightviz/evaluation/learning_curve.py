"""Learning curves: how the error of a law falls with the number of runs, and what more of them would bring."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.optimize import least_squares

from reweightviz.core.errors import InvalidValue, ReweightvizError, listed
from reweightviz.core.repeats import group_equal_mixtures
from reweightviz.core.swarm import Swarm
from reweightviz.core.types import Array
from reweightviz.evaluation.held_out import (
    Signals,
    fit_law_quietly,
    part_of,
    without_intervals,
)
from reweightviz.evaluation.law_inputs import law_inputs_of_runs
from reweightviz.figures.palette import choose_colors
from reweightviz.figures.theme import style_axis, style_layout, style_title


@dataclass(frozen=True)
class LearningCurve:
    """The error of a law by the number of runs it was fitted to.

    Args:
        table: a row a number of runs: ``relative`` error (of that of predicting the mean), its
            ``low`` and ``high`` over repeats.
        runs: how many runs there are.
        left: number of runs to why the law could not be fitted to so few.
    """

    table: pd.DataFrame
    runs: int
    left: Mapping[int, str] = field(default_factory=dict)

    @property
    def curve(self) -> tuple[float, float, float] | None:
        """a, b and c of ``error = a + b * runs ** -c``; None with fewer than three sizes."""
        n, e = (
            self.table.index.to_numpy(np.float64),
            np.maximum(self.table["relative"].to_numpy(np.float64), 1e-9),
        )
        if len(n) < 3:
            return None
        weight = np.sqrt(n / n.max())

        def missed(theta: Array) -> Array:
            foreseen = np.exp(theta[0]) + np.exp(theta[1]) * (n / n[0]) ** -theta[2]
            return np.asarray(weight * np.log(foreseen / e), np.float64)

        # With hardly more runs than parameters the error is wild, so what lies off the curve there
        # counts little.
        best = least_squares(
            missed,
            [np.log(0.5 * e.min()), np.log(0.5 * e.max()), 0.7],
            loss="soft_l1",
            f_scale=0.05,
            bounds=([-40, -40, 0.1], [np.log(e.max()) + 1, 10, 2.0]),
        )
        return (
            float(np.exp(best.x[0])),
            float(np.exp(best.x[1]) * n[0] ** best.x[2]),
            float(best.x[2]),
        )

    def error(self, runs: float) -> float:
        """The error that the curve foresees with that many runs; NaN where there is no curve."""
        if self.curve is None:
            return float("nan")
        a, b, c = self.curve
        return float(a + b * runs**-c)

    @property
    def verdict(self) -> str:
        """What twice and four times as many runs would bring."""
        if self.curve is None:
            return f"too few sizes ({len(self.table)}) to tell how the error falls with the number of runs."
        now, twice, four = (self.error(factor * self.runs) for factor in (1, 2, 4))
        worth = (
            "more runs would still help" if twice < 0.93 * now else "more runs would hardly help"
        )
        return (
            f"with {self.runs} runs the error is some {100 * now:.1f} % of that of "
            f"predicting the mean; {2 * self.runs} runs would "
            f"bring it to about {100 * twice:.1f} %, {4 * self.runs} to {100 * four:.1f} "
            f"%: {worth}."
        )

    def figure(self, height: int = 300) -> go.Figure:
        """Error against the number of runs, with the curve to four times as many."""
        table, paint = self.table, choose_colors(2)
        shown = [
            go.Scatter(
                x=table.index,
                y=table["relative"],
                mode="markers",
                marker={"size": 7, "color": paint[0]},
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
        ]
        if self.curve is not None:
            n = np.geomspace(table.index[0], 4 * self.runs, 60)
            shown.append(
                go.Scatter(
                    x=n,
                    y=[self.error(each) for each in n],
                    mode="lines",
                    line={"color": paint[1], "width": 1.4},
                    name="curve",
                )
            )
        figure = go.Figure(shown)
        ticks, top = (
            [*table.index.tolist(), self.runs, 2 * self.runs, 4 * self.runs],
            1.08 * min(float(table["high"].max()), 1.2),
        )
        words = [str(n) for n in ticks]
        figure.update_layout(
            style_layout(
                height,
                left=54,
                right=10,
                top=16,
                bottom=44,
                showlegend=False,
                xaxis=style_axis(
                    type="log", title=style_title("runs"), tickvals=ticks, ticktext=words
                ),
                yaxis=style_axis(
                    range=[0, top],
                    tickformat=".0%",
                    title=style_title("error, of that of the mean"),
                ),
            )
        )
        return figure

    def _repr_html_(self) -> str:
        left = "".join(
            f"<li>{runs} runs: {html.escape(why)}</li>" for runs, why in self.left.items()
        )
        return f"<p>{html.escape(self.verdict)}</p>{self.table.to_html(float_format=lambda v: f'{v:.4g}', border=0)}<ul>{left}</ul>"


def learning_curve(
    swarm: Swarm,
    spec: Any,
    sizes: Sequence[int] | None = None,
    *,
    repeats: int = 4,
    seed: int = 0,
    signals: Signals | None = None,
) -> LearningCurve:
    """The error of a law by how many runs it is fitted to; see :meth:`reweightviz.evaluation.compare.Comparison.learning_curve`."""
    group = group_equal_mixtures(swarm.mixtures)
    mixtures = group.max() + 1
    held = max(1, round(mixtures / 5))
    most = mixtures - held
    chosen = sorted(
        {int(n) for n in (np.geomspace(max(3, most / 5), most, 6) if sizes is None else sizes)}
    )
    if not chosen or chosen[0] < 2 or chosen[-1] > most:
        raise InvalidValue(
            name="sizes",
            value=chosen,
            expected=f"between 2 and {most}, as a fifth of the {mixtures} mixtures is held out",
            got=listed(chosen),
        )
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(mixtures) for _ in range(repeats)]
    quick = without_intervals(spec)
    rows, left = {}, {}
    for size in chosen:
        errors = []
        for order in orders:
            out, known = (
                np.flatnonzero(np.isin(group, part))
                for part in (order[:held], order[held : held + size])
            )
            asked = swarm.take(out)
            try:
                law = fit_law_quietly(
                    swarm.take(known), quick, part_of(signals or {}, known, len(swarm))
                )
            except (ReweightvizError, ImportError) as reason:
                left[size] = str(reason)
                break
            given = law_inputs_of_runs(law, asked, part_of(signals or {}, out, len(swarm)))
            wrong = np.abs(law.predict(asked.mixtures, **given) - asked.losses).mean(0)
            rest = swarm.losses[~np.isin(group, order[:held])].mean(0)
            errors.append(
                float((wrong / np.maximum(np.abs(asked.losses - rest).mean(0), 1e-300)).mean())
            )
        else:
            rows[size] = {
                "relative": np.mean(errors),
                "low": np.min(errors),
                "high": np.max(errors),
            }
    if not rows:
        raise ReweightvizError(
            f"the law could be fitted to none of these sizes: {next(iter(left.values()))}"
        )
    return LearningCurve(
        pd.DataFrame.from_dict(rows, orient="index").rename_axis("runs"), int(mixtures), left
    )
