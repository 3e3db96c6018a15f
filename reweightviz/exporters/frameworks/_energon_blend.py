"""Blends of Megatron-Energon's metadatasets, with those that they name followed.

Energon multiplies: a metadataset in a blend hands its share on by its own weights, and its
repetitions are repeated. A dataset that stands several times is drawn from at each place.
Checked with megatron-energon 7.4.1.
"""

from __future__ import annotations

import math
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._foreign import Item, as_entries, as_mapping
from reweightviz.exporters.frameworks._weights import find_not_positive, mention_again
from reweightviz.exporters.plan import Numbers, to_number

__all__ = ["KEYS", "REPETITIONS", "Blend", "name_entry", "read_blend"]


REPETITIONS = "repetitions"
KEYS = {"blend": "weight", "datasets": "weight", "blend_epochized": REPETITIONS}
"""Key of the list to key of the number in it; the first version of a metadataset says datasets."""
CIRCLE = "a metadataset of this blend names itself, directly or through another."


@dataclass
class Blend:
    """The datasets of one split, those of nested metadatasets among them.

    Args:
        counts: "weight", "repetitions", or "" for a split of one dataset.
        numbers: of each dataset; places of one name add up.
        refused: sentences on what Energon would refuse.
        unread: paths of metadatasets that are not there to be read.
        again: names that stand several times.
    """

    counts: str = ""
    numbers: Numbers = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)

    def add(self, name: str, number: float) -> None:
        """Add the number of one more place to that of a name."""
        if name in self.numbers:
            self.again.append(name)
        self.numbers[name] = self.numbers.get(name, 0.0) + number

    def find_traps(self) -> Iterator[str]:
        """Generate what a person should know of the datasets."""
        yield from mention_again([*self.numbers, *self.again], "Energon")
        if self.unread:
            yield (
                f"{list_names(self.unread)} is a metadataset that could not be read here: what it "
                "holds is shown under its own name."
            )
        odd = [name for name in self.numbers if "${" in name]
        if odd:
            yield f"Energon fills in no ${{...}}; it would take {list_names(odd)} as written."


Known = dict[tuple[str, str], Blend | None]
"""Path and split to what was read there; None while it is being read."""


def read_blend(document: Document, split: str = "train", known: Known | None = None) -> Blend:
    """Read a split of a metadataset.

    Args:
        document: the metadataset.
        split: its split.
        known: what was read before, so that no file is read twice.
    """
    known = {} if known is None else known
    place = (str(document.path), split)
    if place in known:
        return known[place] or Blend(refused=[CIRCLE])
    known[place] = None
    found = _read(document, split, known)
    known[place] = found
    return found


def name_entry(entry: Item, part: str = "train") -> str:
    """Return the paths of an entry, of which a join has several, and the part if not training."""
    joined = entry.get("join")
    parts: list[Any] = [entry]
    if isinstance(joined, list):
        parts = joined
    elif isinstance(joined, Mapping):
        parts = list(joined.values())
    paths = []
    for one in parts:
        # A part of a join may be a bare path.
        path = one.get("path") if isinstance(one, Mapping) else one
        paths.append(str(path))
    name = " + ".join(paths)
    # A blend may take another part of a dataset, which is a source of its own.
    part = str(entry.get("split_part", part))
    if part == "train":
        return name
    return f"{name} ({part})"


def _read(document: Document, split: str, known: Known) -> Blend:
    train = document.at("splits", split)
    key = next((key for key in KEYS if key in train), "")
    found = Blend(KEYS.get(key, ""))
    kinds = {"path", "join", *KEYS} & set(train)
    if len(kinds) > 1:
        found.refused.append(
            f"splits.{split} must be a blend, a path or a join, and is more than one of them."
        )
    if not kinds:
        found.refused.append(f"{document.path.name} has no splits.{split}.")
        return found
    entries = as_entries(train[key]) if key else [train]
    if any(not {"path", "join"} & set(entry) for entry in entries):
        found.refused.append(
            f"Energon refuses an entry of splits.{split} that has neither a path nor a join."
        )
    for entry in entries:
        if not {"path", "join"} & set(entry):
            continue
        number = _read_number(entry.get(found.counts, 1.0))
        _add_entry(found, document, entry, number, split, known)
    bad = find_not_positive(found.numbers)
    if bad:
        found.refused.append(
            f"Energon refuses a {found.counts} that is not above 0, or is no number; that of "
            f"{list_names(bad)} is."
        )
    return found


def _add_entry(
    found: Blend, document: Document, entry: Item, number: float, split: str, known: Known
) -> None:
    """Add a dataset, or the datasets of a metadataset, each with its part of the number."""
    path = str(entry.get("path"))
    inner = None
    if path.endswith((".yaml", ".yml")):
        inner = _read_nested(document, path, str(entry.get("split_part", split)), known)
        if inner is None:
            found.unread.append(path)
    if inner is None:
        found.add(name_entry(entry, split), number)
        return
    found.refused += inner.refused
    found.unread += inner.unread
    if inner.counts and found.counts and inner.counts != found.counts:
        found.refused.append(
            f"{path} counts its datasets by {inner.counts} and the blend around it by "
            f"{found.counts}, which Energon does not mix."
        )
    found.counts = found.counts or inner.counts
    whole = 1.0
    if inner.counts == "weight":
        whole = math.fsum(inner.numbers.values()) or math.nan
    for name, part in inner.numbers.items():
        found.add(_place(path, name), number * part / whole)


def _read_nested(document: Document, path: str, split: str, known: Known) -> Blend | None:
    """Return the split of a metadataset that a blend names; None where it cannot be read."""
    try:
        nested = document.sibling(path)
        return read_blend(nested, split, known) if as_mapping(nested.data) else None
    except ReweightvizError:
        return None


def _place(path: str, name: str) -> str:
    """Return a path of a nested metadataset as one of the metadataset that names it."""
    folder = posixpath.dirname(path)
    if folder in {"", "."} or name.startswith("/") or "://" in name:
        return name
    return f"{folder}/{name.removeprefix('./')}"


def _read_number(value: object) -> float:
    # Energon's parser takes no text for a number.
    return math.nan if isinstance(value, str) else to_number(value)
