"""The figures of the first release, measured here; writes benchmarks/results/first_light.json.

    .venv/bin/python benchmarks/first_light.py columns
    .venv/bin/python benchmarks/first_light.py law weights

columns: documents per second of embed, project, cluster and losses. weights: bytes sent and kernel
milliseconds a weight change, 20k and 1M points. pixels: from a dragged weight to changed pixels,
headless Chromium. demo: from `make demo` in a set-up tree to a drawn Explorer. law: the law on the
demo swarm, cross-validated, and really trained. All of them when none is named.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "first_light.json"
sys.path.insert(0, str(ROOT / "tests" / "browser"))
MAP = "[data-rv=map-canvas]"


def columns() -> dict[str, Any]:
    """Time the columns cold: the cache is off, the process is fresh (numba compiles)."""
    os.environ["REWEIGHTVIZ_CACHE"] = "off"
    import reweightviz as rv

    found: dict[str, Any] = {}
    began = time.perf_counter()
    corpus = rv.demo_corpus()
    found["demo_corpus_s"] = round(time.perf_counter() - began, 1)
    found["documents"] = len(corpus)
    found["domains"] = len(corpus.domains)
    for verb in (rv.embed, rv.project, rv.cluster, rv.losses):
        began = time.perf_counter()
        corpus = verb(corpus)
        seconds = time.perf_counter() - began
        found[verb.__name__] = {
            "s": round(seconds, 2),
            "documents_a_second": round(len(corpus) / seconds),
        }
    return found


def weights() -> dict[str, Any]:
    """Measure a weight change of a whole Explorer from Python: editor, map and journal."""
    from ipywidgets import Widget

    import reweightviz as rv

    rng = np.random.default_rng(0)
    names = [f"d{k}" for k in range(12)]
    sent: list[int] = []
    send = Widget._send

    def count(self: Widget, message: Any, buffers: Any = None) -> None:
        sent.append(len(json.dumps(message)) + sum(memoryview(b).nbytes for b in buffers or []))
        send(self, message, buffers)

    Widget._send = count
    found = {}
    for points in (20_000, 1_000_000):
        codes = rng.integers(0, 12, points)
        corpus = rv.Corpus(
            {
                "text": np.full(points, "text", object),
                "domain": np.array(names)[codes],
                "tokens": np.full(points, 100),
                "xy": rng.standard_normal((points, 2)),
            },
            domains=names,
        )
        began = time.perf_counter()
        x = rv.Explorer(corpus)
        built = time.perf_counter() - began
        opened = sum(
            memoryview(value).nbytes
            for value in x.map.get_state().values()
            if isinstance(value, bytes | memoryview)
        )
        times = []
        sizes = []
        for _ in range(60):  # longer than the editor's journal, so that it is full
            sent.clear()
            mixture = rv.Mixture.normalized(
                zip(names, rng.dirichlet(np.ones(12)).tolist(), strict=True)
            )
            began = time.perf_counter()
            x.mixture = mixture
            times.append(1e3 * (time.perf_counter() - began))
            sizes.append(sum(sent))
        found[f"{points}"] = {
            "build_s": round(built, 3),
            "bytes_at_opening": opened,
            "bytes_a_change": max(sizes),
            "kernel_ms_a_change": round(statistics.median(times), 3),
        }
    Widget._send = send
    return found


_DRAG = """async ([bar, canvas, steps]) => {
  const slider = document.querySelector(bar);
  const picture = document.querySelector(canvas);
  const box = slider.getBoundingClientRect();
  const read = () => {
    const copy = new OffscreenCanvas(picture.width, picture.height);
    const pen = copy.getContext("2d");
    pen.drawImage(picture, 0, 0);
    const data = new Uint32Array(pen.getImageData(0, 0, copy.width, copy.height).data.buffer);
    let hash = 0;
    for (let i = 0; i < data.length; i += 7) hash = (hash * 31 + data[i]) | 0;
    return hash;
  };
  const fire = (type, x) => slider.dispatchEvent(new PointerEvent(type, {
    bubbles: true, pointerId: 1, isPrimary: true, button: 0, buttons: 1,
    clientX: box.left + x * box.width, clientY: box.top + box.height / 2,
  }));
  const frame = () => new Promise(requestAnimationFrame);
  const took = [];
  fire("pointerdown", 0.2);
  for (let i = 0; i < steps; i++) {
    await frame(); const before = read(), began = performance.now();
    fire("pointermove", 0.25 + 0.5 * ((i * 7) % steps) / steps);
    while (read() === before && performance.now() - began < 5000) await frame();
    took.push(performance.now() - began);
  }
  fire("pointerup", 0.5);
  return took;
}"""

_IS_DRAWN = """map => {
  const c = document.querySelector(map);
  if (!c || !c.width) return false;
  const d = new OffscreenCanvas(c.width, c.height).getContext("2d");
  d.drawImage(c, 0, 0);
  const p = new Uint32Array(d.getImageData(0, 0, c.width, c.height).data.buffer);
  return p.some(v => v !== p[0]);
}"""


def pixels() -> dict[str, Any]:
    """Time a pointer event to a changed canvas, readback included; SwiftShader, so not of a GPU."""
    import chromium
    from lab import Lab

    cell = """
