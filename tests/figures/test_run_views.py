"""The views of runs: what they compute, what they say where there is nothing to see, and that an update costs what is new."""

from __future__ import annotations

from xml.dom.minidom import parseString

import numpy as np
import pytest

from reweightviz.apps.monitor.export import _add_legend
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.runlog import RunLog
from reweightviz.figures.axes import Axis, choose_axis, place_rows, read_tokens_per_step
from reweightviz.figures.compare_runs import compare_figure
from reweightviz.figures.curves import loss_figure, weight_figure
from reweightviz.figures.epochs import epochs_figure, project_exhaustion
from reweightviz.figures.excess import excess_figure
from reweightviz.figures.phase import phase_figure
from reweightviz.figures.run_cache import RunCache
from reweightviz.figures.run_svg import draw_run_svg
from reweightviz.figures.scalars import EFFECTIVE, count_effective_domains, scalars_figure
from reweightviz.figures.shares import compute_shares, shares_figure

NAMES = ("web", "code", "math")
TOKENS = {"web": 50_000.0, "code": 20_000.0, "math": 1_000.0}
STEP = Axis("step", "step", 1.0)


def run(length=60, *, name="mine", seed=0, drawn=True, loss=True, **more) -> RunLog:
    rng = np.random.default_rng(seed)
    weights = np.tile([0.6, 0.3, 0.1], (length, 1))
    weights[length // 2 :] = [0.3, 0.3, 0.4]
    signals = {"loss": 2 + rng.random((length, 3))} if loss else {}
    if drawn:
        signals["drawn_tokens"] = (
            np.stack([rng.multinomial(100, row) for row in weights]).astype(float)
            if length
            else np.empty((0, 3))
        )
    steps = 10 * np.arange(1, length + 1)
    return RunLog(
        NAMES,
        steps,
        weights,
        signals,
        name,
        **{
            "scalars": {"grad_norm": rng.random(length)},
            "times": 1e9 + steps,
            "tokens": 10.0 * steps,
        }
        | more,
    )


FIGURES = {
    "excess": lambda logs, **more: excess_figure(logs, run(name="reference", seed=1), **more),
    "shares": shares_figure,
    "epochs": lambda logs, **more: epochs_figure(logs, TOKENS, **more),
    "phase": phase_figure,
    "compare": compare_figure,
    "scalars": scalars_figure,
}


def head(log, length):
    """The run as it was after so many rows."""
    return RunLog(
        NAMES,
        log.steps[:length],
        log.weights[:length],
        {key: values[:length] for key, values in log.signals.items()},
        log.name,
        scalars={key: values[:length] for key, values in log.scalars.items()},
        times=log.times[:length],
        tokens=log.tokens[:length],
    )


def line(figure, domain, role):
    return next(trace for trace in figure.data if trace.meta[0] == domain and trace.meta[2] == role)


def test_excess_is_interpolated_at_the_references_own_steps_or_tokens():
    old = RunLog(
        ("code", "web"),
        [0, 100],
        [[0.5, 0.5]] * 2,
        {"loss": [[2.0, 4.0], [1.0, 2.0]]},
        "old",
        tokens=[0, 200],
    )
    new = RunLog(
        ("web", "books"),
        [25, 50, 150],
        [[0.5, 0.5]] * 3,
        {"loss": [[3.0, 1.0], [2.5, 1.0], [2.0, 1.0]]},
        tokens=[100, 200, 600],
    )
    by_step, by_tokens = excess_figure(new, old), excess_figure(new, old, x="tokens")
    assert np.array_equal(line(by_step, "web", "raw").y, [3 - 3.5, 2.5 - 3, np.nan], equal_nan=True)
    assert np.array_equal(line(by_tokens, "web", "raw").y, [3 - 3, 2.5 - 2, np.nan], equal_nan=True)
    assert line(by_step, "books", "raw").visible is False
    assert "nats per token above old at the same step" in by_step.layout.annotations[0].text
    assert "at the same tokens" in by_tokens.layout.annotations[0].text


def test_a_last_row_without_time_or_tokens_changes_no_axis():
    log = run(
        3, times=[0.0, 1e5, np.nan], tokens=[10.0, 20.0, np.nan], meta={"batch": 2, "context": 3}
    )
    assert choose_axis([log], "time").title == "hours since the start"
    np.testing.assert_array_equal(
        place_rows(log, choose_axis([log], "tokens"), slice(None)), [10, 20, np.nan]
    )
    assert read_tokens_per_step(run(3, meta={"batch": "auto", "context": 3})) is None


def test_shares_are_of_the_tokens_that_were_drawn():
    log = run()
    realised, planned = compute_shares(log)
    drawn = log["drawn_tokens"]
    assert np.allclose(realised, drawn.cumsum(0) / drawn.sum(1).cumsum()[:, None])
    assert np.allclose(planned[-1], log.weights.mean(0))
    assert np.allclose(compute_shares(log, window=5)[0][-1], drawn[-5:].sum(0) / 500)
    assert np.allclose(compute_shares(log, window=5)[1][-1], [0.3, 0.3, 0.4])
    assert "furthest apart now" in shares_figure(log).layout.annotations[0].text
    # Weights that are not logged at every record hold until the next ones.
    gappy = run()
    gappy.weights[1:30] = np.nan
    assert np.allclose(compute_shares(gappy)[1], planned)


def test_exhaustion_at_the_rate_of_the_last_records():
    log = RunLog(
        ("web", "code", "idle"),
        [10, 20, 30],
        [[0.5, 0.5, 0.0]] * 3,
        {"drawn_tokens": [[50, 50, 0]] * 3},
    )
    ends = project_exhaustion(log, {"web": 300, "code": 120, "idle": 10}, STEP)
    assert ends[0] == 60 and ends[1] == 30 and np.isinf(ends[2])
    assert project_exhaustion(log, {"web": 300, "code": 120}, STEP, limit=4)[0] == 240
    figure = epochs_figure(log, {"web": 300, "code": 120, "idle": 10})
    assert "code 1 epoch at step 30 (passed), web at step 60" in figure.layout.annotations[0].text
    assert line(figure, "web", "ahead").x.tolist() == [30, 60] and line(
        figure, "web", "ahead"
    ).y.tolist() == [0.5, 1.0]
    assert line(figure, "code", "epochs").y[-1] == pytest.approx(1.25)
    planned = RunLog(("web",), [10, 20], [[1.0]] * 2, meta={"batch": 2, "context": 5})
    assert (
        "as planned: what was drawn is not measured"
        in epochs_figure(planned, {"web": 1000}).layout.annotations[0].text
    )
    assert line(epochs_figure(planned, {"web": 1000}), "web", "epochs").y.tolist() == [0.1, 0.2]


def test_the_phase_plot_walks_from_the_first_step_to_the_last():
    log = run(20)
    path, ends = (line(phase_figure(log, smooth=0), "math", role) for role in ("path", "ends"))
    assert np.array_equal(path.x, 100 * log.weights[:, 2]) and np.array_equal(
        path.y, log["loss"][:, 2]
    )
    assert ends.x.tolist() == [10.0, 40.0] and ends.text[1] == "math"


def test_effective_domains_and_scalars_have_a_panel_each():
    figure = scalars_figure([run(), run(name="other", seed=1)])
    titles = [words.text for words in figure.layout.annotations[2:]]
    assert titles == [EFFECTIVE, "grad_norm"]
    seen = [trace for trace in figure.data if trace.visible]
    assert [(trace.xaxis, trace.meta[1]) for trace in seen] == [
        ("x", "mine"),
        ("x", "other"),
        ("x2", "mine"),
        ("x2", "other"),
    ]
    assert {trace.line.color for trace in seen if trace.meta[1] == "mine"}.isdisjoint(
        trace.line.color for trace in seen if trace.meta[1] == "other"
    )
    assert count_effective_domains(run())[0, 0] == pytest.approx(
        np.exp(-sum(p * np.log(p) for p in (0.6, 0.3, 0.1)))
    )


def test_only_a_noisy_scalar_is_averaged_and_it_is_said():
    log = run(100)
    figure = scalars_figure(log, smooth=20)
    assert {
        trace.meta[0] for trace in figure.data if trace.visible and trace.meta[2] == "smooth"
    } == {"grad_norm"}
    raw, smooth = (line(figure, "grad_norm", role) for role in ("raw", "smooth"))
    assert (
        raw.opacity == 0.2
        and np.ptp(smooth.y[30:]) < 0.7 * np.ptp(raw.y)
        and line(figure, EFFECTIVE, "raw").opacity == 1
    )
    assert "where noisy, EMA of 20 points over raw" in figure.layout.annotations[0].text
    log.scalars["grad_norm"][:] = np.linspace(1, 2, 100)
    assert "EMA" not in scalars_figure(log, smooth=20).layout.annotations[0].text


def test_runs_side_by_side_show_the_domains_that_differ_most():
    a, b = run(), run(name="other")
    b.signals["loss"][-20:, 1] += 5
    figure = compare_figure([a, b], most=1)
    assert {trace.meta[0] for trace in figure.data} == {"code"} and [
        trace.line.dash for trace in figure.data
    ] == ["solid", "dash"]
    assert (
        "the 1 of 3 domains in which the runs end furthest apart"
        in figure.layout.annotations[0].text
    )


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize(
    "log",
    [run(0), run(1), run(2), run(30, drawn=False, loss=False), RunLog((), [], np.empty((0, 0)))],
    ids=["no step", "one step", "two steps", "weights alone", "nothing"],
)
def test_what_cannot_be_drawn_is_said(name, log):
    figure = FIGURES[name](log)
    drawn = any(trace.visible is not False for trace in figure.data)
    words = figure.layout.annotations[1].text
    assert (
        drawn
        or "recorded yet" in words
        or "measured" in words
        or "No " in words
        or "no step" in words
        or "nothing says" in words
    ), words
    assert draw_run_svg(figure).startswith("<svg")


@pytest.mark.parametrize("name", FIGURES)
def test_gaps_and_unknown_weights_are_gaps(name):
    log = run(40)
    log.weights[:] = np.nan
    log.signals["loss"][::3] = np.nan
    log.signals["loss"][:, 2] = np.nan
    assert draw_run_svg(FIGURES[name](log)).count("nan") == 0


@pytest.mark.parametrize("x", ["step", "tokens", "time"])
@pytest.mark.parametrize("name", [name for name in FIGURES if name != "phase"])
def test_every_axis(name, x):
    log = run()
    assert FIGURES[name]([log, run(name="other")], x=x).layout.xaxis.title.text or name in (
        "compare",
        "scalars",
    )
    assert choose_axis([log], x).kind == x


def test_unknown_names_are_refused():
    with pytest.raises(ReweightvizError, match="no run 'x'; there is 'mine'"):
        shares_figure(run(), run="x")
    with pytest.raises(ReweightvizError, match="no scalar 'x'; there is 'grad_norm'"):
        scalars_figure(run(), names=["x"])
    with pytest.raises(ReweightvizError, match="this view needs 'loss'; the reference 'old' has"):
        excess_figure(run(), run(name="old", loss=False))


@pytest.mark.parametrize("name", FIGURES)
def test_drawing_as_it_grows_is_drawing_it_whole(name):
    whole, cache = run(120), RunCache()
    for length in (1, 7, 8, 60, 61, 119, 120):
        figure = FIGURES[name](head(whole, length), cache=cache)
    for trace, fresh in zip(figure.data, FIGURES[name](whole).data, strict=True):
        assert (
            trace.uid == fresh.uid
            and np.allclose(trace.x, fresh.x)
            and np.allclose(trace.y, fresh.y, equal_nan=True)
        )


@pytest.mark.parametrize("name", ["shares", "epochs", "excess", "scalars"])
def test_an_update_costs_what_is_new(name):
    log, rows = run(10_000), []

    class Counting(RunCache):
        def extend(self, key, length, width, compute):
            return super().extend(
                key,
                length,
                width,
                lambda start, done: rows.append(length - start) or compute(start, done),
            )

    cache = Counting()
    for length, new in (
        (9_000, 9_000),
        (9_010, 11),
        (9_500, 491),
    ):  # the last row of before may have been filled in since
        rows.clear()
        FIGURES[name](head(log, length), cache=cache)
        assert rows
        assert max(rows) == new
    assert max(len(trace.x) for trace in FIGURES[name](log).data) <= 2100


def parts(figure, tag):
    return parseString(draw_run_svg(figure)).getElementsByTagName(tag)  # noqa: S318


def test_the_svg_has_round_numbers_and_every_name_once():
    texts = {
        node.firstChild.data: node
        for node in parts(weight_figure(run(40)), "text")
        if node.firstChild
    }
    assert [word for word in texts if word.endswith("%")] == [
        f"{share}%" for share in range(0, 61, 10)
    ]
    names = [float(texts[name].getAttribute("y")) for name in run(40).domains]
    assert np.diff(sorted(names)).min() >= 12.9 and max(names) <= 320


def test_the_svg_says_which_run_has_which_dash_and_where_a_path_begins():
    both = [run(40), run(40, name="other")]
    words = [node.firstChild.data for node in parts(loss_figure(both), "text") if node.firstChild]
    assert words.count("other") == 1
    circles = parts(phase_figure(run(40)), "circle")
    assert [node.hasAttribute("fill") for node in circles] == [False, True] * 3
    panel = [
        node.firstChild.data for node in parts(compare_figure(both), "text") if node.firstChild
    ]
    assert panel.count("other") == 3 and panel.count("web") == 1


def test_the_svg_draws_the_limit_of_epochs():
    figure = epochs_figure(run(40), TOKENS, max_epochs=1)
    assert "1 epoch" in [node.firstChild.data for node in parts(figure, "text") if node.firstChild]


@pytest.mark.parametrize(
    ("draw", "keys"),
    [
        (loss_figure, [*NAMES, "mine", "other"]),
        (compare_figure, ["mine", "other"]),
        (scalars_figure, ["mine", "other"]),
        (shares_figure, list(NAMES)),
    ],
)
def test_the_legend_of_a_saved_page_names_domains_and_runs(draw, keys):
    traces = [
        trace
        for trace in _add_legend(draw([run(40), run(40, name="other")])).data
        if trace.showlegend is not False
    ]
    assert [trace.name for trace in traces] == keys and all(
        trace.opacity in (None, 1) for trace in traces
    )
    looks = {(trace.line.color, trace.line.dash) for trace in traces[-2:]}
    assert len(looks) == 2
