"""The undo journal: what was changed, in order, and the entry at which one stands.

Two sides step through one journal, a page and its kernel. The page does not wait: it applies its
own steps to the kernel's latest journal and sends them. The kernel applies them to its own journal,
in the order in which they come, and its journal then replaces the page's. They meet by these rules:

- an entry is known by its id, and a step names the entry at which it stands or which it follows;
- the journal counts its changes: an entry with a later version than the one on which a page made
  its step is unseen there, unless that page added it. Unseen entries stay done, behind the entry
  that the step names: a change in the page follows the kernel's, one undo away from it, and an undo
  in the page takes back what the page showed;
- a step to an entry that the kernel has dropped is made from where the kernel stands.

``widgets/editor/undo_journal.js`` does the same; ``tests/golden/undo_journal.json`` holds both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

from reweightviz.core.call_all import call_all
from reweightviz.core.errors import ReweightvizError

__all__ = ["STEPS_KEPT", "Entry", "PageStep", "Standing", "UndoJournal", "new_id"]


STEPS_KEPT = 50


def new_id() -> str:
    """Return an id that no other entry has."""
    return uuid4().hex[:16]


@dataclass(frozen=True)
class Entry:
    """One change: the values after it, by what changed; the first entry holds a value of each."""

    values: Mapping[str, Any]
    id: str = field(default_factory=new_id)
    version: int = 0


@dataclass(frozen=True)
class PageStep:
    """One step made in a page.

    Args:
        id: of the step, "page:number"; the entry that it adds has the same.
        at: id of the entry to stand at.
        seen: version of the journal on which it was made.
        values: what it changes after that; none where it only goes there.
    """

    id: str
    at: str
    seen: int
    values: Mapping[str, Any] = field(default_factory=dict)


class Standing(NamedTuple):
    """A journal at one moment.

    Attributes:
        entries: in order.
        at: id of the entry at which it stands.
    """

    entries: tuple[Entry, ...]
    at: str

    @property
    def places(self) -> tuple[tuple[str, ...], str]:
        """The ids alone, which tell two moments apart."""
        return tuple(entry.id for entry in self.entries), self.at


class UndoJournal:
    """Entries and the id of the one at which one stands; the last 50 changes can be undone.

    Args:
        values: what can be changed, by name, with the value to start from.

    Example:
        >>> journal = UndoJournal({"mixture": "A", "hidden": ()})
        >>> journal.record("mixture", "B")
        >>> journal.record("mixture", "A")
        >>> journal.undo(), journal.value("mixture")
        (True, 'B')
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.entries: list[Entry] = [Entry(dict(values))]
        self.at = self.entries[0].id
        self.version = 0
        self.heard: dict[str, str] = {}  # page to the id of the last step taken from it
        self._taken: set[str] = set()
        self._listeners: list[Callable[[frozenset[str]], None]] = []

    def listen(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Call ``listener(changed)`` after every step, with the names of what is another now."""
        self._listeners.append(listener)

    def value(self, what: str) -> Any:
        """Return the value of ``what`` at the present entry."""
        return self._present()[what]

    def record(self, what: str, value: Any) -> None:
        """Add an entry after the present one; what was undone is forgotten."""
        before = self._present()
        self.version += 1
        self._append(Entry({what: value}, version=self.version))
        self._announce(before)

    def undo(self) -> bool:
        """Go back one entry; False at the first."""
        return self._go(-1)

    def redo(self) -> bool:
        """Go forward one entry; False at the last."""
        return self._go(1)

    def follow(self, steps: Sequence[PageStep]) -> None:
        """Take those steps of a page that were not taken before: a message may repeat some."""
        new = [step for step in steps if step.id not in self._taken]
        if not new:
            return
        before = self._present()
        self.version += 1
        for step in new:
            self._stand(step)
            if step.values:
                self._append(Entry(step.values, step.id, self.version))
            self._taken.add(step.id)
            self.heard[_page(step.id)] = step.id
        self._announce(before)

    def restore(self, entries: Iterable[Entry], at: str) -> None:
        """Stand in other entries; of a journal that is too long those around ``at`` are kept.

        What the first entry does not hold keeps its present value.

        Raises:
            ReweightvizError: no entry has the id ``at``.
        """
        present = self._present()
        first, *others = entries
        if at not in (first.id, *(entry.id for entry in others)):
            raise ReweightvizError(f"the journal must stand at one of its entries; got {at!r:.40}.")
        self.version += 1
        self.entries = [Entry(present | dict(first.values), first.id, first.version), *others]
        self.at = at
        self._truncate()
        del self.entries[STEPS_KEPT + 1 :]
        self._tell(frozenset(present))

    @property
    def standing(self) -> Standing:
        """The journal as it is now."""
        return Standing(tuple(self.entries), self.at)

    def rebase(self, base: Standing, theirs: Standing) -> None:
        """Take over a journal that another has changed since both of us stood at ``base``.

        It is to us what the kernel's is to a page: our steps since then are made on it, and what we
        had not seen of it stays done.
        """
        before = self._present()
        ours = self.standing
        place = self._place
        known = _ids(base.entries)
        there = _ids(theirs.entries)
        self.version += 1
        # To a page of ours, what we had is seen.
        versions = {entry.id: entry.version for entry in ours.entries}
        self.entries = [
            replace(entry, version=versions.get(entry.id, self.version)) for entry in theirs.entries
        ]
        self.at = theirs.at
        if ours.places != base.places:
            done = ours.entries[: place + 1]
            undone = ours.entries[place + 1 :]
            seen = [entry.id for entry in done if entry.id in known]
            if seen:
                self._stand_at(seen[-1], lambda entry: entry.id not in known)
            behind = self.entries[self._place + 1 :]
            own = [entry for entry in done if entry.id not in known | there]
            for entry in own:
                self._append(entry)
            # A change forgets what its author had undone, and nothing else.
            forgotten = known - _ids(ours.entries)
            if own:
                self.entries += [entry for entry in behind if entry.id not in forgotten]
            self.entries += [entry for entry in undone if entry.id not in known | there]
        self._truncate()
        del self.entries[STEPS_KEPT + 1 :]
        self._announce(before)

    # ---- places

    @property
    def _place(self) -> int:
        place = self._find(self.at)
        assert place is not None
        return place

    def _find(self, entry: str) -> int | None:
        return next((place for place, each in enumerate(self.entries) if each.id == entry), None)

    def _go(self, by: int) -> bool:
        place = self._place + by
        if not 0 <= place < len(self.entries):
            return False
        before = self._present()
        self.version += 1
        self.at = self.entries[place].id
        self._announce(before)
        return True

    def _stand(self, step: PageStep) -> None:
        """Go where a page's step stands; what the page has not seen stays done."""

        def is_unseen(entry: Entry) -> bool:
            return entry.version > step.seen and _page(entry.id) != _page(step.id)

        self._stand_at(step.at, is_unseen)

    def _stand_at(self, entry: str, is_unseen: Callable[[Entry], bool]) -> None:
        """Go to an entry; of those that this undoes, the unseen ones stay done behind it."""
        place = self._find(entry)
        if place is None:
            return
        unseen = [each for each in self.entries[place + 1 : self._place + 1] if is_unseen(each)]
        stay = {each.id for each in unseen}
        undone = [each for each in self.entries[place + 1 :] if each.id not in stay]
        self.entries = [*self.entries[: place + 1], *unseen, *undone]
        self.at = self.entries[place + len(unseen)].id

    def _append(self, entry: Entry) -> None:
        self.entries = [*self.entries[: self._place + 1], entry]
        self.at = entry.id
        self._truncate()

    def _truncate(self) -> None:
        # What lies furthest back is forgotten; the first entry always holds a value of each.
        while len(self.entries) > STEPS_KEPT + 1 and self._place > 0:
            first, second, *others = self.entries
            values = dict(first.values) | dict(second.values)
            self.entries = [Entry(values, second.id, second.version), *others]

    # ---- what changed

    def _present(self) -> dict[str, Any]:
        present: dict[str, Any] = {}
        for entry in self.entries[: self._place + 1]:
            present |= entry.values
        return present

    def _announce(self, before: Mapping[str, Any]) -> None:
        now = self._present()
        self._tell(frozenset(what for what in now if now[what] is not before[what]))

    def _tell(self, changed: frozenset[str]) -> None:
        call_all(partial(listener, changed) for listener in self._listeners)


def _ids(entries: Iterable[Entry]) -> set[str]:
    return {entry.id for entry in entries}


def _page(step: str) -> str:
    return step.partition(":")[0]
