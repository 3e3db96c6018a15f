"""UndoJournal: steps of two sides, held with widgets/undo_journal.js to one golden file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.undo_journal import STEPS_KEPT, Entry, PageStep, UndoJournal

CASES = json.loads((Path(__file__).parents[1] / "golden" / "undo_journal.json").read_text("utf-8"))


def journal_of(case):
    journal = UndoJournal({"mixture": None})
    journal.entries = [
        Entry({"mixture": one["id"]}, one["id"], one["version"]) for one in case["entries"]
    ]
    journal.at, journal.version = case["at"], case["version"]
    journal.heard, journal._taken = dict(case["heard"]), set(case["heard"].values())
    return journal


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_steps_of_a_page_meet_those_of_the_kernel(case):
    journal = journal_of(case)
    steps = [
        PageStep(
            one["id"], one["at"], one["seen"], {"mixture": one["id"]} if "weights" in one else {}
        )
        for one in case["steps"]
    ]
    for _ in range(2):  # the second message is the first again
        journal.follow(steps)
        assert [entry.id for entry in journal.entries] == case["expected"]["ids"]
        assert journal.at == case["expected"]["at"] == journal.value("mixture")
        last = case["steps"][-1]["id"]
        assert journal.heard[last.partition(":")[0]] == last


def test_the_first_entry_keeps_what_is_forgotten():
    journal = UndoJournal({"mixture": 0, "hidden": ()})
    journal.record("hidden", ("x",))
    for number in range(STEPS_KEPT):
        journal.record("mixture", number)
    assert len(journal.entries) == STEPS_KEPT + 1
    while journal.undo():
        pass
    assert (journal.value("mixture"), journal.value("hidden")) == (0, ("x",))


def test_a_restored_journal_keeps_the_entries_around_its_place():
    entries = [Entry({"mixture": number}, str(number)) for number in range(80)]
    for at, first in ((79, 29), (40, 29), (10, 10)):
        journal = UndoJournal({"mixture": 0, "hidden": ("x",)})
        journal.restore(entries, str(at))
        assert [entry.id for entry in journal.entries] == [
            str(n) for n in range(first, first + STEPS_KEPT + 1)
        ]
        assert (journal.value("mixture"), journal.value("hidden")) == (at, ("x",))
    with pytest.raises(ReweightvizError, match="must stand at one of its entries; got '80'"):
        journal.restore(entries, "80")
