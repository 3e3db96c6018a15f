"""LiveMixture: a small file with a version that a person, a widget or a mixer writes and samplers follow.

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
from typing import Any, NamedTuple

import pandas as pd
from filelock import FileLock, Timeout

from reweightviz.core.errors import ReweightvizError, warn
from reweightviz.core.files import inside_folder, write_atomically
from reweightviz.core.guards import Guards, names
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.lines import LineTail, LineWriter
from reweightviz.core.live_journal import Journal
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule

FORMAT = "reweightviz.live/1"
_ROUNDING = 1e-9
_NEAR_END = 1 << 20  # bytes in which the last record of the changes is looked for
_BY_HAND = 0  # the version of what a person wrote into the file, until it is counted
_SETTLED = 0.1  # seconds after which a file's time stamp tells a further change apart
_PATIENCE = 10.0  # seconds for a lock that its holder needs for milliseconds
_POLL = 0.005  # seconds between two tries


class Version(NamedTuple):
    """What a live mixture holds at one moment; ``time`` is in Unix seconds."""

    version: int
    mixture: Mixture
    author: str
    time: float
    note: str | None
    guards: Guards


class LiveMixture:
    """A mixture that may be changed while a training follows it.

    Args:
        path: of a file that :meth:`create` made.

    Raises:
        ReweightvizError: there is no such file, or something else is in it.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "mix.json"
        >>> live = LiveMixture.create(path, {"web": 0.7, "code": 0.3}, bounds={"code": (0.1, 0.6)}, max_change=0.05)
        >>> live.set({"web": 0.5, "code": 0.5}, author="ann", note="code lags")
        2
        >>> LiveMixture(path).mixture["code"]
        0.5
        >>> live.set({"web": 0.6, "code": 0.4}, author="ben", after=1)
        Traceback (most recent call last):
        reweightviz.core.errors.ReweightvizError: ...mix.json is at version 2 by 'ann', not at 1: read it again, then set.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._stamp: tuple[int, ...] = ()
        self._held: Version | None = None
        self._told = ""
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
        made = mixture if isinstance(mixture, Mixture) else Mixture(mixture)
        guards = Guards(
            bounds or {}, max_change, locked if isinstance(locked, bool) else names(locked)
        )
        guards.check_domains(made)
        guards.check_bounds(made)
        target = inside_folder(path)
        beside = [target.with_suffix(f".{name}.jsonl") for name in ("journal", "changes")]
        there = [file for file in (target, *beside) if file.exists()]
        if there and not overwrite:
            raise ReweightvizError(
                f"{there[0]} exists already: LiveMixture({str(target)!r}) goes on with "
                "it, overwrite=True begins anew."
            )
        with _alone(target):
            for file in beside:
                file.unlink(missing_ok=True)
            first = Version(1, made, str(author), round(time.time(), 3), to_jsonable(note), guards)
            _write(target, first)
            LineWriter(beside[1]).write(_record(first))
        return cls(target)

    def __repr__(self) -> str:
        now = self.read()
        return f"LiveMixture({str(self.path)!r}, version {now.version}, {now.mixture!r})"

    def read(self) -> Version:
        """What is wanted now; costs one ``stat`` while nothing changes.

        A file that disappears or is spoilt is said once; the last good version stays in force.
        What a person wrote into the file by hand becomes a version of its own, under the guards
        that it does not replace.
        """
        try:
            here = self.path.stat()
            stamp = (here.st_mtime_ns, here.st_size, here.st_ino)
            if stamp == self._stamp and self._held is not None:
                return self._held
            found = self._parsed()
            if found.version == _BY_HAND:
                with _alone(self.path):
                    found = self._adopted(self._parsed())
            self._held, self._told = found, ""
            self._stamp = stamp if abs(time.time() - here.st_mtime) > _SETTLED else ()
        except OSError as error:
            self._lost(f"cannot read {self.path}: {error.strerror or error}")
        except ReweightvizError as error:
            self._lost(str(error).rstrip("."))
        assert self._held is not None
        return self._held

    @property
    def mixture(self) -> Mixture:
        """The weights that are wanted now."""
        return self.read().mixture

    @property
    def version(self) -> int:
        """Counts the changes, from 1."""
        return self.read().version

    @property
    def guards(self) -> Guards:
        """What changes must keep to."""
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
        """Ask for new weights; returns the new version.

        Args:
            mixture: a weight for every domain.
            author: who asks: a person, a widget, a mixer.
            note: why.
            after: the version that was seen before; None does not mind what another has set since.

        Raises:
            ReweightvizError: other domains, a guard, or a change by another writer since ``after``.
        """
        made = mixture if isinstance(mixture, Mixture) else Mixture(mixture)
        with self._writing(after) as now:
            made = Mixture(
                zip(now.mixture, made.aligned(now.mixture).tolist(), strict=True),
                source=made.source,
            )
            now.guards.check_change(now.mixture, made)
            return self._accept(now, mixture=made, author=author, note=note).version

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
        """Change the guards that are given; returns the new version."""
        with self._writing(after) as now:
            old = now.guards
            new = Guards(
                old.bounds if bounds is None else bounds,
                old.max_change if max_change is None else max_change,
                old.locked
                if locked is None
                else locked
                if isinstance(locked, bool)
                else names(locked),
            )
            new.check_domains(now.mixture)
            new.check_bounds(now.mixture)
            return self._accept(now, guards=new, author=author, note=note).version

    def history(self, *, steps: int | None = None) -> Schedule:
        """What samplers drew by, by training step: the run, to be replayed.

        Args:
            steps: length of the run, where it is known.

        Raises:
            ReweightvizError: no sampler has followed this file yet.
        """
        self.journal.poll()
        return self.journal.schedule(steps=steps)

    def changes(self) -> pd.DataFrame:
        """A row a version: time (UTC), author, note, the weights, and ``step`` and ``reached``, where its effect began and was whole.

        ``step`` is missing for a version that another one replaced before any step was drawn by it.
        """
        self.journal.poll()
        rows = {record["version"]: record for record in self._recorded()}
        now = self.read()
        rows[now.version] = _record(now)
        table = pd.DataFrame(
            [
                {
                    "version": v,
                    "time": row["time"],
                    "author": row["author"],
                    "note": row["note"],
                    **row["weights"],
                }
                for v, row in sorted(rows.items())
            ]
        ).set_index("version")
        table["time"] = pd.to_datetime(table["time"], unit="s", utc=True)
        effects = [effect for effect in self.journal.effects if effect["version"] in table.index]
        first = {effect["version"]: effect["first"] for effect in reversed(effects)}
        table.insert(3, "step", pd.Series(first, dtype="Int64").reindex(table.index))
        last = {effect["version"]: effect["last"] for effect in effects}
        table.insert(4, "reached", pd.Series(last, dtype="Int64").reindex(table.index))
        return table

    def _recorded(self) -> Iterator[dict[str, Any]]:
        for line in LineTail(self._beside("changes")):
            with suppress(ValueError):  # half a line that a killed writer left
                yield json.loads(line)

    @contextmanager
    def _writing(self, after: int | None) -> Iterator[Version]:
        with _alone(self.path):
            try:
                now = self._adopted(self._parsed())
            except OSError as error:
                raise ReweightvizError(
                    f"cannot read {self.path}: {error.strerror or error}; "
                    "LiveMixture.create(...) makes it anew."
                ) from error
            if after is not None and now.version != after:
                raise ReweightvizError(
                    f"{self.path} is at version {now.version} by {now.author[:60]!r}, not "
                    f"at {after}: "
                    "read it again, then set."
                )
            yield now

    def _accept(self, now: Version, **changed: Any) -> Version:
        changed |= {"author": str(changed["author"]), "note": to_jsonable(changed["note"])}
        new = now._replace(version=now.version + 1, time=round(time.time(), 3), **changed)
        changes = LineWriter(self._beside("changes"))
        if (last := _last(changes.path)) is None or last.version < now.version:
            changes.write(_record(now))  # its writer was killed before it did
        _write(self.path, new)
        changes.write(_record(new))
        self._held, self._stamp = new, ()
        return new

    def _parsed(self) -> Version:
        """What the file says."""
        return _parsed(self.path, self._known())

    def _known(self) -> Version | None:
        """The newest version that is held or recorded."""
        known = [each for each in (self._held, _last(self._beside("changes"))) if each is not None]
        return max(known, key=lambda each: each.version, default=None)

    def _adopted(self, found: Version) -> Version:
        """What the file says; what a person wrote into it becomes a version. Only for who holds the lock."""
        before = self._known()
        if found.version != _BY_HAND or before is None:
            return found
        return self._accept(
            before, mixture=found.mixture, guards=found.guards, author=found.author, note=found.note
        )

    def _beside(self, name: str) -> Path:
        return self.path.with_suffix(f".{name}.jsonl")

    def _lost(self, sentence: str) -> None:
        if self._held is None:
            raise ReweightvizError(f"{sentence}.")
        if sentence != self._told:
            self._told = sentence
            warn(f"{sentence}; version {self._held.version} stays in force.")


