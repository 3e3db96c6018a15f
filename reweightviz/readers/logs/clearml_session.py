"""ClearML's offline session, a folder or zip, or ``Task.get_reported_scalars()`` saved as JSON.

ClearML, "ClearML: Your entire MLOps stack in one open-source tool", 2019, https://clear.ml; clearml
2.1.12 wrote the sessions of the tests, of ``get_reported_scalars`` only the source was read. Its
title and its series are joined to one tag: ``loss`` and ``web`` to ``loss/web``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from reweightviz.readers.logs._log_reader import files_of, head_of
from reweightviz.readers.logs._point_export import (
    PointExport,
    json_lines,
    member_of,
    members_of,
    point_of,
)
from reweightviz.readers.logs._series import Point

__all__ = ["ClearML"]


METRICS = "metrics.jsonl"
SCALAR = "training_stats_scalar"
AXES = (re.compile(rb'"x":\s*\['), re.compile(rb'"y":\s*\['))


class ClearML(PointExport):
    """One task."""

    name = "clearml"
    title = "ClearML's offline session or exported scalars"
    files: ClassVar[tuple[str, ...]] = (METRICS, "*.zip", "*.json")

    @classmethod
    def runs(cls, path: Path) -> dict[str, Path]:
        """Return every session by the name of its folder or file, and every file of scalars."""
        found = files_of(path, *cls.files)
        sessions = {name: file for name, file in found.items() if cls.is_one(file)}
        return {_name_of(name, file): file for name, file in sessions.items()}

    @classmethod
    def is_one(cls, file: Path) -> bool:
        """Return whether it is a session's metrics, its archive, or a table of scalars."""
        if file.suffix == ".zip":
            return {METRICS, "task.json"} <= members_of(file)
        head = head_of(file).lstrip()
        if file.suffix == ".jsonl":
            return head.startswith(b"[{") and f'"{SCALAR}"'.encode() in head
        return head.startswith(b"{") and all(axis.search(head) for axis in AXES)

    def points(self, file: Path) -> Iterator[Point | None]:
        """Yield the events of a session, or the values of each series."""
        if file.suffix == ".zip":
            yield from _events(member_of(file, METRICS))
        elif file.suffix == ".jsonl":
            yield from _events(file.read_bytes())
        else:
            yield from _series(json.loads(file.read_bytes()))


def _events(content: bytes) -> Iterator[Point | None]:
    """Yield the scalars of a session, of which a line is a list of events."""
    for events in json_lines(content):
        for event in events if isinstance(events, list) else []:
            if isinstance(event, Mapping) and event.get("type") == SCALAR:
                tag = f"{event.get('metric')}/{event.get('variant')}"
                yield point_of(tag, event.get("iter"), event.get("value"), event.get("timestamp"))


def _series(scalars: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[Point | None]:
    """Yield the values of title to series to its x and y, in the order of the steps."""
    found = [
        point_of(f"{title}/{name}", step, value)
        for title, by_name in scalars.items()
        for name, series in by_name.items()
        for step, value in zip(series["x"], series["y"], strict=True)
    ]
    yield from (point for point in found if point is None)
    # Of a run that was started again each series is complete, and its steps go up.
    yield from sorted((point for point in found if point), key=lambda point: point.step)


def _name_of(name: str, file: Path) -> str:
    if file.name == METRICS:
        return file.resolve().parent.name
    return name
