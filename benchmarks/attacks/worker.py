"""A worker of trust.py: attacks its share of the rows, and prints a line of JSON a row."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attacks import full_disk
from attacks.kills import attack_by_kills
from attacks.read_only import attack_read_only
from attacks.row import Row
from attacks.rows import ROWS, SHORT, can_run, import_all
from attacks.shared_rows import SHARED
from attacks.verdict import Broken
from attacks.writers import attack_by_writers

__all__ = ["work"]

TURNS = {True: 4, False: 15}
"""Short run or not, to the times that each of several processes writes."""


def work(options: argparse.Namespace) -> None:
    """Attack every row of this worker's share."""
    warnings.simplefilter("ignore")
    place = options.place
    place.mkdir(parents=True)
    table = SHARED if options.worker == "writers" else ROWS
    names = list(_choose(table, options))
    import_all([table[name] for name in names])
    os.environ["HOME"] = str(place)
    for number, name in enumerate(names):
        here = place / f"{number}"
        here.mkdir()
        result = _attack(options, name, here)
        shutil.rmtree(here, ignore_errors=True)
        print("RESULT " + json.dumps([name, result]), flush=True)


def _choose(table: Any, options: argparse.Namespace) -> Iterator[str]:
    mine, of = map(int, options.share.split("/"))
    names = list(table)
    if options.short and table is ROWS and not options.rows:
        names = SHORT
    if options.rows:
        names = [name for name in names if any(part in name for part in options.rows)]
    names = [name for name in names if name not in options.skip]
    yield from names[mine::of]


def _attack(options: argparse.Namespace, name: str, place: Path) -> dict[str, Any]:
    row = SHARED[name] if options.worker == "writers" else ROWS[name]
    if not can_run(row):
        return {"attacks": 0, "bad": 0, "skipped": f"needs {row.needs}, which is not installed"}
    try:
        return PARTS[options.worker](row, place, options)
    except Broken as fault:
        return {"attacks": 0, "bad": 1, "faults": {"broken": str(fault)[:300]}}


def _kill(row: Row, place: Path, options: argparse.Namespace) -> dict[str, Any]:
    moments = options.moments
    # A format's three ways of writing share its moments.
    if row.kind == "format" and not options.short:
        moments = moments // 3 + 1
    return attack_by_kills(row, place, moments=moments, both=not options.short)


def _fail_calls(row: Row, place: Path, _options: argparse.Namespace) -> dict[str, Any]:
    return full_disk.attack_by_failing_calls(row, place)


def _fill_disk(row: Row, place: Path, _options: argparse.Namespace) -> dict[str, Any]:
    reason = full_disk.why_no_disk(place / "probe")
    if reason:
        return {"attacks": 0, "bad": 0, "skipped": reason}
    with full_disk.mount_small_disk(place / "disk") as disk:
        return full_disk.attack_on_small_disk(row, place, disk)


def _protect(row: Row, place: Path, _options: argparse.Namespace) -> dict[str, Any]:
    return attack_read_only(row, place)


def _write_together(shared: Any, place: Path, options: argparse.Namespace) -> dict[str, Any]:
    turns = TURNS[options.short]
    return _add(
        [attack_by_writers(shared, place, writers=writers, turns=turns) for writers in (2, 3)]
    )


def _add(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Join what two and what three processes came to."""
    faults: dict[str, str] = {}
    for writers, result in zip((2, 3), results, strict=True):
        faults |= {f"{name}, {writers}": words for name, words in result["faults"].items()}
    names = ("attacks", "fine", "told", "bad")
    sums = {name: sum(result.get(name, 0) for result in results) for name in names}
    said = next((result["said"] for result in results if result.get("said")), "")
    return sums | {"said": said, "faults": faults}


PARTS: dict[str, Callable[[Any, Path, argparse.Namespace], dict[str, Any]]] = {
    "kills": _kill,
    "calls": _fail_calls,
    "disk": _fill_disk,
    "readonly": _protect,
    "writers": _write_together,
}
