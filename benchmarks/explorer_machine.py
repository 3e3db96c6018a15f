"""The state machine of the explorer: two of them on one folder, their pages, full disks, kills.

Hypothesis chooses what happens; after every step all widgets of an explorer show one state, and
what lies on disk is what was saved last. ``run(10_000)`` takes that many steps.
"""

from __future__ import annotations

import errno
import importlib.util
import itertools
import json
import os
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

import reweightviz as rv
from reweightviz.apps.explorer import files
from reweightviz.apps.explorer.view import read_view
from reweightviz.core.errors import ReweightvizWarning
from reweightviz.core.undo_journal import Standing

__all__ = ["ExplorerMachine", "run"]


NAMES = ("web", "code", "math")
WHO = st.sampled_from([0, 1])
SIDES = st.sampled_from(["python", "editor", "page"])
# Few, so that equal values come again.
WEIGHTS = st.sampled_from([(0.5, 0.25, 0.25), (0.25, 0.5, 0.25), (0.125, 0.125, 0.75)])
ROWS = st.sampled_from([(), (1,), (2, 5)])
TAKEN: Counter[str] = Counter()
"""Steps taken, by rule, since this module was imported."""


class Killed(BaseException):
    """What stands for the end of a process between two files."""


class ExplorerMachine(RuleBasedStateMachine):
    """Two explorers of the same documents on one folder, with what may happen to them."""

    # ---- from the first to the last step

    @initialize()
    def open(self) -> None:
        """Save an explorer, and open a second one on its folder."""
        self.place = tempfile.TemporaryDirectory()
        self.folder = Path(self.place.name) / "x"
        self.trouble: BaseException | None = None
        self.replace = os.replace
        os.replace = self.replace_or_fail
        self.numbers = itertools.count(1)
        self.given = _give_documents()
        self.explorers = [self.make(), self.make()]

    def teardown(self) -> None:
        """Give the disk back."""
        os.replace = self.replace
        self.place.cleanup()

    def make(self) -> rv.Explorer:
        """Run the cell again."""
        return rv.Explorer(**self.given, autosave=self.folder)

    def replace_or_fail(self, *paths: Any, **options: Any) -> None:
        """Rename, but on a full disk and in a process that is killed."""
        if self.trouble is not None:
            raise self.trouble
        self.replace(*paths, **options)

    @contextmanager
    def change(self, who: int, *, forgets: bool = True) -> Iterator[rv.Explorer]:
        """Let an explorer change; it loses no step of the other."""
        TAKEN["steps"] += 1
        x = self.explorers[who]
        before = self.read().state.journal.standing
        here = x.state.journal.standing
        # On a full disk it may have forgotten some that are not gone there yet.
        own = _list_ids(x._keeper._known.standing) - _list_ids(here)
        if forgets:
            own |= _list_undone(here)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReweightvizWarning)
            yield x
        after = self.read().state.journal.standing
        if self.trouble is None and len(after.entries) <= 50:
            gone = _list_ids(before) - _list_ids(after)
            assert gone <= own, "a step of the other is lost"

    def read(self) -> files.SavedState:
        """Return what lies on disk."""
        return files.read_state(self.folder, files.read_settings(self.folder))

    # ---- what a person does

    @rule(who=WHO, weights=WEIGHTS, side=SIDES)
    def mix(self, who: int, weights: tuple[float, ...], side: str) -> None:
        """Commit a mixture."""
        with self.change(who) as x:
            if side == "python":
                x.mixture = dict(zip(NAMES, weights, strict=True))
            elif side == "editor":
                x.editor.set_state({"weights": list(weights)})
            else:
                self.step_in_page(x, 0, weights=list(weights), source={"method": "by hand"})
        assert tuple(x.mixture.values()) == weights

    @rule(who=WHO, rows=ROWS, side=SIDES)
    def select(self, who: int, rows: tuple[int, ...], side: str) -> None:
        """Select documents."""
        with self.change(who) as x:
            if x.map is None:
                return
            if side == "page":
                x.map.set_state({"selection_bits": x.map._pack(np.array(rows, np.int64))})
            else:
                x.selection = list(rows)
        assert tuple(x.selection.rows) == rows

    @rule(who=WHO, hidden=st.sampled_from([(), ("web",), ("web", "math")]))
    def hide(self, who: int, hidden: tuple[str, ...]) -> None:
        """Hide domains in the page."""
        with self.change(who) as x:
            if x.map is not None:
                x.map.set_state({"hidden": list(hidden)})

    @rule(who=WHO, by=st.sampled_from([-1, -1, 1]), side=SIDES)
    def travel(self, who: int, by: int, side: str) -> None:
        """Undo or redo."""
        with self.change(who, forgets=False) as x:
            if side == "page":
                self.step_in_page(x, by)
            else:
                host = x if side == "python" else x.editor
                (host.undo if by < 0 else host.redo)()

    @rule(who=WHO, locked=st.lists(st.booleans(), min_size=3, max_size=3))
    def lock(self, who: int, locked: list[bool]) -> None:
        """Lock domains in the page."""
        with self.change(who, forgets=False) as x:
            before = x.editor.locked
            x.editor.set_state({"locked": locked})
        for old, new, now in zip(before, locked, x.editor.locked, strict=True):
            assert new in (old, now)  # else the other's may have come

    @rule(who=WHO, budget=st.sampled_from([None, 10.0, 1e9]), epochs=st.sampled_from([1.0, 4.0]))
    def plan(self, who: int, budget: float | None, epochs: float) -> None:
        """Type a budget and the most epochs."""
        new = {"budget": budget, "max_epochs": epochs}
        with self.change(who, forgets=False) as x:
            before = read_view(x)
            x.editor.set_state(new)
        for name, value in new.items():
            assert value in (before[name], getattr(x.editor, name))

    @rule(
        who=WHO,
        message=st.sampled_from(
            [
                {"weights": [0.5, 0.5, 0.5]},
                {"weights": [float("nan"), 0.5, 0.5]},
                {"draft": [2.0]},
                {"locked": [True]},
                {"budget": -1},
                {"journal": {}},
                {"page_steps": [{"id": 1}]},
            ]
        ),
    )
    def send_nonsense(self, who: int, message: dict[str, Any]) -> None:
        """Send what no page sends: nothing changes."""
        with self.change(who, forgets=False) as x:
            before = _show(x)
            x.editor.set_state(message)
            assert _show(x) == before
            assert x.editor.error
            x.editor.error = ""

    @rule(who=WHO)
    def go_there_and_back(self, who: int) -> None:
        """Undo all, then do all again: the same states come in the other order."""
        with self.change(who, forgets=False) as x:
            # What the other wrote comes first, not on the way.
            x._keeper.keep()
            down = _walk(x, x.undo)
            up = _walk(x, x.redo)
            assert up[: len(down)] == down[::-1]
            for _ in range(len(up) - len(down)):
                x.undo()
            assert _show(x)[:3] == down[0]

    # ---- what happens to a person

    @rule(who=WHO)
    def run_the_cell_again(self, who: int) -> None:
        """Make the explorer anew on its folder: all that was saved is there."""
        TAKEN["steps"] += 1
        if self.trouble is None:
            saved = self.read()
            self.explorers[who] = self.make()
            assert self.explorers[who].state.to_jsonable() == saved.state.to_jsonable()
            assert read_view(self.explorers[who]) == saved.view

    @rule(who=WHO)
    def end_the_kernel(self, who: int) -> None:
        """Load the explorer in a new kernel."""
        TAKEN["steps"] += 1
        saved = self.read()
        self.explorers[who] = rv.Explorer.load(self.folder)
        assert self.explorers[who].state.to_jsonable() == saved.state.to_jsonable()
        assert read_view(self.explorers[who]) == saved.view

    @rule(who=WHO, weights=WEIGHTS)
    def be_killed(self, who: int, weights: tuple[float, ...]) -> None:
        """End while a change is saved: what was saved before is whole."""
        TAKEN["steps"] += 1
        before = self.read()
        trouble = self.trouble
        self.trouble = Killed()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ReweightvizWarning)
                self.explorers[who].mixture = dict(zip(NAMES, weights, strict=True))
        except Killed:
            pass
        self.trouble = trouble
        assert self.read().content == before.content
        self.explorers[who] = rv.Explorer.load(self.folder)

    @rule(full=st.booleans())
    def fill_or_free_the_disk(self, full: bool) -> None:
        """Let writes fail, or let them be."""
        TAKEN["steps"] += 1
        self.trouble = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) if full else None

    def step_in_page(self, x: rv.Explorer, by: int, **step: Any) -> None:
        """Send a step as the page does."""
        journal = x.editor.journal
        place = [entry["id"] for entry in journal["entries"]].index(journal["at"]) + by
        if not 0 <= place < len(journal["entries"]):
            return
        if step and step["weights"] == x.editor.weights:
            return  # the page sends no step that changes nothing
        at = journal["entries"][place]["id"]
        sent = {"id": f"page-{id(x):x}:{next(self.numbers)}", "at": at, "seen": journal["version"]}
        x.editor.set_state({"page_steps": [sent | step]})

    # ---- what holds

    @invariant()
    def every_widget_shows_the_state(self) -> None:
        """Compare what all parts of both explorers show."""
        for x in self.explorers:
            mixture = dict(x.mixture)
            assert mixture == dict(x.editor.mixture)
            assert list(mixture.values()) == x.editor.weights
            assert abs(sum(x.editor.weights) - 1) < 1e-9
            assert min(x.editor.weights) >= 0
            assert x.editor.journal["at"] == x.state.journal.at
            if x.map is not None:
                assert mixture == dict(x.map.mixture)
                assert tuple(x.state.selection) == tuple(x.map.selected_rows)
                assert x.state.hidden == tuple(x.map.hidden)

    @invariant()
    def the_folder_opens(self) -> None:
        """Read what lies on disk, which is never half of anything."""
        saved = self.read()
        shown = [x.state.to_jsonable() for x in self.explorers]
        if self.trouble is None and not any(x._keeper._trouble for x in self.explorers):
            assert saved.state.to_jsonable() in shown


