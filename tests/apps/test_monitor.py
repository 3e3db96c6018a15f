"""The monitor as an object: views, steering, what it saves."""

from __future__ import annotations

import re
import struct
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reweightviz.apps.monitor import export as run_export
from reweightviz.apps.monitor.monitor import Monitor
from reweightviz.apps.steering import Steering
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.live import LiveMixture
from reweightviz.core.runlog import RunLog
from reweightviz.training.mixture_sampler import MixtureSampler
from reweightviz.training.run_logger import RunLogger

NAMES = ["web", "code", "</script>"]
START = {"web": 0.5, "code": 0.3, "</script>": 0.2}


@pytest.fixture
def live(tmp_path):
    return LiveMixture.create(
        tmp_path / "mix.json", START, bounds={"code": (0.1, 0.6)}, author="setup"
    )


@pytest.fixture
def train(tmp_path, live):
    """Trains for so many more steps: real draws, losses by formula."""
    sampler = MixtureSampler(dict.fromkeys(NAMES, 100), live, batch=20, every=5)
    batches, log = iter(sampler), RunLogger(tmp_path / "run.jsonl", domains=NAMES, name="mine")

    def go(steps):
        for _ in range(steps):
            counts = np.bincount(sampler.domain_codes(next(batches)), minlength=3)
            log.write(
                step=sampler.step,
                losses=3 - counts / 40,
                weights=sampler.weights(sampler.step - 1),
                drawn_tokens=10 * counts,
                tokens=200 * sampler.step,
                scalars={"grad_norm": 1.0},
            )

    yield go
    log.close()


@pytest.fixture
def monitor(tmp_path, live, train):
    train(20)
    made = Monitor(
        tmp_path / "run.jsonl",
        live=live,
        sources=dict.fromkeys(NAMES, 1000.0),
        max_epochs=4,
        reference=RunLog(
            tuple(NAMES), [1, 100], [[1 / 3] * 3] * 2, {"loss": [[3, 3, 3], [2, 2, 2]]}, "before"
        ),
    )
    yield made
    made.close()


def test_a_log_of_weights_alone_shows_them():
    monitor = Monitor(RunLog(("web", "code"), [1, 2], [[0.5, 0.5]] * 2))
    for name in monitor.views:
        monitor.view = name
    assert monitor.views == ("weights", "shares", "scalars")


def test_a_log_without_domains_shows_its_scalars():
    assert Monitor(RunLog((), [1, 2], [[], []], scalars={"loss": [3.0, 2.0]})).views == ("scalars",)


def test_views_are_those_that_there_is_something_for(monitor):
    assert monitor.views == ("loss", "excess", "weights", "shares", "epochs", "phase", "scalars")
    for view in monitor.views:
        monitor.view = view
        assert any(trace.visible for trace in monitor.shown.figure.data), view
        assert "image/svg+xml" in monitor._repr_mimebundle_()
    with pytest.raises(ReweightvizError, match="no view 'runs' here; .*runs needs several logs"):
        monitor.view = "runs"
    log = monitor.logs[0]
    assert Monitor([log, log]).views == ("loss", "weights", "shares", "phase", "runs", "scalars")


def test_steering_is_written_recorded_and_marked(monitor, live, train):
    monitor.editor.mixture = {"web": 0.2, "code": 0.3, "</script>": 0.5}
    assert live.version == 1 and monitor.steering.button.disabled is False
    monitor.steering.author.value, monitor.steering.note.value = "ann", "more script"
    monitor.steering.button.click()
    assert live.version == 2 and dict(live.mixture) == dict(monitor.editor.mixture)
    assert live.changes().loc[2, ["author", "note"]].tolist() == ["ann", "more script"]
    assert monitor.steering.button.disabled and not monitor.steering.marks()

    train(40)
    monitor._runs[0].poll()
    assert monitor.steering.poll()
    effect = int(live.changes().loc[2, "step"])
    assert [(mark.step, mark.text) for mark in monitor.steering.marks()] == [(effect, "v2")]
    monitor.view = "shares"
    assert [shape.x0 for shape in monitor.shown.figure.layout.shapes] == [effect]
    drawn = monitor.logs[0]["drawn_tokens"][effect:].sum(0)
    assert np.abs(drawn / drawn.sum() - [0.2, 0.3, 0.5]).max() < 0.02
    assert "&lt;/script&gt; 20.0 to 50.0 %" in monitor.steering.changes.value


def test_a_change_of_many_domains_says_how_many_more(monitor, live):
    monitor.steer({"web": 0.2, "code": 0.5, "</script>": 0.3})
    assert "more" not in monitor.steering.changes.value
    names = list("abcde")
    other = LiveMixture.create(live.path.with_name("five.json"), dict.fromkeys(names, 0.2))
    five = Steering(other)
    five.steer({"a": 0.4, "b": 0.3, "c": 0.17, "d": 0.08, "e": 0.05})
    assert "a 20.0 to 40.0 %, e 20.0 to 5.0 %, d 20.0 to 8.0 % and 2 more" in five.changes.value


