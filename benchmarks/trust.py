"""Attack everything that writes: kills, full disks, read-only folders, several processes.

Writes benchmarks/results/trust.json and, from it, benchmarks/trust.md.

trust.py --short                 a few minutes, a few formats; trust.md stays as it is
trust.py --full                  every part, about an hour on 2 cores
trust.py --full kills disk       some parts; each writes its own in the JSON
trust.py --full kills --go-on    only the rows that the JSON lacks
trust.py --full kills --rows Corpus "export levanter"    rows by a part of their name
trust.py --report                trust.md anew, from the JSON
trust.py --full --package ../old --results old.json      another version of the package

The rows are in attacks/rows.py and attacks/shared_rows.py; a feature that writes adds its own
there. The fuzzing, the hour in a browser and the steps of editor and explorer are scripts of their
own, beside this one.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import re
import selectors
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from attacks import watch

BENCHMARKS = Path(__file__).resolve().parent
RESULTS = BENCHMARKS / "results" / "trust.json"
PARTS = ("kills", "calls", "disk", "readonly", "writers")
PACKAGES = ("reweightviz", "pylance", "pyarrow", "pandas", "numpy", "filelock", "torch")
MOMENTS = 200
SHORT_MOMENTS = 5


def main() -> int:
    """Run the parts that were asked for; the exit code is 1 where a row has a fault."""
    options = _parse()
    if options.worker:
        from attacks.worker import work

        work(options)
        return 0
    if options.report:
        _write_report(options.results)
        return 0
    parts = options.parts or PARTS
    found: dict[str, Any] = {}
    if options.results.exists() and _is_kept(options):
        found = json.loads(options.results.read_text("utf-8"))
    bad = 0
    with _workplace() as place:
        for part in parts:
            bad += _run_part(part, options, place, found)
    if not options.short and options.results == RESULTS:
        _write_report(options.results)
    print(f"{bad} rows are not as they must be.")
    return int(bad > 0)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--short", action="store_true", help="a few minutes")
    size.add_argument("--full", action="store_true", help="an hour")
    size.add_argument("--report", action="store_true", help="write trust.md from the JSON")
    parser.add_argument("--rows", nargs="+", default=[], help="parts of names")
    parser.add_argument("--go-on", action="store_true", help="leave out rows that are there")
    parser.add_argument("--moments", type=int, default=0, help="random moments of a row")
    parser.add_argument("--processes", type=int, default=2, help="workers at once")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--package", type=Path, help="folder of another version of reweightviz")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    parser.add_argument("--share", default="0/1", help=argparse.SUPPRESS)
    parser.add_argument("--skip", nargs="*", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not (options.short or options.full or options.report or options.worker):
        parser.error("say --short or --full")
    if not options.moments:
        options.moments = SHORT_MOMENTS if options.short else MOMENTS
    return options


def _workplace() -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder that a user without rights may pass through."""
    place = tempfile.TemporaryDirectory(prefix="trust-")
    Path(place.name).chmod(0o711)
    return place


def _run_part(part: str, options: argparse.Namespace, place: str, found: dict[str, Any]) -> int:
    """Run a part in its workers, save every row as it comes, and count the bad ones."""
    here = Path(place).resolve() / part
    here.mkdir()
    environment = _watched(here) if part in ("kills", "calls") else {}
    if environment is None:
        print(f"{part}: skipped, {watch.why_not()}")
        return 0
    told = found.setdefault(part, {"rows": {}})
    began = time.monotonic()
    if options.go_on or options.rows:
        # The rows that stay took their time, too.
        began -= 60 * told.get("measured", {}).get("minutes", 0)
    else:
        told["rows"] = {}
    bad = 0
    for row, result in _collect(part, options, here, environment, list(told["rows"])):
        told["rows"][row] = result
        wrong = _is_bad(result)
        bad += wrong
        print(f"{part}: {row}: {'BAD ' if wrong else ''}{_say(result)}", flush=True)
        if _is_kept(options):
            told["measured"] = _measured(options, began)
            options.results.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    return bad


