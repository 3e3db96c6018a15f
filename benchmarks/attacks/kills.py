"""Kill -9: before and after every call that changes a file, and at random moments."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

from attacks import watch
from attacks.children import run_child
from attacks.row import Row
from attacks.verdict import GOOD, Baseline, Verdict, copy_old, judge, measure_baseline

__all__ = ["attack_by_kills", "count_calls", "tally"]

MOST_CALLS = 400
"""Calls of one change that are struck; of more, every n-th."""


def attack_by_kills(
    row: Row, place: Path, *, moments: int, both: bool = True, seed: int = 0
) -> dict[str, Any]:
    """Kill a change everywhere, and at random moments of the time that it takes.

    Args:
        row: what is attacked.
        place: an empty folder to work in.
        moments: random moments.
        both: before and after every call; before alone is as much, but for the last one.
        seed: of the moments.
    """
    base = measure_baseline(row, place)
    now = place / "now"
    calls = count_calls(row, base, now)
    verdicts: list[tuple[str, Verdict]] = []
    finished = 0
    every = max(1, len(calls) // MOST_CALLS)
    for number in range(0, len(calls), every):
        modes = {watch.KILL_BEFORE: "before", watch.KILL_AFTER: "after"}
        if not both and number < len(calls) - 1:
            del modes[watch.KILL_AFTER]
        for mode, word in modes.items():
            struck = _kill_at(row, base, now, mode, number)
            finished += not struck
            where = f"{word} call {number + 1} of {len(calls)}, {calls[number]}"
            verdicts.append((where, judge(row, base, now)))
    rng = random.Random(f"{row.name} {seed}")
    for _ in range(moments):
        share = rng.uniform(0, 1.1)
        finished += not _kill_within(row, base, now, share * base.seconds)
        verdicts.append((f"at {share:.2f} of its time", judge(row, base, now)))
    found = tally(verdicts)
    return {"calls": dict(Counter(calls)), "moments": moments, "finished": finished} | found


def count_calls(row: Row, base: Baseline, now: Path) -> list[str]:
    """Return what each call of the change does, in order."""
    copy_old(base.template, now)

    def count(_: Any) -> list[str]:
        opened = row.open(now)
        watch.arm(now, watch.COUNT)
        row.change(opened)
        total = watch.count()
        return [watch.name_of(number) for number in range(total)]

    return list(run_child(count).value)


def _kill_at(row: Row, base: Baseline, now: Path, mode: int, number: int) -> bool:
    copy_old(base.template, now)

    def change(_: Any) -> None:
        opened = row.open(now)
        watch.arm(now, mode, number)
        row.change(opened)

    return run_child(change).how == "killed"


def _kill_within(row: Row, base: Baseline, now: Path, seconds: float) -> bool:
    copy_old(base.template, now)

    def change(go: Any) -> None:
        opened = row.open(now)
        go()
        row.change(opened)

    return run_child(change, kill_after=seconds).how == "killed"


def tally(verdicts: list[tuple[str, Verdict]]) -> dict[str, Any]:
    """Count verdicts, with an example of each kind that must not be."""
    states = Counter(verdict.state for _, verdict in verdicts)
    faults: dict[str, str] = {}
    for where, verdict in verdicts:
        if verdict.state not in GOOD:
            faults.setdefault(verdict.state, f"{where}: {verdict.detail}")
        if verdict.stuck:
            faults.setdefault("stuck", f"{where} ({verdict.state}): {verdict.stuck}")
        if verdict.left:
            faults.setdefault("left", f"{where}: {', '.join(verdict.left)}")
    return {
        "attacks": len(verdicts),
        "states": dict(states),
        "bad": sum(verdict.state not in GOOD for _, verdict in verdicts),
        "stuck": sum(bool(verdict.stuck) for _, verdict in verdicts),
        "left": sum(bool(verdict.left) for _, verdict in verdicts),
        "faults": faults,
    }
