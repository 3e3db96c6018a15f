"""LiveMixture: a small file with a version that a person or a mixer writes and samplers follow.

Three files, each with one kind of writer: ``mix.json`` is what is wanted now,
``mix.changes.jsonl`` every accepted change with its author (both by :meth:`LiveMixture.set`),
``mix.journal.jsonl`` the training step from which it held (by the sampler, see
core/live_journal.py). All three name the beginning that they are of, ``made``: what is left of
an earlier one is no history of this one, wherever its replacement was cut short.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from reweightviz.core.errors import ReweightvizError, UnwritableFile, warn
from reweightviz.core.files import inside_folder
from reweightviz.core.foreign_file import NO_RECORD, guard_reading
from reweightviz.core.guards import Guards
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.lines import LineTail, LineWriter
from reweightviz.core.live_history import check_place, find_history, follow_link, place_history
from reweightviz.core.live_journal import Journal
from reweightviz.core.live_version import (
    BY_HAND,
    Version,
    interpret_version,
    read_last,
    read_record,
    write_version,
)
from reweightviz.core.lock import hold_lock
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule

__all__ = ["LiveMixture"]


_SETTLED = 0.1  # seconds after which a file's time stamp differs after a further change


class LiveMixture:
    """A mixture that may be changed while a training follows it.

    Args:
        path: of a file that :meth:`create` made.

    Raises:
        ReweightvizError: there is no such file, or something else is in it.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mix.json"
        >>> start = {"web": 0.7, "code": 0.3}
        >>> live = LiveMixture.create(path, start, bounds={"code": (0.1, 0.6)}, max_change=0.05)
        >>> live.set({"web": 0.5, "code": 0.5}, author="ann", note="code lags")
        2
        >>> LiveMixture(path).mixture["code"]
        0.5
        >>> live.set({"web": 0.6, "code": 0.4}, author="ben", after=1)
        Traceback (most recent call last):
        reweightviz.core.errors.ReweightvizError: ...mix.json is at version 2 by 'ann', not at 1...
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._stamp: tuple[int, ...] = ()
        self._held: Version | None = None
        self._warned = ""  # the sentence of the last warning, which is given once
        with guard_reading(self.path, "a live mixture"):
            self._target = follow_link(self.path)
            self._changes = find_history(self._target, "changes")
        self.journal: Journal
        self.read()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        mixture: Mapping[str, float],
        *,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        max_change: float = 1.0,
        locked: bool | Iterable[str] = (),
        author: str = "",
        note: str | None = None,
        overwrite: bool = False,
    ) -> LiveMixture:
        """Begin a new file at version 1.

        Args:
            path: where; journal and changes stand beside it.
            mixture: domain weights to start with.
            bounds: domain to (lowest, highest) weight.
            max_change: share of the tokens that may move from one training step to the next.
            locked: domains whose weight must stay, or True for all.
            author: who made it.
            note: why.
            overwrite: replace a file that is there, and what was recorded beside it; a training
                that still follows it stops.
        """
        start = Mixture.of(mixture)
        guards = Guards.of(bounds or {}, max_change, locked)
        guards.check_domains(start)
        guards.check_bounds(start)
        given = inside_folder(path)
        target = check_place(given)
        journal = place_history(target, "journal")
        changes = place_history(target, "changes")
        files = (target, journal, changes)
        if not overwrite:
            _check_free(files)
        now = round(time.time(), 3)
        made = uuid.uuid4().hex[:8]
        first = Version(1, start, str(author), now, to_jsonable(note), guards, made)
        with hold_lock(target):
            # Another process may have made it since.
            if not overwrite:
                _check_free(files)
            # From here on the old histories are of another beginning: a kill loses nothing.
            write_version(target, first)
            for file in (journal, changes):
                with suppress(OSError):
                    file.unlink()
            _record(LineWriter(changes), first)
        return cls(given)

    def __repr__(self) -> str:
        now = self.read()
        return f"LiveMixture({str(self.path)!r}, version {now.version}, {now.mixture!r})"

    def read(self) -> Version:
        """Return what is wanted now; costs one ``stat`` while nothing changes.

        A file that disappears or is spoilt is warned of once; the last good version stays in
        force. What a person wrote into the file by hand becomes a version of its own, under the
        guards that it does not replace.
        """
        try:
            return self._read()
        except OSError as error:
            return self._keep(f"cannot read {self.path}: {error.strerror or error}")
        except ReweightvizError as error:
            return self._keep(str(error).rstrip("."))

    def _read(self) -> Version:
        here = self._target.stat()
        stamp = (here.st_mtime_ns, here.st_size, here.st_ino)
        if stamp == self._stamp and self._held is not None:
            return self._held
        found = self._read_version()
        if found.version == BY_HAND:
            with hold_lock(self._target):
                found = self._adopt(self._read_version())
        found = self._hold(found)
        self._warned = ""
        # A change within the clock's own step would leave the stamp as it is.
        is_settled = abs(time.time() - here.st_mtime) > _SETTLED
        self._stamp = stamp if is_settled else ()
        return found

    def _hold(self, found: Version) -> Version:
        """Hold a version, in our order; where it is of another beginning, its histories too."""
        before = self._held
        if before is not None and found.made != before.made:
            found = found._replace(mixture=found.mixture.reorder(before.mixture))
        self._held = found
        if before is not None and found.made == before.made:
            return found
        self._changes = find_history(self._target, "changes")
        # One that a training follows stays, so that it sees that its own was taken away.
        if before is None or not self.journal.through:
            journal = find_history(self._target, "journal")
            self.journal = Journal(journal, found.mixture.domains, found.made)
        return found

    def _read_version(self) -> Version:
        """Read the present version, in the light of the newest before it."""
        record = read_record(self._target, self.path)
        before = self._newest(record.get("made"))
        return interpret_version(self.path, record, self._target.stat().st_mtime, before)

    def _keep(self, sentence: str) -> Version:
        """Stay with the last good version, and warn of why."""
        if self._held is None:
            raise ReweightvizError(f"{sentence}.")
        if sentence != self._warned:
            self._warned = sentence
            warn(f"{sentence}; version {self._held.version} stays in force.")
        return self._held

    @property
    def mixture(self) -> Mixture:
        """The weights that are wanted now."""
        return self.read().mixture

    @property
    def version(self) -> int:
        """Number of the changes, from 1."""
        return self.read().version

    @property
    def guards(self) -> Guards:
        """Limits that changes must keep to."""
        return self.read().guards

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains, in order."""
        return self.read().mixture.domains

    def set(
        self,
        mixture: Mapping[str, float],
        *,
        author: str,
        note: str | None = None,
        after: int | None = None,
    ) -> int:
        """Set new weights for the training to go to, and return the new version.

        Args:
            mixture: a weight for every domain.
            author: a person, a widget, a mixer.
            note: why.
            after: the version that was seen before; None does not mind what another has set since.

        Raises:
            ReweightvizError: other domains, a guard, or a change by another writer since ``after``.
        """
        with self._writing(after) as now:
            new = Mixture.of(mixture).reorder(now.mixture)
            now.guards.check_change(now.mixture, new)
            return self._accept(now, mixture=new, author=author, note=note).version

    def guard(
        self,
        *,
        author: str,
        bounds: Mapping[str, tuple[float, float]] | None = None,
        max_change: float | None = None,
        locked: bool | Iterable[str] | None = None,
        note: str | None = None,
        after: int | None = None,
    ) -> int:
        """Change the guards that are given, and return the new version."""
        with self._writing(after) as now:
            new = Guards.of(
                now.guards.bounds if bounds is None else bounds,
                now.guards.max_change if max_change is None else max_change,
                now.guards.locked if locked is None else locked,
            )
            new.check_domains(now.mixture)
            new.check_bounds(now.mixture)
            return self._accept(now, guards=new, author=author, note=note).version

    def history(self, *, steps: int | None = None) -> Schedule:
        """Return what samplers drew by, by training step: the run, to be replayed.

        Args:
            steps: length of the run, where it is known.

        Raises:
            ReweightvizError: no sampler has followed this file yet.
        """
        self.journal.poll()
        return self.journal.schedule(steps=steps)

    def changes(self) -> pd.DataFrame:
        """Return a row a version.

        Columns time (UTC), author, note, step, reached, and ("weight", domain). ``step`` is where
        its effect began and ``reached`` where it was whole. They are missing for a version that
        another one replaced before any step was drawn by it. ``changes()["weight"]["web"]`` are
        the weights of one domain.
        """
        with guard_reading(self.path, "a live mixture"):
            return self._list_changes()

    def _list_changes(self) -> pd.DataFrame:
        self.journal.poll()
        now = self.read()
        by_number = {version.version: version for version in self._read_changes(now.made)}
        by_number[now.version] = now
        versions = [by_number[number] for number in sorted(by_number)]
        index = pd.Index([version.version for version in versions], name="version")
        effects = [effect for effect in self.journal.effects if effect["version"] in by_number]
        # A training that began anew took a version up twice: its first and its last step count.
        first = {effect["version"]: effect["first"] for effect in reversed(effects)}
        last = {effect["version"]: effect["last"] for effect in effects}
        times = pd.to_datetime([version.time for version in versions], unit="s", utc=True)
        facts = {
            "time": pd.Series(times, index),
            "author": pd.Series([version.author for version in versions], index),
            "note": pd.Series([version.note for version in versions], index),
            "step": pd.Series(first, dtype="Int64").reindex(index),
            "reached": pd.Series(last, dtype="Int64").reindex(index),
        }
        domains = list(now.mixture)
        rows = [version.mixture.aligned(domains) for version in versions]
        # In a level of their own: a domain may be called time or author.
        parts = {name: fact.to_frame("") for name, fact in facts.items()}
        return pd.concat(parts | {"weight": pd.DataFrame(rows, index, domains)}, axis=1)

    def _read_changes(self, made: str) -> Iterator[Version]:
        for line in LineTail(self._changes):
            with suppress(*NO_RECORD):  # half a line that a killed writer left
                version = Version.of_record(json.loads(line))
                if version.made == made:
                    yield version

    @contextmanager
    def _writing(self, after: int | None) -> Iterator[Version]:
        with hold_lock(self._target):
            try:
                now = self._hold(self._adopt(self._read_version()))
            except OSError as error:
                raise ReweightvizError(
                    f"cannot read {self.path}: {error.strerror or error}; "
                    "LiveMixture.create(...) makes it anew."
                ) from error
            if after is not None and now.version != after:
                raise ReweightvizError(
                    f"{self.path} is at version {now.version} by {now.author[:60]!r}, not "
                    f"at {after}: read it again, then set."
                )
            yield now

    def _accept(self, now: Version, *, author: str, note: Any, **changed: Any) -> Version:
        """Write the version after ``now``. Only for who holds the lock."""
        new = now._replace(
            version=now.version + 1,
            time=round(time.time(), 3),
            author=str(author),
            note=to_jsonable(note),
            **changed,
        )
        changes = LineWriter(self._changes)
        last = read_last(changes.path, now.made)
        if last is None or last.version < now.version:
            changes.write(now.record())  # its writer was killed before it did
        write_version(self._target, new)
        _record(changes, new)
        self._held = new
        self._stamp = ()
        return new

    def _newest(self, made: str | None) -> Version | None:
        """Return the newest version that is held or recorded of a beginning, of any for None."""
        held = self._held
        last = read_last(self._changes, made)
        if held is None or last is None:
            return held or last
        if last.made != held.made or last.version > held.version:
            return last
        return held

    def _adopt(self, found: Version) -> Version:
        """Make a version of what a person wrote into the file. Only for who holds the lock."""
        before = self._newest(found.made)
        if found.version != BY_HAND or before is None:
            return found
        return self._accept(
            before, mixture=found.mixture, guards=found.guards, author=found.author, note=found.note
        )


def _check_free(files: tuple[Path, ...]) -> None:
    there = [file for file in files if os.path.lexists(file)]
    if there:
        raise ReweightvizError(
            f"{there[0]} exists already: LiveMixture({str(files[0])!r}) goes on with "
            "it, overwrite=True begins anew."
        )


def _record(changes: LineWriter, version: Version) -> None:
    """Record a version that is in force; the next one records it too, where that fails now."""
    try:
        changes.write(version.record())
    except UnwritableFile as error:
        warn(f"version {version.version} is in force, and the next change records it: {error}")
