"""LiveMixture: a small file with a version that a person or a mixer writes and samplers follow.

Three files, each with one kind of writer: ``mix.json`` is what is wanted now,
``mix.changes.jsonl`` every accepted change with its author (both by :meth:`LiveMixture.set`),
``mix.journal.jsonl`` the training step from which it held (by the sampler, see
core/live_journal.py).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pandas as pd

from reweightviz.core.errors import ReweightvizError, warn
from reweightviz.core.files import inside_folder
from reweightviz.core.foreign_file import NO_RECORD, guard_reading
from reweightviz.core.guards import Guards
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.lines import LineTail, LineWriter
from reweightviz.core.live_journal import Journal
from reweightviz.core.live_version import (
    BY_HAND,
    Version,
    read_last,
    read_version,
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
        self.read()
        self.journal = Journal(self._beside("journal"), self.domains)

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
        target = inside_folder(path)
        beside = [target.with_suffix(f".{name}.jsonl") for name in ("journal", "changes")]
        there = [file for file in (target, *beside) if file.exists()]
        if there and not overwrite:
            raise ReweightvizError(
                f"{there[0]} exists already: LiveMixture({str(target)!r}) goes on with "
                "it, overwrite=True begins anew."
            )
        first = Version(1, start, str(author), round(time.time(), 3), to_jsonable(note), guards)
        with hold_lock(target):
            # First, as decisions of an old training beside a new version 1 would mislead.
            for file in beside:
                file.unlink(missing_ok=True)
            write_version(target, first)
            LineWriter(beside[1]).write(first.record())
        return cls(target)

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
        here = self.path.stat()
        stamp = (here.st_mtime_ns, here.st_size, here.st_ino)
        if stamp == self._stamp and self._held is not None:
            return self._held
        found = read_version(self.path, self._newest())
        if found.version == BY_HAND:
            with hold_lock(self.path):
                found = self._adopt(read_version(self.path, self._newest()))
        self._held = found
        self._warned = ""
        # A change within the clock's own step would leave the stamp as it is.
        is_settled = abs(time.time() - here.st_mtime) > _SETTLED
        self._stamp = stamp if is_settled else ()
        return found

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
        """Return a row a version: time (UTC), author, note, ``step``, ``reached`` and the weights.

        ``step`` is where its effect began and ``reached`` where it was whole. They are missing for
        a version that another one replaced before any step was drawn by it.
        """
        with guard_reading(self.path, "a live mixture"):
            return self._list_changes()

    def _list_changes(self) -> pd.DataFrame:
        self.journal.poll()
        records = {record["version"]: record for record in self._read_changes()}
        now = self.read()
        records[now.version] = now.record()
        rows = [_flatten(records[version]) for version in sorted(records)]
        table = pd.DataFrame(rows).set_index("version")
        table["time"] = pd.to_datetime(table["time"], unit="s", utc=True)
        effects = [effect for effect in self.journal.effects if effect["version"] in table.index]
        # A training that began anew took a version up twice: its first and its last step count.
        first = {effect["version"]: effect["first"] for effect in reversed(effects)}
        last = {effect["version"]: effect["last"] for effect in effects}
        table.insert(3, "step", pd.Series(first, dtype="Int64").reindex(table.index))
        table.insert(4, "reached", pd.Series(last, dtype="Int64").reindex(table.index))
        return table

    def _read_changes(self) -> Iterator[dict[str, Any]]:
        for line in LineTail(self._beside("changes")):
            with suppress(*NO_RECORD):  # half a line that a killed writer left
                yield Version.of_record(json.loads(line)).record()

    @contextmanager
    def _writing(self, after: int | None) -> Iterator[Version]:
        with hold_lock(self.path):
            try:
                now = self._adopt(read_version(self.path, self._newest()))
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
        changes = LineWriter(self._beside("changes"))
        last = read_last(changes.path)
        if last is None or last.version < now.version:
            changes.write(now.record())  # its writer was killed before it did
        write_version(self.path, new)
        changes.write(new.record())
        self._held = new
        self._stamp = ()
        return new

    def _newest(self) -> Version | None:
        """Return the newest version that is held or recorded."""
        last = read_last(self._beside("changes"))
        if self._held is None or (last is not None and last.version > self._held.version):
            return last
        return self._held

    def _adopt(self, found: Version) -> Version:
        """Make a version of what a person wrote into the file. Only for who holds the lock."""
        before = self._newest()
        if found.version != BY_HAND or before is None:
            return found
        return self._accept(
            before, mixture=found.mixture, guards=found.guards, author=found.author, note=found.note
        )

    def _beside(self, name: str) -> Path:
        return self.path.with_suffix(f".{name}.jsonl")


def _flatten(record: dict[str, Any]) -> dict[str, Any]:
    facts = {name: record[name] for name in ("version", "time", "author", "note")}
    return {**facts, **record["weights"]}
