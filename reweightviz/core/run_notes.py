"""Findings about the log of a run in sentences: late domains, restarts, repeats and gaps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reweightviz.core.errors import list_names

__all__ = ["RunNotes"]


_SHOWN = 3  # sentences of one kind; the others are counted
_LETTERS = 40  # of a cell that is no number


class RunNotes:
    r"""Collects what was found while a log was read.

    Args:
        first: sentences that stand before all others.

    Example:
        >>> notes = RunNotes()
        >>> notes.add_restart(30, 20, dropped=2)
        >>> notes.count_gaps("loss", 1)
        >>> print(*notes.sentences(), sep="\n")
        The steps went back from 30 to 20: a restart; 2 rows dropped.
        loss: 1 value is NaN or infinite; drawn as a gap.
    """

    def __init__(self, first: Iterable[str] = ()) -> None:
        self._first = list(first)
        self._changes: dict[str, list[str]] = {"late": [], "restart": []}
        self._changes_left_out = dict.fromkeys(self._changes, 0)
        self._repeats = 0
        self._repeated_step: int | None = None
        self._gaps: dict[str, int] = {}
        self._bad_steps: dict[str, int] = {}
        self._unread: dict[str, dict[str, int]] = {}

    def extend(self, sentences: Iterable[str]) -> None:
        """Append to the first sentences."""
        self._first += sentences

    def add_late_domains(self, names: Sequence[str], after: int) -> None:
        """Record domains that appear first after a step."""
        verb = "is" if len(names) == 1 else "are"
        self._add_change("late", f"{list_names(names)} {verb} first seen after step {after:,}.")

    def add_restart(self, last: int, step: int, *, dropped: int) -> None:
        """Record that the steps went back from ``last`` to ``step``, which dropped rows."""
        rows = "row" if dropped == 1 else "rows"
        self._add_change(
            "restart",
            f"The steps went back from {last:,} to {step:,}: a restart; "
            f"{dropped:,} {rows} dropped.",
        )

    def count_repeat(self, step: int) -> None:
        """Count a step that was logged again with other numbers, once however often it came."""
        if self._repeated_step != step:
            self._repeats += 1
            self._repeated_step = step

    def count_gaps(self, name: str, number: int) -> None:
        """Count values of a signal that are no finite numbers."""
        if number:
            self._gaps[name] = self._gaps.get(name, 0) + number

    def count_bad_steps(self, texts: Iterable[str]) -> None:
        """Count rows that are left out, by the text of what was no step."""
        for text in texts:
            self._bad_steps[text[:_LETTERS]] = self._bad_steps.get(text[:_LETTERS], 0) + 1

    def count_unread(self, name: str, texts: Iterable[str]) -> None:
        """Count cells of a series that are left out, by the text that is no number."""
        for text in texts:
            cells = self._unread.setdefault(name, {})
            cells[text[:_LETTERS]] = cells.get(text[:_LETTERS], 0) + 1

    def sentences(self) -> list[str]:
        """Return all that was found, each sentence once."""
        found = [*self._first]
        for kind, shown in self._changes.items():
            found += shown
            more = self._changes_left_out[kind]
            if more:
                found.append(f"{more:,} more such {kind} changes.")
        if self._repeats:
            subject = "step was" if self._repeats == 1 else "steps were"
            found.append(f"{self._repeats:,} {subject} logged again; the last value stands.")
        for name, count in self._gaps.items():
            if count == 1:
                found.append(f"{name}: 1 value is NaN or infinite; drawn as a gap.")
            else:
                found.append(f"{name}: {count:,} values are NaN or infinite; drawn as gaps.")
        found += self._describe_left_out()
        return list(dict.fromkeys(found))

    def _describe_left_out(self) -> list[str]:
        """Return the sentences on rows without a step and on cells without a number."""
        found = []
        rows = sum(self._bad_steps.values())
        if rows:
            subject = "1 row is left out, as its step is"
            if rows > 1:
                subject = f"{rows:,} rows are left out, as their step is"
            found.append(f"{subject} no whole number: {list_names(self._bad_steps, _SHOWN)}.")
        for name, cells in self._unread.items():
            count = sum(cells.values())
            verb = "cell is" if count == 1 else "cells are"
            found.append(
                f"{name}: {count:,} {verb} no plain number and left out: "
                f"{list_names(cells, _SHOWN)}."
            )
        return found

    def _add_change(self, kind: str, sentence: str) -> None:
        if len(self._changes[kind]) < _SHOWN:
            self._changes[kind].append(sentence)
        else:
            self._changes_left_out[kind] += 1
