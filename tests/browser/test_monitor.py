"""A notebook watches a run that another process writes, and steers it: the live file changes and the realised shares follow."""

from __future__ import annotations

import subprocess
import sys

import pytest
from lab import Lab, NotebookPage

RUN = """
import sys, time
import numpy as np
from reweightviz.core.live import LiveMixture
from reweightviz.training.mixture_sampler import MixtureSampler
from reweightviz.training.run_logger import RunLogger

folder, seconds = sys.argv[1], float(sys.argv[2])
names, rows = ["web", "code", "math", "books"], 2_000
sampler = MixtureSampler(dict.fromkeys(names, rows), LiveMixture(folder + "/mix.json"), batch=32, every=5)
rng, seen = np.random.default_rng(0), np.zeros(4)
began, step, drawn = time.time(), 0, np.zeros(4)
with RunLogger(folder + "/run.jsonl", domains=names, name="mine") as log:
    for batch in sampler:
        step += 1
        counts = np.bincount(sampler.domain_codes(batch), minlength=4)
        drawn, seen = drawn + counts, seen + counts
        if step % 4 == 0:
            loss = np.array([2.6, 1.4, 1.9, 2.9]) + 4 / np.sqrt(1 + seen / 400) + rng.normal(0, 0.05, 4)
            log.write(step=step, losses=loss, weights=sampler.weights(step - 1), drawn_tokens=64 * drawn, tokens=64 * seen.sum(),
                      scalars={"grad_norm": float(1 + rng.gamma(3) / 6), "lr": 1e-3 / (1 + step / 2000)})
            drawn = np.zeros(4)
        time.sleep(0.004)
        if time.time() > began + seconds:
            break
"""
CELL = """
import reweightviz as rv
from reweightviz.core.live import LiveMixture
from reweightviz.apps.monitor.monitor import Monitor

live = LiveMixture.create({folder!r} + "/mix.json", {{"web": 0.55, "code": 0.25, "math": 0.1, "books": 0.1}}, bounds={{"books": (0.05, 0.5)}},
                          author="setup", overwrite=True)
reference = rv.RunLog(("web", "code", "math", "books"), range(0, 20000, 100), [[0.25] * 4] * 200,
                      {{"loss": [[6.5 / (1 + s / 500) + c for c in (2.6, 1.6, 2.2, 3.0)] for s in range(0, 20000, 100)]}}, "before")
m = Monitor({folder!r} + "/run.jsonl", live=live, reference=reference, sources=dict.fromkeys(["web", "code", "math", "books"], 1_280_000.0),
            max_epochs=4, budget="15M", every=0.5)
m
"""
PLOT = "[...document.querySelectorAll('.rv-monitor .js-plotly-plot')].find((each) => each.offsetParent)"


@pytest.fixture
def training(tmp_path):
    """Starts the process that draws and logs, for so many seconds."""
    started = []

    def start(seconds: float) -> None:
        started.append(subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path), str(seconds)]))

    yield start
    for process in started:
        process.kill()
        process.wait()


def choose(page: NotebookPage, title: str) -> None:
    page.locator(".rv-monitor .widget-toggle-button").get_by_text(title, exact=True).or_(
        page.page.get_by_role("button", name=title, exact=True)
    ).first.click()
    page.until(f"m._tabs.label == {title!r} and m.shown._chart is not None")
    page.page.wait_for_function(
        f"{PLOT}?._fullData?.some((trace) => trace.visible === true)", timeout=20_000
    )
    page.page.wait_for_timeout(1500)


def last(page: NotebookPage, domain: str, role: str) -> float:
    """Where a line of the picture ends."""
    return page.page.evaluate(
        f"([domain, role]) => {PLOT}._fullData.find((trace) => trace.meta?.[0] === domain && trace.meta[2] === role).y.at(-1)",
        [domain, role],
    )


