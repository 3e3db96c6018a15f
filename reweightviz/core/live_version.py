"""A version of a live mixture, and the files that hold it: the present one and the changes.

``mix.json`` may be written by hand: all but the weights may be left out, and what an editor leaves
as it was (version, time) is then no claim of its writer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.files import write_json
from reweightviz.core.foreign_file import NO_RECORD
from reweightviz.core.guards import ROUNDING, Guards
from reweightviz.core.json_text import parse_json
from reweightviz.core.mixture import Mixture

__all__ = [
    "BY_HAND",
    "FORMAT",
    "Version",
    "interpret_version",
    "read_last",
    "read_record",
    "write_version",
]


FORMAT = "reweightviz.live/1"
BY_HAND = 0
"""The version of what a person wrote into the file, until it is counted."""
_NEAR_END = 1 << 20  # bytes in which the last record of the changes is looked for


class Version(NamedTuple):
    """The content of a live mixture at one moment; ``time`` is in Unix seconds.

    ``made`` names the beginning that it is of; it is empty in files of version 0.5.
    """

    version: int
    mixture: Mixture
    author: str
    time: float
    note: str | None
    guards: Guards
    made: str = ""

    def record(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "version": self.version,
            "weights": dict(self.mixture),
            "author": self.author,
            "time": self.time,
            "note": self.note,
            "guards": self.guards.record(),
            "made": self.made,
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any], before: Version | None = None) -> Version:
        """Return the version of a record.

        Args:
            record: as :meth:`record` gives it.
            before: the version that it follows, which gives the order of the domains, and the
                guards where the record has none.
        """
        mixture = Mixture(record["weights"])
        guards = Guards(**record.get("guards", {}))
        made = str(record.get("made", ""))
        if before is not None:
            mixture = mixture.reorder(before.mixture)
            guards = guards if "guards" in record else before.guards
            made = made if "made" in record else before.made
        return cls(
            int(record["version"]),
            mixture,
            str(record.get("author", "")),
            float(record.get("time", 0)),
            record.get("note"),
            guards,
            made,
        )


def write_version(path: Path, version: Version) -> None:
    """Write a version as the present one."""
    write_json(path, {"format": FORMAT, "unit": "share of training tokens", **version.record()})


def read_record(file: Path, path: Path) -> dict[str, Any]:
    """Read what a file holds; a person knows it as ``path``.

    Raises:
        OSError: the file cannot be read.
        ReweightvizError: it holds no table of JSON, or a name twice.
    """
    with _name_file(path):
        record = parse_json(file.read_bytes())
        return dict(record.items())


def interpret_version(
    path: Path, record: Mapping[str, Any], written: float, before: Version | None
) -> Version:
    """Return the version of a record; :data:`BY_HAND` is the number of one that a person wrote.

    Args:
        path: of the file, for sentences.
        record: what it holds.
        written: when it was written, in Unix seconds.
        before: the newest version that is known.

    Raises:
        ReweightvizError: it is no live mixture, or a guard forbids what was written by hand.
    """
    with _name_file(path):
        return _interpret(record, written, before)


@contextmanager
def _name_file(path: Path) -> Iterator[None]:
    try:
        yield
    except ReweightvizError as error:
        raise ReweightvizError(f"{path}: {error}") from error
    except NO_RECORD as error:
        raise ReweightvizError(
            f"{path} is no live mixture (JSON with 'weights'): {str(error).rstrip('.')}."
        ) from error


def _interpret(record: Mapping[str, Any], written: float, before: Version | None) -> Version:
    found = Version.of_record({"version": 1, "time": written, **record}, before)
    found.guards.check_domains(found.mixture)
    found.guards.check_bounds(found.mixture)
    if before is None or before.made != found.made:
        return found
    # Whoever changes the weights with an editor leaves the version and the time as they were, or
    # out.
    is_old = found.version <= before.version and found.time <= before.time
    is_moved = found.mixture.distance(before.mixture) > ROUNDING
    if "version" in record and not (is_old and is_moved):
        return found
    if not is_moved and found.guards == before.guards:
        return before
    found.guards.check_change(before.mixture, found.mixture)
    by_hand = found._replace(version=BY_HAND, note=found.note or "written by hand")
    if is_old:
        # Author and note were left as they were too: they are of the version before.
        return by_hand._replace(author="", note="written by hand")
    return by_hand


def read_last(changes: Path, made: str | None = None) -> Version | None:
    """Read the last whole record of the changes, where there is one.

    Args:
        changes: the file.
        made: the beginning that it must be of; None takes any.
    """
    with suppress(OSError), changes.open("rb") as file:
        file.seek(max(0, changes.stat().st_size - _NEAR_END))
        for line in reversed(file.read().split(b"\n")[:-1]):
            with suppress(*NO_RECORD):
                found = Version.of_record(json.loads(line))
                if made in (None, found.made):
                    return found
    return None