def test_a_run_that_ended_takes_nothing_up_until_it_goes_on(monitor, tmp_path):
    assert "has ended" not in monitor.steering.guards.value
    with (tmp_path / "run.jsonl").open("a") as file:
        file.write('{"ended": true}\n')
    monitor._runs[0].poll()
    assert monitor._runs[0].ended and monitor.steering.poll()
    assert "The run has ended: a change waits until it goes on." in monitor.steering.guards.value
    monitor.steer({"web": 0.2, "code": 0.5, "</script>": 0.3})
    assert "Version 2 is written; the run has ended" in monitor.steering.outcome.value


def test_what_became_of_a_version_is_said(monitor, live, train):
    monitor.steer({"web": 0.2, "code": 0.5, "</script>": 0.3})
    outcome = monitor.steering.outcome
    assert "Version 2 is written; the run takes it up at its next look." in outcome.value
    train(40)
    monitor._runs[0].poll()
    assert monitor.steering.poll()
    step = int(live.changes().loc[2, "step"])
    assert f"Version 2 is written; the run took it up at step {step}." in outcome.value
    monitor.steer({"web": 0.4, "code": 0.3, "</script>": 0.3})
    live.set({"web": 0.3, "code": 0.4, "</script>": 0.3}, author="ben")
    assert monitor.steering.poll()
    assert "Version 3 is written; version 4 by &#x27;ben&#x27; came in its place." in outcome.value
    rows = monitor.steering.changes.value.split("<tr>")
    assert "not yet" in rows[2] and ">v4<" in rows[2] and "never" in rows[3] and ">v3<" in rows[3]


def test_a_run_that_is_late_is_said_to_be(monitor):
    run = monitor._runs[0]
    monitor.steer({"web": 0.2, "code": 0.5, "</script>": 0.3})
    assert run.live and "at its next look" in monitor.steering.outcome.value
    now = run._clock()
    run._clock = lambda: now + 400
    monitor._on_news()
    assert "The run is late: a change waits" in monitor.steering.guards.value
    assert "the run is late: it takes it up when it goes on" in monitor.steering.outcome.value


def test_epochs_in_the_editor_are_those_at_the_end_of_the_run(monitor, live, tmp_path):
    sources, log = dict.fromkeys(NAMES, "10k"), monitor.logs[0]
    assert monitor.editor.budget is None
    given = Monitor(log, live=live, sources=sources, budget="20k")
    assert given.editor.budget == 20_000 and given.editor.epochs == pytest.approx(
        {"web": 1.0, "code": 0.6, "</script>": 0.4}
    )
    named = RunLog(
        log.domains,
        log.steps,
        log.weights,
        log.signals,
        meta={"steps": 100, "batch": 20, "context": 10},
    )
    assert Monitor(named, live=live, sources=sources).editor.budget == 20_000
    assert Monitor(named, live=live).editor.budget is None
    with pytest.raises(ReweightvizError, match="budget= .* need sources="):
        Monitor(log, live=live, budget="20k")
    later = Monitor(tmp_path / "later.jsonl", live=live, sources=sources)
    with RunLogger(tmp_path / "later.jsonl", domains=NAMES, meta={"tokens": 3e4}) as file:
        file.write(step=1, losses=[2.0] * 3, weights=list(START.values()))
    later._runs[0].poll()
    later._on_news()
    assert later.editor.budget == 30_000
    later.close()


def test_panels_are_as_many_in_a_row_as_there_is_room_for(monitor):
    log = monitor.logs[0]
    both = Monitor([log, log], view="runs")
    view = both.shown
    assert len({axis.domain for axis in view._chart.select_xaxes()}) == 3
    assert view._key.value.count("<svg") == 2
    before = view._chart.layout.height
    view._labels.room = 370
    assert (
        len({axis.domain for axis in view._chart.select_xaxes()}) == 2
        and view._chart.layout.height == view._labels.height > before
    )
    both.view = "shares"
    assert both.shown._key.value == ""  # one run is drawn, and the control names it


def test_refusals_are_sentences_and_change_nothing(monitor, live):
    monitor.editor.mixture = {"web": 0.9, "code": 0.05, "</script>": 0.05}
    monitor.steering.button.click()
    assert (
        "the weight of &#x27;code&#x27; must be between 0.1 and 0.6"
        in monitor.steering.outcome.value
    )
    assert live.version == 1
    LiveMixture(live.path).set({"web": 0.4, "code": 0.4, "</script>": 0.2}, author="ben")
    monitor.editor.mixture = {"web": 0.3, "code": 0.5, "</script>": 0.2}
    monitor.steering.button.click()
    assert "is at version 2 by &#x27;ben&#x27;, not at 1" in monitor.steering.outcome.value
    assert monitor.editor.mixture["code"] == 0.5  # what was dragged is not lost
    monitor.steering.button.click()  # seen, and meant
    assert live.version == 3
    with pytest.raises(ReweightvizError, match="this monitor steers nothing"):
        Monitor(monitor.logs[0]).steer(START)