import numpy as np, reweightviz as rv
rng = np.random.default_rng(0)
names = [f"d{{k}}" for k in range(12)]
codes = rng.integers(0, 12, {n})
xy = rng.standard_normal(({n}, 2)) + 4 * np.stack([np.cos(codes), np.sin(codes)], 1)
columns = {{"text": np.array(["a"] * {n}, object), "domain": np.array(names)[codes]}}
columns |= {{"tokens": np.ones({n}, int), "xy": xy}}
corpus = rv.Corpus(columns, domains=names)
x = rv.Explorer(corpus, budget={n}.0); x
"""
    found = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        Lab(Path(folder), chromium=str(chromium.find()), shots=Path(folder)) as lab,
    ):
        for points in (20_000, 1_000_000):
            page = lab.open([cell.format(n=points)], size=(1700, 1000))
            page.run(0, timeout=120)
            page.locator(MAP).first.wait_for()
            page.page.wait_for_timeout(6000)
            took = page.page.evaluate(_DRAG, ["[data-rv=bar]", MAP, 15])
            found[f"{points}"] = {
                "drag_to_pixels_ms_median": round(statistics.median(took), 1),
                "worst_ms": round(max(took), 1),
            }
            lab.close_pages()
    from reweightviz.widgets.common.assemble import assemble

    widgets = ROOT / "reweightviz" / "widgets"
    found["javascript_bytes"] = {
        path.name: len(assemble(path).encode())
        for path in sorted(widgets.rglob("*.js"))
        if path.with_suffix(".py").exists()
    }
    return found


def demo() -> dict[str, Any]:
    """Time `make demo BROWSER=none` until a browser has run its notebook from the top."""
    import chromium
    from lab import FLAGS
    from playwright.sync_api import sync_playwright

    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as log:
        server = subprocess.Popen(
            ["make", "demo", "BROWSER=none"],
            cwd=ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            url = None
            while url is None and time.perf_counter() - began < 120:
                time.sleep(0.2)
                log.seek(0)
                url = re.search(r"http://(?:localhost|127\.0\.0\.1):\d+/\S*token=\w+", log.read())
            assert url, "make demo printed no URL"
            served = time.perf_counter() - began
            with sync_playwright() as playwright:
                page = playwright.chromium.launch(
                    executable_path=chromium.find(), args=FLAGS
                ).new_page(viewport={"width": 1700, "height": 1100})
                page.goto(url.group(0))
                page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
                page.click("text=Run", timeout=60_000)
                page.click("text=Run All Cells")
                page.wait_for_selector(MAP, timeout=240_000)
                page.wait_for_function(_IS_DRAWN, arg=MAP, timeout=60_000)
            return {
                "url_s": round(served, 1),
                "drawn_explorer_s": round(time.perf_counter() - began, 1),
            }
        finally:
            os.killpg(server.pid, 15)
            server.wait(30)


def law() -> dict[str, Any]:
    """Cross-validate Olmix on the demo swarm in five folds; add the runs of data/make_runs.py."""
    from scipy.stats import spearmanr

    import reweightviz as rv

    whole = rv.demo_swarm()
    swarm = whole.take(np.flatnonzero(whole.runs.kind == "dirichlet"))
    folds = np.random.default_rng(0).permutation(len(swarm)) % 5
    predicted, low, high = (np.full(swarm.losses.shape, np.nan) for _ in range(3))
    began = time.perf_counter()
    for fold in range(5):
        out = np.flatnonzero(folds == fold)
        fitted = rv.fit(swarm.take(np.flatnonzero(folds != fold)), rv.laws.Olmix())
        predicted[out] = fitted.predict(swarm.mixtures[out])
        low[out], high[out] = fitted.interval(swarm.mixtures[out], 0.9)
    seconds = (time.perf_counter() - began) / 5
    inside = (swarm.losses >= low) & (swarm.losses <= high)
    rho = [
        spearmanr(predicted[:, m], swarm.losses[:, m]).statistic for m in range(len(swarm.targets))
    ]
    found: dict[str, Any] = {
        "runs": len(swarm),
        "fit_s": round(seconds, 2),
        "spearman_mean": round(float(np.mean(rho)), 4),
        "spearman_worst": round(float(min(rho)), 4),
        "coverage_90": round(float(inside.mean()), 4),
        "rmse": round(float(np.sqrt(((predicted - swarm.losses) ** 2).mean())), 4),
        "noise_floor_mean": round(float(whole.noise_floor().mean()), 4),
        "loss_spread_mean": round(float(swarm.losses.std(0).mean()), 4),
        "mean_of_targets": {
            "spearman": round(
                float(spearmanr(predicted.mean(1), swarm.losses.mean(1)).statistic), 4
            ),
            "noise_floor": round(
                float(whole.losses[whole.runs.kind == "repeat"].mean(1).std(ddof=1)), 4
            ),
        },
    }
    return found | {"really_trained": summarise_validation()}


def summarise_validation() -> dict[str, Any]:
    """Summarise the runs of data/make_runs.py beside the predictions of Olmix."""
    path = ROOT / "data" / "validation.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    found: dict[str, Any] = {}
    for name in dict.fromkeys(row["mixture"] for row in rows):
        mine = [row for row in rows if row["mixture"] == name]
        runs = np.array([row["losses"] for row in mine])
        means = runs.mean(1)
        found[name] = {
            "seeds": len(runs),
            "mean_loss": round(float(means.mean()), 4),
            "sd": round(float(means.std(ddof=1)), 4),
            "worst_domain": round(float(runs.mean(0).max()), 4),
            "predicted_mean": round(mine[0]["predicted"]["Olmix"], 4),
        }
    return found


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    f.__name__: f for f in (columns, weights, pixels, demo, law)
}


def main() -> None:
    """Measure the named parts (all when none is named)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in parser.parse_args().parts or PARTS:
        results[name] = PARTS[name]() | {
            "measured_on": f"{os.cpu_count()} cores, {platform.machine()}, Python "
            f"{platform.python_version()}"
        }
        print(name, json.dumps(results[name], indent=1), flush=True)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