def _give_documents() -> dict[str, Any]:
    """Return what an explorer is made of: documents, where the package that keeps them is there."""
    if importlib.util.find_spec("lance") is None:
        return {"tokens": {"web": 4.0, "code": 3.0, "math": 1.0}}
    letters = "abcdefgh"
    columns = {
        "id": list(letters),
        "text": list(letters),
        "domain": [*NAMES, *NAMES, "web", "code"],
        "tokens": [1] * 8,
        "xy": np.random.default_rng(0).standard_normal((8, 2)),
    }
    return {"corpus": rv.Corpus(columns)}


def _show(x: rv.Explorer) -> tuple[Any, ...]:
    state = x.state
    return dict(state.mixture), tuple(state.selection), state.hidden, read_view(x)


def _walk(x: rv.Explorer, step: Callable[[], None]) -> list[tuple[Any, ...]]:
    """Return all states from here to the end of the journal in one direction."""
    states = [_show(x)[:3]]
    while True:
        before = x.state.journal.at
        step()
        if x.state.journal.at == before:
            return states
        states.append(_show(x)[:3])


def _list_ids(standing: Standing) -> set[str]:
    return {entry.id for entry in standing.entries}


def _list_undone(standing: Standing) -> set[str]:
    ids = [entry.id for entry in standing.entries]
    return set(ids[ids.index(standing.at) + 1 :])


def run(steps: int = 10_000) -> dict[str, Any]:
    """Take at least this many steps and return what was done; an assertion is a fault."""
    before = TAKEN["steps"]
    begun = time.monotonic()
    examples = 0
    while TAKEN["steps"] - before < steps:
        few = min(50, 1 + steps // 40)
        run_state_machine_as_test(
            ExplorerMachine,
            settings=settings(
                max_examples=few,
                stateful_step_count=40,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        examples += few
    return {
        "steps": TAKEN["steps"] - before,
        "sequences": examples,
        "seconds": round(time.monotonic() - begun),
    }


if __name__ == "__main__":
    import sys

    print(json.dumps(run(int(sys.argv[1]))))