def test_a_run_is_watched_and_steered(lab: Lab, tmp_path, training):
    page = lab.open([CELL.format(folder=str(tmp_path))], size=(1400, 1250))
    page.run(0)
    training(600)
    page.locator(".rv-monitor .rv-live button:visible", has_text="live · step").first.wait_for(
        timeout=30_000
    )
    choose(page, "Realised shares")
    page.page.wait_for_timeout(4000)
    assert abs(last(page, "web", "realised") - 55) < 3

    # A drag alone steers nothing; the button does.
    steer = page.locator(".rv-steering button", has_text="Steer the run").first
    assert steer.is_disabled()
    page.locator(".rv-steering .rv-mixture-row, .rv-steering [role=slider]").first.wait_for()
    slider = page.locator(".rv-steering [role=slider][aria-label*='math']").first
    slider.focus()
    for _ in range(8):
        slider.press("PageUp")
    page.until("m.editor.mixture['math'] > 0.499")  # all eight, of 5 points each
    wanted = page.python("m.editor.mixture['math']")
    assert page.python("live.version") == 1
    page.locator(".rv-steering input[placeholder^='why']").first.fill("math lags")
    page.locator(".rv-steering input[placeholder^='why']").first.press("Tab")
    steer.click()
    page.until("live.version == 2")
    assert page.python("live.changes().note[2]") == "math lags"
    page.locator(".rv-monitor .rv-curves-bar select:visible").first.select_option(
        label="last 20 records"
    )
    page.page.wait_for_function(
        f"want => Math.abs({PLOT}._fullData.find((trace) => trace.meta?.[0] === 'math' && trace.meta[2] === 'realised').y.at(-1) - want) < 2",
        arg=100 * wanted,
        timeout=20_000,
    )
    page.page.wait_for_function(
        f"{PLOT}.layout.shapes?.length === 1 && {PLOT}.layout.shapes[0].label.text === 'v2'",
        timeout=20_000,
    )
    assert page.page.evaluate(f"{PLOT}.layout.shapes[0].x0") == page.python(
        "int(live.changes().step[2])"
    )

    # A guard refuses with its sentence, and the mixture stays.
    page.execute("m.editor.mixture = {'web': 0.5, 'code': 0.25, 'math': 0.24, 'books': 0.01}")
    steer.click()
    page.locator(
        ".rv-steering [role=status]", has_text="'books' must be between 0.05 and 0.5"
    ).first.wait_for()
    assert page.python("live.version") == 2

    # Somebody else steers too: it is shown, and an editor that was not touched follows.
    page.locator(".rv-steering button", has_text="Back to the run's").first.click()
    page.until("m.steering.button.disabled")
    page.execute(
        "LiveMixture(live.path).set({'web': 0.3, 'code': 0.3, 'math': 0.3, 'books': 0.1}, author='ben')"
    )
    page.locator(".rv-steering details", has_text="ben").first.wait_for(timeout=20_000)
    page.until("abs(m.editor.mixture['code'] - 0.3) < 1e-9")

    for title in (
        "Loss",
        "Excess loss",
        "Weights",
        "Realised shares",
        "Epochs",
        "Loss by weight",
        "Scalars",
    ):
        choose(page, title)
        if title == "Epochs":  # the numbers are of now, not of where the dotted lines lead
            page.locator(".rv-monitor .rv-curves-at:visible", has_text="step ").wait_for()
            shown = (
                page.locator(".rv-monitor .rv-curves-label:visible", has_text="math")
                .locator("span")
                .last.inner_text()
            )
            assert (
                abs(float(shown) - last(page, "math", "epochs"))
                < 0.1
                < last(page, "math", "ahead") - float(shown)
            )
        assert (
            page.shot(f"monitor-{title.lower().replace(' ', '-')}", ".rv-monitor").stat().st_size
            > 10_000
        )
    choose(page, "Realised shares")
    for theme in ("light", "dark"):
        page.theme(theme)
        assert page.shot(f"monitor-{theme}", ".rv-monitor").stat().st_size > 10_000
