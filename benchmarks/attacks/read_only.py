"""A folder that may be read and not written, seen by a user without rights."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

from attacks.children import run_child
from attacks.row import Row
from attacks.verdict import copy_old, measure_baseline, read_there

__all__ = ["attack_read_only"]

NOBODY = 65534


def attack_read_only(row: Row, place: Path) -> dict[str, Any]:
    """Read and change what only its owner may write.

    Reading must give the old state; the change must end in one sentence, or in its result where it
    needs no file; and nothing may have changed.
    """
    base = measure_baseline(row, place)
    now = place / "now"
    copy_old(base.template, now)
    _protect(now)
    try:
        found = run_child(lambda _: _as_nobody(lambda: row.read(now)))
        outcome = run_child(lambda _: _as_nobody(lambda: str(row.change_once(now))))
    finally:
        _release(now)
    faults = {}
    if (found.how, _value(found)) != (base.old.how, _value(base.old)) and not row.must_work:
        faults["reading"] = f"{found.how}: {found.value}"[:300]
    # An explorer works on and warns that nothing is kept.
    said = outcome.value if outcome.how == "sentence" else "; ".join(outcome.said)
    fine = outcome.how == "value" if row.must_work else bool(said)
    if not fine:
        faults["change"] = f"{outcome.how}: {outcome.value}"[:300]
    after = read_there(row, now)
    if (after.how, _value(after)) != (base.old.how, _value(base.old)):
        faults["state"] = f"{after.how}: {after.value}"[:300]
    return {
        "attacks": 1,
        "ends": dict(Counter([outcome.how])),
        "said": str(said)[:300],
        "bad": int(bool(faults)),
        "faults": faults,
    }


def _value(outcome: Any) -> Any:
    return outcome.value if outcome.how == "value" else None


def _as_nobody(work: Any) -> Any:
    """Work as a user without rights, where this one is root; only in a child."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    return work()


def _protect(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)


def _release(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
