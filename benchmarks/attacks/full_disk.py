"""A full disk: from each call on that takes room, and for real, on a small disk of memory."""

from __future__ import annotations

import errno
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attacks import watch
from attacks.children import Outcome, run_child
from attacks.kills import count_calls, tally
from attacks.row import Row
from attacks.verdict import Baseline, Verdict, copy_old, judge, measure_baseline

__all__ = ["attack_by_failing_calls", "attack_on_small_disk", "mount_small_disk", "why_no_disk"]

MEGABYTES = 24
ROOMS = (0, 8192)
"""Bytes that are left on the small disk."""


def attack_by_failing_calls(row: Row, place: Path) -> dict[str, Any]:
    """Fail every call from each on with "no space left", then each alone with "input/output".

    The change must end in a value or in one sentence of ours; then all holds that holds after a
    kill.
    """
    base = measure_baseline(row, place)
    now = place / "now"
    calls = count_calls(row, base, now)
    verdicts = []
    ends: Counter[str] = Counter()
    wrong: dict[str, str] = {}
    for number in range(len(calls)):
        for mode, error in ((watch.FAIL_FROM, errno.ENOSPC), (watch.FAIL_ONE, errno.EIO)):
            outcome = _fail(row, base, now, mode, number, error)
            where = f"{errno.errorcode[error]} at call {number + 1}, {calls[number]}"
            _note_end(row, outcome, where, ends, wrong)
            verdicts.append((where, judge(row, base, now)))
    return _join(verdicts, ends, wrong)


def _fail(row: Row, base: Baseline, now: Path, mode: int, number: int, error: int) -> Outcome:
    copy_old(base.template, now)

    def change(_: Any) -> None:
        opened = row.open(now)
        watch.arm(now, mode, number, error)
        row.change(opened)

    return run_child(change)


def _note_end(
    row: Row, outcome: Outcome, where: str, ends: Counter[str], wrong: dict[str, str]
) -> None:
    """Count how the change ended; what is no value and no sentence is wrong."""
    ends[outcome.how] += 1
    if outcome.how == "sentence" and row.must_work:
        wrong.setdefault("no result", f"{where}: {outcome.value}"[:300])
    elif outcome.how not in ("value", "sentence"):
        wrong.setdefault(outcome.how, f"{where}: {outcome.value}"[:300])


def _join(
    verdicts: list[tuple[str, Verdict]], ends: Counter[str], wrong: dict[str, str]
) -> dict[str, Any]:
    found = tally(verdicts)
    found["faults"] |= wrong
    ended_wrong = sum(number for how, number in ends.items() if how not in ("value", "sentence"))
    return found | {"ends": dict(ends), "ended_wrong": ended_wrong + ("no result" in wrong)}


# ---- a real one


def why_no_disk(folder: Path) -> str:
    """Return why no disk of memory can be mounted; empty where it can."""
    try:
        with mount_small_disk(folder):
            return ""
    except (OSError, subprocess.CalledProcessError):
        return "a small disk needs the right to mount; calls that fail stand for it"


@contextmanager
def mount_small_disk(folder: Path) -> Iterator[Path]:
    """Mount a disk of a few megabytes of memory for as long as it is needed."""
    folder.mkdir(exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(folder)]
    subprocess.run(["mount", *options], check=True, capture_output=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


def attack_on_small_disk(row: Row, place: Path, disk: Path) -> dict[str, Any]:
    """Change on a disk with 0 and 8,192 bytes left; then, with room again, look and go on."""
    base = measure_baseline(row, place)
    now = disk / "now"
    verdicts = []
    ends: Counter[str] = Counter()
    wrong: dict[str, str] = {}
    for room in ROOMS:
        copy_old(base.template, now)
        filler = disk / "filler"

        def change(_: Any, room: int = room, filler: Path = filler) -> None:
            opened = row.open(now)
            _fill(filler, room)
            row.change(opened)

        outcome = run_child(change)
        filler.unlink(missing_ok=True)
        where = f"{room} bytes left"
        _note_end(row, outcome, where, ends, wrong)
        verdicts.append((where, judge(row, base, now)))
    return _join(verdicts, ends, wrong)


def _fill(filler: Path, room: int) -> None:
    with filler.open("wb", 0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            os.ftruncate(file.fileno(), max(0, file.tell() - room))
