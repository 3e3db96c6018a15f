"""Plan and Config: the content of a file to be written, and of one that was read."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from reweightviz.core.errors import UnreadableFile
from reweightviz.core.sources import Sources
from reweightviz.exporters import provenance
from reweightviz.exporters.epochs import Stop
from reweightviz.exporters.units import Unit

__all__ = [
    "Config",
    "Entry",
    "Numbers",
    "Plan",
    "digest",
    "find_documents",
    "read_rows",
    "source_paths",
    "to_number",
]


Numbers = dict[str, float]
"""Name of an entry in the file to the number that stands there."""


class Entry(NamedTuple):
    """One entry of a file: ``part`` of a domain, and where that lies."""

    domain: str
    part: float = 1.0
    paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The content of a file to be written, in the unit of its framework.

    Args:
        entries: name in the file to its entry, in order; domains of weight 0 are not
            among them.
        stages: first step to the numbers from there on, by name in the file; a mixture has one
            stage, at 0. A stage leaves out what it does not draw.
        dropped_names: names in the file of the domains whose weight is 0, for a merge to take out.
        unit: of the numbers.
        sources: what there is of each domain, where it is known.
        tokens: budget of the run, where it is known.
        steps: steps of the run, where a schedule gives them.
        record: the provenance.
    """

    entries: Mapping[str, Entry]
    stages: Mapping[int, Numbers]
    dropped_names: tuple[str, ...]
    unit: Unit
    sources: Sources | None
    tokens: float | None
    steps: int | None
    record: dict[str, Any]

    @property
    def numbers(self) -> Numbers:
        """The numbers of the first stage."""
        return self.stages[0]

    @property
    def has_repeats(self) -> bool:
        """True where the budget makes more than one pass over some domain."""
        return max(self.record.get("epochs", {}).values(), default=0.0) > 1 + 1e-6

    def comment(self, title: str) -> str:
        """Return the provenance as ``#`` lines."""
        return provenance.comment(self.record, title=title)


@dataclass(frozen=True)
class Config:
    """The content of a framework's file, as the framework would read it.

    Args:
        stages: first step to the numbers from there on, by name in the file.
        unit: key of the unit, where it stands in the file itself.
        assumed: the unit is what the framework counts by itself, and a provenance may know better.
        paths: name to the files or datasets that it stands for.
        sizes: name to the divisor of its share of tokens, where that stands in the file itself.
        steps: length of the run in steps, where it stands in the file.
        stop: what ends the data with the first domain that is used up; None where all are repeated.
        refused: sentences on what the framework would refuse or read as something else; ``read``
            raises the first.
        traps: sentences on what the framework takes but a person should know of.
    """

    stages: Mapping[int, Numbers]
    unit: str | None = None
    assumed: bool = False
    paths: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sizes: Mapping[str, float] = field(default_factory=dict)
    steps: int | None = None
    stop: Stop | None = None
    refused: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()


def source_paths(domain: str, sources: Sources | None) -> tuple[str, ...]:
    """Return the paths of a domain, where the sources have any."""
    if sources is None or domain not in sources:
        return ()
    return sources[domain].paths


def find_documents(domain: str, sources: Sources | None) -> float | None:
    """Return the documents of a domain, where the sources have them."""
    if sources is None or domain not in sources:
        return None
    return sources[domain].documents


def digest(config: Config) -> str:
    """Hash the numbers of a config and what they count, so that an edit can be seen later."""
    # A prefix each keeps the unit, the numbers and the sizes apart, whatever the names are.
    unit = None if config.assumed else config.unit
    numbers: Numbers = {f"unit {unit}": 0.0}
    for start, stage in config.stages.items():
        numbers |= {f"{start} {name}": number for name, number in stage.items()}
    numbers |= {f"size {name}": size for name, size in config.sizes.items()}
    # The hexadecimal form holds every bit of a number.
    pairs = [[name, float(number).hex()] for name, number in sorted(numbers.items())]
    return hashlib.blake2b(json.dumps(pairs).encode(), digest_size=8).hexdigest()


def read_rows(path: Path, rows: Sequence[Any], name: str, weight: str) -> Numbers:
    """Read the numbers of a table that is a list of dictionaries.

    Args:
        path: of the file, for the error.
        rows: the table.
        name: key of the name in each row.
        weight: key of the number in each row.

    Returns:
        The numbers; those of a name that stands several times add up.

    Raises:
        UnreadableFile: a row lacks a key.
    """
    numbers: Numbers = {}
    try:
        for row in rows:
            numbers[str(row[name])] = numbers.get(str(row[name]), 0.0) + to_number(row[weight])
    except (KeyError, TypeError) as error:
        raise UnreadableFile(
            path=path, reason=f"each row of its table needs {name!r} and {weight!r}: {error}"
        ) from error
    return numbers


def to_number(value: object) -> float:
    """Convert a value of a config as a framework would; nan where it is no finite number >= 0."""
    # To Python True is the integer 1, but in a config it is no weight.
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        found = float(value)
    except (OverflowError, ValueError):
        return math.nan
    return found if math.isfinite(found) and found >= 0 else math.nan
