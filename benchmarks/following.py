"""Follow a log of 20 domains: opening time, memory and the cost of an update.

Writes benchmarks/results/following.json.

.venv/bin/python benchmarks/following.py               10,000, 100,000 and 1,000,000 lines
.venv/bin/python benchmarks/following.py 10000         so many lines

A line holds the weights and losses of 20 domains, the time, the tokens and two scalars (500
bytes). An update is 100 new lines: read into the table, snapshot, and a LossCurves with smoothing
that draws them and sends them to the page. Every size is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "following.json"
DOMAINS, UPDATES, NEW = 20, 40, 100


def write(file: TextIO, first: int, count: int) -> None:
    """So many steps from that one on; a line as RunLog.save writes it."""
    rng = np.random.default_rng(first)
    for start in range(first, first + count, 10_000):
        steps = np.arange(start, min(start + 10_000, first + count))
        weights = rng.dirichlet(np.ones(DOMAINS), len(steps))
        loss = 2 + 4 / np.sqrt(steps[:, None]) + rng.normal(0, 0.1, (len(steps), DOMAINS))
        file.writelines(
            f'{{"step": {step}, "time": {1.7e9 + step:.3f}, "tokens": {step * 4096}, '
            f'"weights": [{", ".join(f"{v:.7g}" for v in w)}], '
            f'"loss": [{", ".join(f"{v:.7g}" for v in y)}], "scalars": {{"learning_rate": '
            f'0.001, "gradient_norm": {w[0]:.7g}}}}}\n'
            for step, w, y in zip(steps.tolist(), weights.tolist(), loss.tolist(), strict=True)
        )


def resident() -> float:
    """Megabytes that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def measured(path: Path) -> dict[str, Any]:
    """Open the log, draw it, and follow it."""
    import ipywidgets

    from reweightviz.core.records import Records
    from reweightviz.core.run_lines import RunLineReader
    from reweightviz.core.runlog import RunLog
    from reweightviz.readers.tail import Tail
    from reweightviz.widgets.curves.curves import LossCurves

    LossCurves(
        RunLog(("web",), [1], [[1.0]], {"loss": [[1.0]]})
    )  # what is imported at the first drawing counts as nobody's
    before, began, used = resident(), time.perf_counter(), time.process_time()
    tail = Tail(RunLineReader(path), Records(), path)
    tail.poll()
    found: dict[str, Any] = {
        "lines": len(tail.log),
        "megabytes_on_disk": round(path.stat().st_size / 1e6, 1),
        "open_s": round(time.perf_counter() - began, 2),
        "open_cpu_s": round(time.process_time() - used, 2),
        "open_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3 - before),
        "held_mb": round(resident() - before),
    }
    began = time.perf_counter()
    curves = LossCurves(tail, smooth=10)
    curves.pause()  # the updates are made here, one by one
    found["first_drawing_s"] = round(time.perf_counter() - began, 2)
    sent: list[int] = []
    send = ipywidgets.Widget._send
    ipywidgets.Widget._send = lambda self, message, buffers=None: (
        sent.append(_size(message, buffers)),
        send(self, message, buffers),
    )
    took: dict[str, list[float]] = {"poll_ms": [], "snapshot_ms": [], "draw_ms": []}
    with path.open("a") as file:
        for _ in range(UPDATES):
            write(file, tail.records.last_step + 1, NEW)
            file.flush()
            for name, do in (
                ("poll_ms", tail.poll),
                ("snapshot_ms", lambda: tail.log),
                ("draw_ms", curves._refresh),
            ):
                began = time.perf_counter()
                do()
                took[name].append(1e3 * (time.perf_counter() - began))
    found["update"] = {"new_lines": NEW} | {
        name: {"median": round(statistics.median(each), 3), "max": round(max(each), 2)}
        for name, each in took.items()
    }
    return found | {
        "bytes_sent_an_update": round(sum(sent) / UPDATES),
        "points_a_line": max(len(trace.x) for trace in curves.figure.data),
    }


def _size(message: Any, buffers: Any) -> int:
    return len(json.dumps(message, default=str)) + sum(
        memoryview(each).nbytes for each in buffers or []
    )


def main() -> None:
    """Measure the sizes asked for (all when none is)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lines", nargs="*", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measured(given.measure)))
        return
    results = {
        "measured_on": f"{os.cpu_count()} cores, {platform.machine()}, {_processor()}, "
        f"Python {platform.python_version()}",
        "domains": DOMAINS,
        "sizes": {},
    }
    for lines in given.lines:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.jsonl"
            with path.open("w") as file:
                file.write(
                    json.dumps(
                        {
                            "format": "reweightviz.runlog/1",
                            "name": "run",
                            "domains": [f"domain {k}" for k in range(DOMAINS)],
                            "meta": {},
                        }
                    )
                    + "\n"
                )
                write(file, 1, lines)
            done = subprocess.run(
                [sys.executable, __file__, "--measure", path],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
        results["sizes"][f"{lines}"] = json.loads(done.stdout)
        print(lines, json.dumps(results["sizes"][f"{lines}"], indent=1), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )


if __name__ == "__main__":
    main()
