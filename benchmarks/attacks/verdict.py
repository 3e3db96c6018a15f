"""What an attack left: the old state, the new one, or something that must not be."""

from __future__ import annotations

import fnmatch
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attacks.children import Outcome, catch, run_child
from attacks.row import Row

__all__ = ["Baseline", "Broken", "Verdict", "copy_old", "judge", "measure_baseline", "read_there"]

GOOD = ("old", "new", "part")
"""States that are allowed."""


class Broken(Exception):
    """A row does not do what it says when nothing attacks it."""


@dataclass(frozen=True)
class Baseline:
    """A row that nobody attacked.

    Attributes:
        template: folder with the old state.
        old: outcome of reading it.
        new: what is read after the change.
        after: the lasting part of what is read after the next change.
        names: files that are there then.
        seconds: the change takes.
    """

    template: Path
    old: Outcome
    new: Any
    after: Any
    names: Counter[str]
    seconds: float


@dataclass(frozen=True)
class Verdict:
    """What is there after an attack.

    Attributes:
        state: "old", "new", "part" (a third that the row allows), or "mixed", "unreadable" (a
            sentence), "raised" (an error that is not ours), "hangs".
        detail: what was read, where it is not allowed.
        stuck: why the next change does not work; empty where it does.
        left: files of ours that are still there after it.
    """

    state: str
    detail: str = ""
    stuck: str = ""
    left: tuple[str, ...] = ()


def read_there(row: Row, folder: Path) -> Outcome:
    """Read in a new process."""
    return run_child(lambda _: row.read(folder))


def copy_old(template: Path, folder: Path) -> None:
    """Put the old state into the folder, whatever was in it."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(template, folder, symlinks=True)


def measure_baseline(row: Row, place: Path) -> Baseline:
    """Make, change and change again, without an attack."""
    template = place / "old"
    now = place / "now"
    template.mkdir(parents=True)
    _need(row, "make", run_child(lambda _: _discard(row.make(template))))
    copy_old(template, now)
    old = read_there(row, now)

    def change(go: Any) -> None:
        opened = row.open(now)
        go()
        row.change(opened)

    first = _need(row, "change", run_child(change))
    new = _need(row, "read", read_there(row, now)).value
    copy_old(template, now)
    second = _need(row, "change", run_child(change))
    _need(row, "next change", run_child(lambda _: _discard(row.change_again(now))))
    after = _need(row, "read", read_there(row, now)).value
    seconds = max(1e-4, min(first.seconds, second.seconds))
    return Baseline(template, old, new, row.lasting(after), Counter(_list_names(now, row)), seconds)


def _need(row: Row, what: str, outcome: Outcome) -> Outcome:
    if outcome.how != "value":
        raise Broken(f"{row.name}: {what}: {outcome.how}: {outcome.value}")
    return outcome


def _discard(_: object) -> None:
    """Return nothing: what a verb gives need not travel between processes."""


def judge(row: Row, base: Baseline, folder: Path) -> Verdict:
    """Read what is there, make the next change, and look what is left behind.

    All in one new process, as a person's next one would.
    """
    whole = run_child(lambda _: _visit(row, folder))
    if whole.how != "value":
        return Verdict(whole.how, f"{whole.value}"[:300])
    found, again, after = whole.value
    state = _name_state(row, base, found)
    detail = ""
    if state not in GOOD:
        detail = f"{found.value}"[:300]
    stuck = ""
    if again.how != "value":
        stuck = f"{again.how}: {again.value}"[:300]
    elif after.how != "value":
        stuck = f"read: {after.how}: {after.value}"[:300]
    elif row.lasting(after.value) != base.after:
        stuck = f"reads {after.value}"[:300]
    left = sorted(Counter(_list_names(folder, row)) - base.names)
    return Verdict(state, detail, stuck, tuple(left[:5]))


def _visit(row: Row, folder: Path) -> tuple[Outcome, Outcome, Outcome]:
    found = catch(lambda: row.read(folder))
    again = catch(lambda: _discard(row.change_again(folder)))
    return found, again, catch(lambda: row.read(folder))


def _name_state(row: Row, base: Baseline, found: Outcome) -> str:
    if found.how == "sentence":
        # Where nothing was, a sentence that says so is the old state.
        return "old" if base.old.how == "sentence" else "unreadable"
    if found.how != "value":
        return found.how
    if found.value == base.new:
        return "new"
    if base.old.how == "value" and found.value == base.old.value:
        return "old"
    if row.allows(base.old.value, base.new, found.value):
        return "part"
    return "mixed"


MARK = re.compile(r"[0-9a-f]{8,}(-[0-9a-f]+)*")
"""A digest or a random name in the name of a file."""


def _list_names(folder: Path, row: Row) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        # What lies in a dataset is Lance's, version by version; a file that no version names it
        # keeps for seven days, for it may be of a save that still goes on.
        if ".lance/" in name:
            continue
        if not any(fnmatch.fnmatch(name, pattern) for pattern in row.keeps):
            yield MARK.sub("#", name)
