"""UndoJournal: steps of two sides, held with widgets/undo_journal.js to one golden file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.undo_journal import STEPS_KEPT, Entry, PageStep, Standing, UndoJournal

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


def standing(line):
    """Return a journal at a moment: ``"a b | c"`` stands at b, and c can be done again."""
    done, _, undone = line.partition("|")
    ids = [*done.split(), *undone.split()]
    return Standing(tuple(Entry({"mixture": one}, one) for one in ids), done.split()[-1])


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        ("a b", "a b", "a b c", "a b c"),  # only they changed
        ("a b", "a b", "a | b", "a | b"),
        ("a b", "a b x", "a b", "a b x"),  # only we changed
        ("a b", "a b x", "a b c d", "a b c d x"),  # both: ours is one undo away from theirs
        ("a b", "a | b", "a b c", "a c | b"),  # we undid what we showed, theirs stays done
        ("a b", "a x", "a b c", "a c x"),  # we forgot b
        ("a b", "a b x", "a c", "a c x"),  # they forgot b
        ("a b", "a b x", "a | b", "a b x"),  # ours was made on b
        ("a b", "a b x", "a b | c", "a b x | c"),  # our change forgets what we undid alone
        ("a b | c", "a b x", "a b y | c", "a b y x"),
        ("a b", "a b | x", "a b c", "a b c | x"),
        ("a b", "a b x | y", "a b c", "a b c x | y"),
        ("a b", "a b x", "c d", "c d x"),  # nothing in common
        ("a b", "x y", "a b c", "a b c x y"),
    ],
)
def test_ours_is_put_on_top_of_what_another_wrote(base, ours, theirs, expected):
    journal = UndoJournal({"mixture": None})
    journal.restore(*standing(ours))
    heard = []
    journal.listen(heard.append)
    journal.rebase(standing(base), standing(theirs))
    assert journal.standing.places == standing(expected).places
    assert journal.value("mixture") == standing(expected).at
    assert len(heard) == 1


def test_a_page_that_has_not_seen_what_another_wrote_undoes_its_own():
    journal = UndoJournal({"mixture": None})
    journal.restore(*standing("a b"))
    seen = journal.version
    journal.rebase(standing("a b"), standing("a b c"))
    journal.follow([PageStep("page:1", "a", seen)])
    assert journal.standing.places == standing("a c | b").places


def test_a_listener_that_fails_keeps_no_other_from_following():
    journal = UndoJournal({"mixture": "A"})
    heard = []
    journal.listen(lambda _: 1 / 0)
    journal.listen(heard.append)
    with pytest.raises(ZeroDivisionError):
        journal.record("mixture", "B")
    with pytest.raises(ZeroDivisionError):
        journal.undo()
    assert heard == [{"mixture"}, {"mixture"}]