def _record(version: Version) -> dict[str, Any]:
    return {
        "version": version.version,
        "weights": dict(version.mixture),
        "author": version.author,
        "time": version.time,
        "note": version.note,
        "guards": version.guards.record(),
    }


def _write(path: Path, version: Version) -> None:
    record = {"format": FORMAT, "unit": "share of training tokens", **_record(version)}
    write_atomically(path, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def _parsed(path: Path, held: Version | None) -> Version:
    """What the file says; one that a person wrote by hand may leave out all but the weights."""
    try:
        record = json.loads(path.read_text("utf-8"))
        made = _version({"version": 1, "time": path.stat().st_mtime} | record, held)
        made.guards.check_domains(made.mixture)
        made.guards.check_bounds(made.mixture)
        if held is None:
            return made
        # Whoever changes the weights with an editor leaves the version and the time as they were,
        # or out.
        old = made.version <= held.version and made.time <= held.time
        if "version" in record and not (old and made.mixture.distance(held.mixture) > _ROUNDING):
            return made
        made.guards.check_change(held.mixture, made.mixture)
        author, note = ("", None) if old else (made.author, made.note)
        return made._replace(version=_BY_HAND, author=author, note=note or "written by hand")
    except ReweightvizError as error:
        raise ReweightvizError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ReweightvizError(
            f"{path} is no live mixture (JSON with 'weights'): {str(error).rstrip('.')}."
        ) from error


def _version(record: Mapping[str, Any], held: Version | None = None) -> Version:
    """A record as a version; its domains in the order of the one before, with the guards of that one where it has none."""
    mixture = Mixture(record["weights"])
    if held is not None:
        mixture = Mixture(zip(held.mixture, mixture.aligned(held.mixture).tolist(), strict=True))
    guards = (
        held.guards
        if held is not None and "guards" not in record
        else Guards(**record.get("guards", {}))
    )
    return Version(
        int(record["version"]),
        mixture,
        str(record.get("author", "")),
        float(record.get("time", 0)),
        record.get("note"),
        guards,
    )


def _last(path: Path) -> Version | None:
    """The last whole record of the changes, where there is one."""
    with suppress(OSError), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _NEAR_END))
        for line in reversed(file.read().split(b"\n")[:-1]):
            with suppress(ValueError, KeyError, TypeError):
                return _version(json.loads(line))
    return None


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Admit one writer at a time; the operating system takes the lock from a process that ends.

    Raises:
        ReweightvizError: the lock cannot be made here, or another process keeps it.
    """
    file = inside_folder(path.with_name(f".{path.name}.lock"))
    # A file system that cannot lock is refused: a lock of filelock's other kind outlives its
    # process.
    lock = FileLock(file, timeout=_PATIENCE, poll_interval=_POLL, fallback_to_soft=False)
    try:
        held = lock.acquire()
    except Timeout as error:
        raise ReweightvizError(
            f"cannot write {path}: another process has held {file} for "
            f"{_PATIENCE:g} seconds; end that process, then set again."
        ) from error
    except OSError as error:
        raise ReweightvizError(
            f"cannot write {path}: {file} cannot be locked, {error.strerror or error}; "
            "choose a folder that this process may write to."
        ) from error
    with held:
        yield