def _is_kept(options: argparse.Namespace) -> bool:
    """Return whether results are kept: of a short run only where a file for them is named."""
    return options.results != RESULTS or not options.short


def _watched(here: Path) -> dict[str, str] | None:
    if watch.why_not():
        return None
    return watch.build(here)


def _collect(
    part: str,
    options: argparse.Namespace,
    here: Path,
    environment: dict[str, str],
    known: list[str],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Start the workers and yield what they find, as they find it."""
    workers = [
        _start(part, options, here, environment, known, f"{number}/{options.processes}")
        for number in range(options.processes)
    ]
    streams = {worker.stdout: worker for worker in workers}
    chooser = selectors.DefaultSelector()
    for stream in streams:
        chooser.register(stream, selectors.EVENT_READ)
    while streams:
        for key, _ in chooser.select():
            line = key.fileobj.readline()
            if line.startswith("RESULT "):
                row, result = json.loads(hide_folders(line.removeprefix("RESULT ")))
                yield row, result
            elif line:
                print(line, end="", flush=True)
            else:
                chooser.unregister(key.fileobj)
                worker = streams.pop(key.fileobj)
                if worker.wait():
                    raise SystemExit(f"a worker of {part} ended with {worker.returncode}.")


FOLDERS = re.compile(r"(?<![\w.])(?:/|tmp/)(?:[\w.+@-]+/)+(?=[\w.#-])")
"""The folders before a name in an absolute path; Lance leaves the first slash out."""


def hide_folders(words: str) -> str:
    """Leave the folders of this machine out.

    >>> hide_folders("cannot write /home/me/trust-1/now/c.lance: c.lance/data/#.lance")
    'cannot write c.lance: c.lance/data/#.lance'
    """
    return FOLDERS.sub("", words)


def _start(
    part: str,
    options: argparse.Namespace,
    here: Path,
    environment: dict[str, str],
    known: list[str],
    share: str,
) -> subprocess.Popen[str]:
    package = options.package or BENCHMARKS.parent
    command = [
        *(sys.executable, str(Path(__file__).resolve()), "--worker", part, "--share", share),
        *("--place", str(here / share.replace("/", "-")), "--moments", str(options.moments)),
    ]
    if options.rows:
        command += ["--rows", *options.rows]
    if options.short:
        command.append("--short")
    if options.go_on and known:
        command += ["--skip", *known]
    own = {
        "PYTHONPATH": os.pathsep.join([str(package.resolve()), str(BENCHMARKS)]),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "REWEIGHTVIZ_CACHE": "off",
        "HF_HUB_OFFLINE": "1",
    }
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, bufsize=1, env=os.environ | own | environment
    )


def _is_bad(result: dict[str, Any]) -> bool:
    return bool(result.get("faults"))


def _say(result: dict[str, Any]) -> str:
    if "skipped" in result:
        return f"skipped, {result['skipped']}"
    words = [f"{result['attacks']} attacks"]
    words += [f"{number} {state}" for state, number in result.get("states", {}).items()]
    words += [f"{name}: {fault}" for name, fault in result.get("faults", {}).items()]
    return "; ".join(words)


def _measured(options: argparse.Namespace, began: float) -> dict[str, Any]:
    return {
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d"),
        "device": f"{os.cpu_count()} cores, {_processor()}, {platform.system()} "
        f"{platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "packages": dict(_list_versions()) | _name_other(options.package),
        "minutes": round((time.monotonic() - began) / 60, 1),
        "moments": options.moments,
        "processes": options.processes,
    }


def _list_versions() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue


def _name_other(package: Path | None) -> dict[str, str]:
    """Return the version of another reweightviz that was attacked in place of the installed one."""
    if package is None:
        return {}
    project = tomllib.loads((package / "pyproject.toml").read_text("utf-8"))["project"]
    return {"reweightviz": str(project["version"])}


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _write_report(results: Path) -> None:
    from attacks.report import write_report

    write_report(results, BENCHMARKS / "trust.md")


if __name__ == "__main__":
    sys.exit(main())
