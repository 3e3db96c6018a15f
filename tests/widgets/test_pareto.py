"""The widget of the front: what is drawn, what a click hands over, what is refused."""

from __future__ import annotations

import math
from xml.dom.minidom import parseString

import numpy as np
import pandas as pd
import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.mixture import Mixture
from reweightviz.figures.front import front_figure
from reweightviz.figures.front_svg import front_svg
from reweightviz.figures.front_table import describe_front, describe_point
from reweightviz.widgets.front.pareto import NOTHING, POINTS, RING, ParetoFront

DOMAINS = ("web", "code <b>", "math")


def front(rows=6, targets=("chat", "py<i>"), draws=True, away=0.0, **attrs):
    share = np.linspace(0, 1, rows)
    weights = np.column_stack([0.6 * share + 0.1, 0.7 - 0.6 * share, np.full(rows, 0.2)])
    predicted = np.column_stack([1 + (1 - share) ** 2, 2 + share**2, 3 + share])[:, : len(targets)]
    parts = {
        "weight": pd.DataFrame(weights, columns=list(DOMAINS)),
        "predicted": pd.DataFrame(predicted, columns=list(targets)),
    }
    for part, side in (("low", -0.05), ("high", 0.05)):
        parts[part] = parts["predicted"] + (side if draws else np.nan)
    parts["importance"] = parts["predicted"] * 0 + 0.5
    parts["outside"] = pd.DataFrame({"hull": np.where(share < 0.5, away, 0.0)})
    table = pd.concat(parts, axis=1)
    reference = {
        "weight": dict.fromkeys(DOMAINS, 1 / 3),
        "predicted": dict(zip(targets, (1.6, 2.6, 3.5), strict=False)),
    }
    table.attrs = {"references": {"uniform": reference}, "law": "L", "kl": 0.05, **attrs}
    return table


def test_points_intervals_references_and_the_ring_are_drawn():
    line, points, marks, ring = front_figure(front(), picked=2).data
    np.testing.assert_allclose(points.x, front()["predicted"]["chat"])
    np.testing.assert_allclose(ring.error_x.array, [0.05])
    np.testing.assert_allclose(ring.error_y.arrayminus, [0.05])
    assert len(line.x) == 6
    assert (marks.x[0], marks.y[0], marks.text[0]) == (1.6, 2.6, "uniform")
    assert (ring.x[0], ring.y[0]) == (points.x[2], points.y[2])
    assert set(points.marker.symbol) == {"circle"}


def test_three_targets_have_a_colour_and_no_line():
    figure = front_figure(front(targets=("a", "b", "c")))
    np.testing.assert_allclose(
        figure.data[POINTS].marker.color, front(targets=("a", "b", "c"))["predicted"]["c"]
    )
    assert len(figure.data[0].x) == 0
    assert figure.data[POINTS].marker.colorbar.title.text == "c"


def test_any_interval_fits_unless_the_front_would_be_lost_in_it():
    table = front()
    low, high = front_figure(table).layout.xaxis.range
    assert low < table["low"]["chat"].min() and high > table["high"]["chat"].max()
    least, most = front_figure(_widened(table)).layout.xaxis.range
    shown = np.append(table["predicted"]["chat"], 1.6)
    assert shown.min() - 1.1 * np.ptp(shown) < least < low and most == high


def test_what_a_reader_should_know_is_written():
    assert describe_front(front()) == ""
    assert describe_front(front(away=0.2)) == "hollow: outside the hull of the runs"
    assert "wider than the whole front for chat" in describe_front(front(rows=2).pipe(_widened))
    hollow = front_figure(front(away=0.2)).data[POINTS].marker.symbol
    assert list(hollow) == ["circle-open"] * 3 + ["circle"] * 3
    rising = front_figure(front(higher_is_better=["chat"])).layout
    assert rising.xaxis.title.text == "chat (higher is better)"
    assert "&lt;i&gt;" in rising.yaxis.title.text
    words = describe_point(front(away=0.2), 0)
    assert "<b>chat</b> 2.000 (1.950 to 2.050)" in words
    assert "code &lt;b&gt; 70.0 %" in words
    assert "20.0 % of the tokens outside" in words


def _widened(table):
    table[("low", "chat")] -= 5
    return table


def test_without_draws_there_are_no_intervals():
    assert not front_figure(front(draws=False), picked=2).data[RING].error_x.visible
    assert "to" not in describe_point(front(draws=False), 0).split("<br>")[0]


def test_the_svg_is_well_formed_and_holds_every_point():
    for targets in (("chat", "py<i>"), ("a", "b", "c")):
        drawing = parseString(front_svg(front(targets=targets, away=0.2), picked=1))  # noqa: S318
        assert len(drawing.getElementsByTagName("circle")) == 7
        words = [
            text.firstChild.data for text in drawing.getElementsByTagName("text") if text.firstChild
        ]
        assert "uniform" in words


def test_a_pick_hands_the_mixture_over():
    got = []
    widget = ParetoFront(front(), got.append)
    assert widget.mixture is None
    assert "click a point" in widget._sentence.value
    widget._on_click([3])
    assert widget.picked == 3
    assert isinstance(got[0], Mixture)
    np.testing.assert_allclose(got[0].array, front()["weight"].iloc[3])
    assert got[0].source["method"] == "pareto"
    assert got[0].source["kl"] == 0.05
    assert got[0].source["predicted"]["chat"] == pytest.approx(front()["predicted"]["chat"].iloc[3])
    assert widget._slider.value == 3
    assert widget._chart.data[RING].x[0] == pytest.approx(front()["predicted"]["chat"].iloc[3])
    widget._slider.value = 5
    assert len(got) == 2
    assert "web 70.0 %" in widget._sentence.value
    widget.picked = None
    assert widget._slider.value == NOTHING
    assert len(got) == 2
    assert repr(widget) == "ParetoFront(6 mixtures, targets chat, py<i>)"


def test_what_goes_wrong_in_a_callback_is_shown_and_raised():
    def fails(mixture):
        raise KeyError("no <such> domain")

    widget = ParetoFront(front(), fails)
    with pytest.raises(KeyError):
        widget.picked = 1
    assert "KeyError in a Python callback" in widget._sentence.value
    assert "&lt;such&gt;" in widget._sentence.value


def test_the_widget_has_a_picture_without_javascript():
    bundle = ParetoFront(front())._repr_mimebundle_()
    picture = (bundle[0] if isinstance(bundle, tuple) else bundle)["image/svg+xml"]
    assert parseString(picture)  # noqa: S318
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


def test_wrong_tables_and_rows_are_one_sentence():
    with pytest.raises(
        ReweightvizError, match="draws what rv.pareto.* gives.*there is no 'weight'"
    ):
        ParetoFront(pd.DataFrame({"a": [1]}))
    with pytest.raises(ReweightvizError, match="it has no rows"):
        ParetoFront(front().iloc[:0])
    with pytest.raises(ReweightvizError, match="picked must be a row of the front, 0 to 5; got 9"):
        ParetoFront(front()).picked = 9
    assert not math.isnan(ParetoFront(front(rows=1)).figure.layout.xaxis.range[0])
