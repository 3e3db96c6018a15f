"""A notebook follows a log that another process is writing: the curves grow, and the page keeps what a person chose."""

from __future__ import annotations

import subprocess
import sys

import pytest
from lab import Lab, NotebookPage

WRITER = """
import sys, time
import numpy as np
from reweightviz.training.run_logger import RunLogger

rng, names, began = np.random.default_rng(0), ["web", "code", "math", "books"], time.time()
with RunLogger(sys.argv[1], domains=names, name="from scratch") as log:
    step = 0
    while time.time() < began + float(sys.argv[2]):
        step += 10
        loss = np.array([2.6, 1.4, 1.9, 2.9]) + 4 / np.sqrt(1 + step / 40) + rng.normal(0, 0.06, 4)
        weights = np.exp(0.4 * np.sin(step / 400 + np.arange(4)))
        log.write(step=step, losses=loss, weights=weights / weights.sum(), tokens=4096 * step)
        time.sleep(0.02)
"""
CELL = """
import reweightviz as rv

tail = rv.read_log({path!r}, follow=True)
curves, weights = rv.LossCurves(tail, smooth=10, link="follow"), rv.WeightTrajectories(tail, stacked=True, link="follow")
display(curves, weights)
"""
BUSY = """
import time
from pathlib import Path

while not Path({go!r}).exists():
    time.sleep(0.05)
"""
PLOT = "document.querySelector('.rv-curves .js-plotly-plot')"


def points(page: NotebookPage) -> int:
    """Points of the line that reaches furthest, as plotly has them."""
    return page.page.evaluate(
        f"Math.max(0, ...({PLOT}?._fullData ?? []).map((trace) => trace.visible === true ? trace.x.length : 0))"
    )


def grown(page: NotebookPage, before: int) -> int:
    """Wait until there are more points than that; how many there are then."""
    page.page.wait_for_function(
        f"before => Math.max(0, ...({PLOT}?._fullData ?? []).map((trace) => trace.visible === true ? trace.x.length : 0)) > before",
        arg=before,
        timeout=20_000,
    )
    return points(page)


@pytest.fixture
def writing(tmp_path):
    """Starts the process that writes the log, for so many seconds."""
    started = []

    def start(seconds: float) -> None:
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(tmp_path / "run.jsonl"), str(seconds)]
            )
        )

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_curves_grow_while_another_process_writes(lab: Lab, tmp_path, writing):
    page = lab.open(
        [CELL.format(path=str(tmp_path / "run.jsonl")), BUSY.format(go=str(tmp_path / "go"))]
    )
    page.run(0)
    status = page.locator(".rv-live button").first
    page.locator(".rv-live button", has_text="waiting for run.jsonl").first.wait_for()
    writing(600)
    first = grown(page, 20)
    page.locator(".rv-live button", has_text="live · step").first.wait_for()
    assert grown(page, first) > first

    # While a cell keeps the kernel busy the curves move all the same.
    page.start(1)
    page.page.wait_for_timeout(1000)
    now = points(page)
    assert grown(page, now) > now
    assert page.page.evaluate("window.rvRuns[1]") is False
    (tmp_path / "go").touch()
    page.wait(1)

    # What a person chose stays: the zoom, the hidden domain, the focus.
    page.locator(".rv-curves-label", has_text="books").first.locator(".rv-curves-swatch").click()
    page.locator(".rv-curves-label", has_text="code").first.locator(".rv-curves-name").click()
    page.until("curves.hidden == ['books'] and curves.focus == 'code'")
    page.drag(".rv-curves .js-plotly-plot .nsewdrag", [(0.2, 0.3), (0.6, 0.8)])
    page.until("curves._labels.within")
    zoom = page.page.evaluate(f"[{PLOT}._fullLayout.xaxis.range, {PLOT}._fullLayout.yaxis.range]")
    now = points(page)
    assert grown(page, now) > now
    assert (
        page.page.evaluate(f"[{PLOT}._fullLayout.xaxis.range, {PLOT}._fullLayout.yaxis.range]")
        == zoom
    )
    assert page.python("(curves.hidden, curves.focus)") == (["books"], "code")
    page.locator(".rv-curves .js-plotly-plot .nsewdrag").first.dblclick()
    page.until("not curves._labels.within")
    page.execute("curves.hidden, curves.focus = [], None")

    # A click pauses, another goes on.
    status.click()
    page.until("curves.paused")
    page.page.wait_for_timeout(1500)
    now = points(page)
    page.page.wait_for_timeout(2000)
    assert points(page) == now
    page.locator(".rv-live button", has_text="paused · step").first.wait_for()
    status.click()
    assert grown(page, now) > now
    for theme in ("light", "dark"):
        page.theme(theme)
        assert page.shot(f"follow-{theme}", ".jp-Notebook").stat().st_size > 10_000


def test_the_end_and_a_file_that_disappears_are_said(lab: Lab, tmp_path, writing):
    page = lab.open([CELL.format(path=str(tmp_path / "run.jsonl"))])
    writing(6)
    page.run(0)
    page.locator(".rv-live button", has_text="ended · step").first.wait_for(timeout=30_000)
    # The button and the chart hear of the end one after the other.
    steps = page.python("len(tail.log)")
    assert grown(page, steps - 1) == steps
    assert page.python("tail.ended and not tail.live")

    page = lab.open([CELL.format(path=str(tmp_path / "run.jsonl"))])
    writing(30)
    page.run(0)
    now = grown(page, 10)
    (tmp_path / "run.jsonl").rename(tmp_path / "old.jsonl")
    page.locator(
        ".rv-live button", has_text="gone: run.jsonl is not there any more"
    ).first.wait_for(timeout=20_000)
    assert points(page) >= now
    (tmp_path / "old.jsonl").rename(tmp_path / "run.jsonl")
    page.locator(".rv-live button", has_text="live · step").first.wait_for(timeout=20_000)
    assert grown(page, points(page)) > now
