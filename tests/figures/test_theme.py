"""One look for every figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from reweightviz.core.runlog import RunLog
from reweightviz.core.swarm import Swarm
from reweightviz.evaluation.compare import compare
from reweightviz.evaluation.learning_curve import LearningCurve
from reweightviz.figures import theme
from reweightviz.figures.curves import loss_figure, weight_figure
from reweightviz.figures.front import front_figure
from reweightviz.figures.replay import replay_figure
from reweightviz.figures.sensitivity import sensitivity_figure
from reweightviz.laws import Olmix

LOG = RunLog(("web", "code"), [1, 2], [[0.5, 0.5], [0.4, 0.6]], {"loss": [[3.0, 2.5], [2.8, 2.2]]})


def front():
    parts = {"weight": ["web", "code"]} | dict.fromkeys(
        ("predicted", "low", "high"), ["chat", "python"]
    )
    columns = pd.MultiIndex.from_tuples(
        [(part, name) for part, names in parts.items() for name in names]
    )
    return pd.DataFrame(np.linspace(1, 2, 16).reshape(2, 8), columns=columns)


def comparison():
    mixtures = np.random.default_rng(0).dirichlet([1, 1], 12)
    swarm = Swarm(
        ("web", "code"),
        mixtures,
        ("loss",),
        2 + np.exp(-mixtures[:, :1]),
        pd.DataFrame(index=range(12)),
    )
    return compare(swarm, [Olmix(draws=0)], folds=2)


FIGURES = {
    "loss": lambda: loss_figure(LOG),
    "weights": lambda: weight_figure(LOG, stacked=True),
    "replay": lambda: replay_figure([LOG]),
    "sensitivity": lambda: sensitivity_figure(
        pd.DataFrame([[0.5, 0.5], [0.9, 0.1]], [1.0, 2.0], ["web", "code"]),
        pd.Series([2.0, 1.4], [1.0, 2.0]),
        parameter="rate",
        own=1.0,
    ),
    "front": lambda: front_figure(front()),
    "learning curve": lambda: LearningCurve(
        pd.DataFrame({"relative": [0.5, 0.4], "low": [0.4, 0.3], "high": [0.6, 0.5]}, [8, 16]), 20
    ).figure(),
    "comparison": lambda: comparison().figure(),
}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_the_same_look(name):
    layout = FIGURES[name]().layout
    assert (layout.paper_bgcolor, layout.plot_bgcolor) == (theme.CLEAR, theme.CLEAR)
    assert (layout.font.family, layout.font.size, layout.font.color) == (
        theme.FONT,
        12,
        theme.MUTED,
    )
    for axis in (layout.xaxis, layout.yaxis):
        assert (axis.gridcolor, axis.zeroline, axis.ticks, axis.tickfont.size) == (
            theme.RULE,
            False,
            "",
            11,
        )
        assert axis.title.text is None or axis.title.font.size == 11


def test_what_a_figure_sets_itself_stands_above_the_theme():
    assert theme.style_axis(nticks=3, showgrid=False) == theme.style_axis() | {
        "nticks": 3,
        "showgrid": False,
    }
    margin = theme.style_layout(300, left=1, right=2, top=3, bottom=4, margin={"pad": 5})["margin"]
    assert margin == {"l": 1, "r": 2, "t": 3, "b": 4, "pad": 5}


def test_a_tint_is_the_colour_or_grey():
    assert theme.tint("#60a7ff", 0.5) == "rgba(96,167,255,0.5)"
    assert theme.tint("rebeccapurple", 1) == "rgba(128,128,128,1)"
