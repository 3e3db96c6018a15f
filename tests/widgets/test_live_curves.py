"""Curves of a run that goes on: they follow, send what changed, pause, and stop."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from ipywidgets import Widget

from reweightviz.core.errors import ReweightvizWarning
from reweightviz.core.records import Records
from reweightviz.core.run_lines import RunLineReader
from reweightviz.readers.tail import Tail
from reweightviz.widgets.curves import pulse
from reweightviz.widgets.curves.curves import LossCurves, WeightTrajectories
from reweightviz.widgets.curves.pulse import Pulse

HEADER = (
    json.dumps(
        {"format": "reweightviz.runlog/1", "name": "demo", "domains": ["web", "code"], "meta": {}}
    )
    + "\n"
)


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(pulse, "EVERY", 0.02)
    monkeypatch.setattr(pulse.Pulse.__init__, "__defaults__", (0.02,))


class Run:
    """A log that grows, and the tail that follows it."""

    def __init__(self, folder: Path) -> None:
        self.path, self.step = folder / "run.jsonl", 0
        self.path.write_text(HEADER)
        self.tail = Tail(RunLineReader(self.path), Records(name="run"), self.path)
        self.tail.poll()

    def write(self, steps=1, **more) -> None:
        with self.path.open("a") as file:
            for _ in range(steps):
                self.step += 1
                loss = [3 / self.step, 2 / self.step]
                file.write(
                    json.dumps(
                        {
                            "step": self.step,
                            "time": 1e9 + self.step,
                            "weights": [0.5, 0.5],
                            "loss": loss,
                        }
                        | more
                    )
                    + "\n"
                )

    def say(self, **record) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(record) + "\n")


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def until(true, seconds=5.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def ends(curves):
    return [trace.x[-1] for trace in curves._chart.data if trace.visible]


def test_curves_follow_a_run_from_its_header_to_its_end(run):
    curves, weights = LossCurves(run.tail, smooth=5), WeightTrajectories(run.tail, stacked=True)
    assert "No step is recorded yet" in curves._chart.layout.annotations[1].text
    run.write(3)
    until(lambda: ends(curves) == [3] * 4 and ends(weights) == [3] * 2)
    assert curves.signal == "loss"
    run.say(domains=["late"])
    run.write(weights=[0.4, 0.4, 0.2], loss=[1, 2, 3])
    until(lambda: ends(curves) == [4] * 6 and ends(weights) == [4] * 3)
    assert curves.domains == ("web", "code", "late")
    assert curves._labels.domains == ["web", "code", "late"]
    assert [trace.meta[0] for trace in weights._chart.data] == ["web", "code", "late"]
    for trace, wanted in zip(
        sorted(curves._chart.data, key=lambda trace: (trace.meta[2], trace.meta[0])),
        sorted(curves.figure.data, key=lambda trace: (trace.meta[2], trace.meta[0])),
        strict=True,
    ):
        np.testing.assert_array_equal(trace.y, wanted.y)
    assert curves._status.runs[0]["state"] == "live"
    run.say(ended=True)
    until(lambda: curves._status.runs[0]["state"] == "ended")
    assert curves._status.runs[0]["step"] == 4


def test_a_zoom_stays_while_the_run_goes_on(run):
    run.write(5)
    curves = LossCurves(run.tail)
    until(lambda: ends(curves) == [5, 5])
    zoom = {"xaxis.range": [2, 4], "xaxis.autorange": False}
    zoom |= {"yaxis.range": [1, 2], "yaxis.autorange": False}
    curves._chart.plotly_relayout(zoom)
    run.write(5)
    until(lambda: ends(curves) == [10, 10])
    for axis, part in ((curves._chart.layout.xaxis, (2, 4)), (curves._chart.layout.yaxis, (1, 2))):
        assert (axis.range, axis.autorange) == (part, False)


def test_a_run_that_goes_on_after_its_end_is_followed_on(run, monkeypatch):
    monkeypatch.setattr(pulse, "_AFTER_THE_END", 0.2)
    curves = LossCurves(run.tail)
    run.write(2)
    run.say(ended=True)
    until(lambda: curves._status.runs[0]["state"] == "ended")
    run.write(1)
    until(lambda: ends(curves) == [3, 3] and curves._status.runs[0]["state"] == "live")


class Listener:
    def __init__(self, fails=False):
        self.heard, self.fails = 0, fails

    def hear(self):
        self.heard += 1
        if self.fails:
            raise RuntimeError("no room")


def test_a_listener_that_fails_stops_no_other(run):
    bad, good = Listener(fails=True), Listener()

    def hear_twice():
        for each in (bad, good):
            Pulse.of(run.tail).listen(each.hear)
        until(lambda: good.heard)
        run.write(1)
        until(lambda: good.heard > 1 < bad.heard)

    with pytest.warns(
        ReweightvizWarning, match=r"a drawing of .*run\.jsonl failed: RuntimeError: no room"
    ):
        hear_twice()


def test_whoever_listens_while_the_thread_ends_is_heard(run, monkeypatch):
    beat, one, two = Pulse(run.tail, 0.01), Listener(), Listener()

    class Slow:
        """A lock for which the thread waits so long that the other listener comes before it."""

        def __init__(self, lock):
            self.lock = lock

        def __enter__(self):
            if threading.current_thread() is beat._thread:
                time.sleep(0.1)
            self.lock.acquire()

        def __exit__(self, *_):
            self.lock.release()

    monkeypatch.setattr(beat, "_lock", Slow(beat._lock))
    beat.listen(one.hear)
    beat.leave(one.hear)
    time.sleep(0.05)
    beat.listen(two.hear)
    time.sleep(0.15)
    run.write(1)
    until(lambda: two.heard)


def test_a_restart_is_drawn_from_where_it_begins_again(run):
    curves = LossCurves(run.tail, smooth=5)
    run.write(20)
    until(lambda: ends(curves) == [20] * 4)
    run.step = 9
    run.write(1, loss=[7, 8])
    until(lambda: ends(curves) == [10] * 4)
    assert curves._chart.data[0].y[-1] == 7
    np.testing.assert_array_equal(curves._chart.data[2].y, curves.figure.data[2].y)
    assert "1 note on the log" in curves._notes.value
    assert (
        "demo: The steps went back from 20 to 10: a restart; 11 rows dropped."
        in curves._notes.value
    )


def test_only_what_changed_is_sent(run, monkeypatch):
    run.write(3000)
    run.tail.poll()
    curves = LossCurves(run.tail, smooth=5)
    curves.pause()
    curves.hidden = ["code"]
    sent = []
    send = Widget._send
    monkeypatch.setattr(
        Widget,
        "_send",
        lambda self, message, buffers=None: (
            sent.append((self, message)),
            send(self, message, buffers),
        ),
    )
    curves._redraw()
    assert not [message for widget, message in sent if widget is curves._chart]
    run.write(5)
    run.tail.poll()
    curves._refresh()
    updates = [
        message["state"]["_py2js_update"]
        for widget, message in sent
        if widget is curves._chart and message["state"].get("_py2js_update")
    ]
    (update,) = updates
    assert update["style_traces"] == [0, 2]
    assert set(update["style_data"]) == {"x", "y"}
    assert set(update["layout_data"]) == {"annotations[0].text"}


def test_paused_curves_stay_and_read_no_further(run):
    curves = LossCurves(run.tail)
    curves.pause()
    run.write(5)
    time.sleep(0.2)
    assert len(run.tail.log) == 0
    assert curves.paused
    curves._status.set_state({"paused": False})  # a click on the page
    until(lambda: ends(curves) == [5, 5])
    with pytest.raises(AssertionError):
        until(lambda: curves.paused, 0.05)


def test_curves_that_no_page_shows_are_not_drawn_until_one_does(run):
    curves = LossCurves(run.tail)
    curves._status.set_state({"seen": 1})
    curves._status.set_state({"seen": 0})
    run.write(5)
    until(lambda: len(run.tail.log) == 5)
    time.sleep(0.1)
    assert ends(curves) == []
    curves._status.set_state({"seen": 1})
    assert ends(curves) == [5, 5]


def test_one_thread_a_run_that_ends_with_its_last_widget(run):
    def following():
        return {
            thread for thread in threading.enumerate() if thread.name == "reweightviz follows a run"
        }

    before = following()
    several = [LossCurves(run.tail), LossCurves(run.tail), WeightTrajectories([run.tail])]
    assert following() - before == {Pulse.of(run.tail)._thread}
    run.write(2)
    until(lambda: all(ends(curves) == [2, 2] for curves in several))
    for curves in several[:2]:
        curves.close()
    assert Pulse.of(run.tail).beating
    several[2].close()
    until(lambda: not Pulse.of(run.tail).beating)


def test_what_goes_wrong_is_shown_and_the_run_is_followed_on(run):
    curves = LossCurves(run.tail)
    run.path.open("a").write("what\n")
    until(lambda: "line 2 is not JSON" in curves._status.runs[0]["problem"])
    run.write(2)
    until(lambda: ends(curves) == [2, 2] and not curves._status.runs[0]["problem"])


def test_a_log_that_stands_still_has_no_status_line(run):
    run.write(2)
    run.tail.poll()
    curves = LossCurves(run.tail.log)
    assert curves._status.layout.display == "none"
    curves.add(run.tail)
    assert curves._status.layout.display is None
    run.write(1)
    until(lambda: sorted(ends(curves)) == [2, 2, 3, 3])


def test_tokens_and_time_are_axes_where_the_log_counts_them(run):
    run.write(3, tokens=4096)
    run.tail.poll()
    curves = LossCurves(run.tail)
    assert [value for _, value in curves._bar["x"].options] == ["step", "tokens", "time"]
    curves._bar["x"].value = "time"
    assert curves._chart.data[0].x.tolist() == [0, 1, 2]
    assert curves._chart.layout.xaxis.title.text == "seconds since the start"
    curves._bar["x"].value = "tokens"
    assert curves._chart.data[0].x.tolist() == [4096] * 3
