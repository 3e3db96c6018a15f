"""One colour a name: whatever the order, whoever comes later, in every widget and picture."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reweightviz as rv
from reweightviz.figures.domain_colors import color_names, forget_names
from reweightviz.figures.palette import SIZE, choose_colors

NAMES = ("web", "code", "日本語", "math")
WEIGHTS = {"web": 0.4, "code": 0.3, "日本語": 0.2, "math": 0.1}


def test_the_rule():
    first = color_names(["web", "code"])
    assert list(first) == ["web", "code"]
    assert first == {"code": choose_colors(2)[0], "web": choose_colors(2)[1]}
    # One that comes later takes no one's colour away, though it stands first and sorts first.
    assert color_names(["a", "web", "code"]) == first | {"a": choose_colors(3)[2]}
    assert color_names(["a"]) == {"a": choose_colors(3)[2]}
    assert color_names([]) == {}
    forget_names()
    assert color_names(["a"]) == {"a": choose_colors(1)[0]}


@given(st.lists(st.lists(st.text(max_size=3), max_size=30), max_size=6), st.randoms())
def test_names_keep_their_colours_and_share_none(groups, random):
    forget_names()
    known = {}
    for group in groups:
        colors = color_names(group)
        random.shuffle(group)
        assert color_names(group) == colors
        if len(colors) <= SIZE:
            assert len(set(colors.values())) == len(colors)
        if len(known | colors) <= SIZE:
            known |= colors
            assert len(set(known.values())) == len(known)
            assert colors.items() <= known.items()


def test_past_the_palette_colours_repeat_as_late_as_they_can():
    many = [f"domain {i:03}" for i in range(SIZE + 5)]
    colors = color_names(many)
    assert len(set(colors.values())) == SIZE
    assert color_names(reversed(many)) == colors
    # A new picture of few names never draws two of them alike.
    for group in (many[:5] + many[SIZE:], [*many[-3:], "new", "newer"]):
        assert len(set(color_names(group).values())) == len(group)


def log_of(order):
    return rv.RunLog(
        order, [1, 2], [[WEIGHTS[name] for name in order]] * 2, {"loss": np.ones((2, 4))}
    )


def map_of(order):
    return rv.Map(np.eye(4, 2), domains=order)


def widgets_of(order, tmp_path):
    """Name to colour, as each widget sends it to the page and each picture has it."""
    log = log_of(order)
    yield "map", dict(zip(order, map_of(order).palette, strict=True))
    editor = rv.MixtureEditor(dict.fromkeys(order, 1e9))
    yield "editor", dict(zip(editor.domains, editor.colors, strict=True))
    for kind in (rv.LossCurves, rv.WeightTrajectories):
        labels = kind(log)._labels
        yield kind.__name__, dict(zip(labels.domains, labels.colors, strict=True))
        figure = kind(log).figure
        lines = {trace.name: trace.line.color for trace in figure.data if trace.name in order}
        if lines:
            yield f"the figure of {kind.__name__}", lines
    live = rv.LiveMixture.create(tmp_path / f"{order[0]}.json", {n: WEIGHTS[n] for n in order})
    monitor = rv.Monitor(log, live=live)
    steering = monitor.steering.editor
    yield "steering", dict(zip(steering.domains, steering.colors, strict=True))
    from reweightviz.decision.gather_decision import _domain_rows

    rows = _domain_rows(rv.Mixture({n: WEIGHTS[n] for n in order}), None, None, None)
    yield "the decision record", {row.domain: row.color for row in rows}


def test_permuted_columns_give_equal_colours_in_all_widgets(tmp_path):
    expected = color_names(sorted(NAMES))
    for order in itertools.islice(itertools.permutations(NAMES), 0, 24, 7):
        for where, colors in widgets_of(order, tmp_path):
            assert colors.items() <= expected.items(), (where, order)
            assert colors, where


def test_another_session_gives_the_same_whatever_its_order():
    first = color_names(NAMES)
    forget_names()
    assert color_names(NAMES[::-1]) == first


def test_saved_widgets_hold_their_colours():
    """What a notebook keeps is the state of its widgets, and colours are part of it."""
    assert map_of(NAMES).get_state()["palette"] == list(color_names(NAMES).values())
    editor = rv.MixtureEditor(dict.fromkeys(NAMES, 1e9))
    assert editor.get_state()["colors"] == list(color_names(NAMES).values())
    labels = rv.LossCurves(log_of(NAMES))._labels
    assert labels.get_state()["colors"] == list(color_names(NAMES).values())


@pytest.mark.parametrize("make", [rv.LossCurves, rv.WeightTrajectories])
def test_colours_of_the_caller_are_kept(make):
    mine = dict.fromkeys(NAMES, "#010203")
    assert set(make(log_of(NAMES), colors=mine)._labels.colors) == {"#010203"}