def test_an_editor_that_was_not_touched_follows_others(monitor, live):
    LiveMixture(live.path).set({"web": 0.4, "code": 0.4, "</script>": 0.2}, author="ben")
    assert monitor.steering.poll() and dict(monitor.editor.mixture) == {
        "web": 0.4,
        "code": 0.4,
        "</script>": 0.2,
    }
    live.guard(author="ben", locked=["web"])
    assert (
        monitor.steering.poll()
        and monitor.editor.locked == [True, False, False]
        and "web locked" in monitor.steering.guards.value
    )


def test_what_it_saves(monitor, tmp_path):
    monitor.focus = "code"
    table = pd.read_csv(monitor.save(tmp_path / "run.csv"), keep_default_na=False)
    log = monitor.logs[0]
    assert list(table) == ["run", "step", "tokens", "time", "domain", "signal", "value"]
    assert len(table) == len(log) * (3 * 3 + 1) and set(table.signal) == {
        "weight",
        "loss",
        "drawn_tokens",
        "grad_norm",
    }
    assert table.query("signal == 'loss' and domain == 'code'").value.tolist() == pytest.approx(
        log["loss"][:, 1].tolist()
    )
    page = monitor.save(tmp_path / "run.html").read_text("utf-8")
    body = page.partition("</script></head>")[2]
    assert page.count("plotly.js v") == 1 and body.count('class="plotly-graph-div"') == len(
        monitor.views
    )
    assert not re.search(r"<(?:script|link)[^>]+(?:src|href)=", page) and body.count(
        "</script>"
    ) == body.count("<script")
    for view in monitor.views:
        keys = [
            trace.name
            for trace in run_export._add_legend(monitor._get_view(view).figure).data
            if trace.showlegend is not False
        ]
        assert keys == ([] if view == "scalars" else ["web", "code", "&lt;/script&gt;"]), view
    picture = monitor.save(tmp_path / "run.svg").read_text("utf-8")
    assert picture.startswith("<svg") and ">v2</text>" not in picture
    with pytest.raises(
        ReweightvizError, match=r"a monitor must be saved as .html, .svg, .csv, .png; got 'run.pdf'"
    ):
        monitor.save(tmp_path / "run.pdf")


@pytest.fixture
def fonts(monkeypatch):
    """``fonts(files)`` makes those the only fonts that there are, whatever this machine has."""
    resvg = pytest.importorskip("resvg_py", reason="needs resvg_py, which is not installed")
    draw = resvg.svg_to_bytes

    def install(*files: Path) -> None:
        only = {
            "skip_system_fonts": True,
            "font_files": [str(file) for file in files],
            "sans_serif_family": "Boxes",
        }
        monkeypatch.setattr(resvg, "svg_to_bytes", partial(draw, **only))

    return install


def test_a_png_is_the_svg_at_twice_its_size(monitor, tmp_path, fonts, root):
    fonts(root / "tests" / "fonts" / "boxes.ttf")  # our own: every character of ASCII is a box
    height = monitor.shown.figure.layout.height
    assert struct.unpack(">II", monitor.save(tmp_path / "run.png").read_bytes()[16:24]) == (
        2 * 900,
        2 * height,
    )


def test_a_png_without_words_is_refused(monitor, tmp_path, fonts):
    fonts()
    with pytest.raises(
        ReweightvizError,
        match=r"run.png would have no words: no font of Arial, .*'Noto Sans' is installed here",
    ):
        monitor.save(tmp_path / "run.png")
    assert not (tmp_path / "run.png").exists()


def test_a_png_needs_what_draws_it(monitor, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        ReweightvizError, match=r'run.png needs resvg_py: pip install "reweightviz\[png\]"'
    ):
        monitor.save(tmp_path / "run.png")
    assert not (tmp_path / "run.png").exists()


def test_a_run_that_has_not_begun(tmp_path):
    monitor = Monitor(tmp_path / "later.jsonl", sources={"web": 10.0})
    for view in monitor.views:
        monitor.view = view
        assert "No step is recorded yet" in monitor.shown.figure.layout.annotations[1].text, view
    with RunLogger(tmp_path / "later.jsonl", domains=["web"]) as log:
        log.write(step=1, losses=[2.0], weights=[1.0], drawn_tokens=[5.0])
        log.write(step=2, losses=[1.5], weights=[1.0], drawn_tokens=[5.0])
    monitor._runs[0].poll()
    for view in monitor.views:
        monitor._made[view]._refresh()
        assert any(trace.visible for trace in monitor._made[view]._chart.data), view
    monitor.close()
