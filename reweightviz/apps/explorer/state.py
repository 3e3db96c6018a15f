"""The explorer's one state and its undo journal: a class without traits, for any host."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, UnknownName
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.mixture import Mixture
from reweightviz.core.undo_journal import Entry, Standing, UndoJournal

__all__ = ["FORMAT", "OF_0_3", "ExplorerState"]


FORMAT = "reweightviz.explorer/2"
OF_0_3 = "reweightviz.explorer/1"  # steps with the value before and after, in two lists


class ExplorerState:
    """Mixture, selection and hidden domains, each change journalled.

    Args:
        mixture: where to start.
        documents: N, for the selection; 0 when there is no corpus.
    """

    def __init__(self, mixture: Mixture, documents: int = 0) -> None:
        self._documents = documents
        self.journal = UndoJournal(
            {"mixture": mixture, "selection": np.empty(0, np.int64), "hidden": ()}
        )

    @property
    def mixture(self) -> Mixture:
        """The committed mixture."""
        value: Mixture = self.journal.value("mixture")
        return value

    @property
    def selection(self) -> NDArray[np.int64]:
        """Selected rows, sorted."""
        rows: NDArray[np.int64] = self.journal.value("selection")
        return rows

    @property
    def hidden(self) -> tuple[str, ...]:
        """Domains that the map does not show."""
        value: tuple[str, ...] = self.journal.value("hidden")
        return value

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call ``listener(what)`` after every change: of "mixture", "selection" or "hidden"."""

        def call_for_each(changed: frozenset[str]) -> None:
            for what in sorted(changed):
                listener(what)

        self.journal.listen(call_for_each)

    # Setting what is there already is no change, so no step of the journal.

    def set_mixture(self, mixture: Mixture) -> None:
        """Commit a mixture of the same domains."""
        weights = mixture.aligned(self.mixture.domains)
        if not np.array_equal(weights, self.mixture.array):
            self.journal.record("mixture", mixture)

    def set_selection(self, rows: Iterable[int] | NDArray[Any]) -> None:
        """Select rows of the corpus."""
        given = rows if isinstance(rows, np.ndarray) else list(rows)
        chosen = np.unique(np.asarray(given, np.int64))
        if len(chosen) and (chosen[0] < 0 or chosen[-1] >= self._documents):
            last = self._documents - 1
            raise ReweightvizError(
                f"rows must be between 0 and {last}; got {chosen[0]} to {chosen[-1]}."
            )
        if not np.array_equal(chosen, self.selection):
            self.journal.record("selection", chosen)

    def set_hidden(self, domains: Iterable[str]) -> None:
        """Hide domains."""
        chosen = tuple(domains)
        if chosen != self.hidden:
            self.journal.record("hidden", chosen)

    def undo(self) -> bool:
        """Take the last change back; False when there is none."""
        return self.journal.undo()

    def redo(self) -> bool:
        """Do the last undone change again; False when there is none."""
        return self.journal.redo()

    def restore(self, saved: ExplorerState) -> None:
        """Take over the journal of a saved state, and its place there."""
        entries, at = self._fit(saved)
        self.journal.restore(entries, at)

    def rebase(self, base: Standing, saved: ExplorerState) -> None:
        """Take over the journal of a saved state, and put the changes made since ``base`` on it."""
        self.journal.rebase(base, self._fit(saved))

    def _fit(self, saved: ExplorerState) -> Standing:
        """Return a saved journal with the domains in the order of this one.

        Raises:
            ReweightvizError: it is of other domains or documents.
        """
        if saved._documents != self._documents:
            raise ReweightvizError(
                f"the saved state is of {saved._documents:,} documents and this explorer has "
                f"{self._documents:,}: open it with the corpus that it was saved with."
            )
        domains = self.mixture.domains
        entries = []
        for entry in saved.journal.entries:
            values = dict(entry.values)
            if "mixture" in values:
                values["mixture"] = values["mixture"].reorder(domains)
            entries.append(replace(entry, values=values))
        return Standing(tuple(entries), saved.journal.at)

    # ---- on disk

    def to_jsonable(self) -> dict[str, Any]:
        """Return what JSON holds; a selection is a bitmask."""
        entries = [
            {"id": entry.id, "values": self._encode_values(entry.values)}
            for entry in self.journal.entries
        ]
        return {
            "format": FORMAT,
            "documents": self._documents,
            "entries": entries,
            "at": self.journal.at,
        }

    @classmethod
    def from_jsonable(cls, record: Mapping[str, Any]) -> ExplorerState:
        """Read what :meth:`to_jsonable` returned, here or in version 0.3."""
        documents = record["documents"]
        if record["format"] == OF_0_3:
            record = _convert_0_3(record)
        elif record["format"] != FORMAT:
            raise ReweightvizError(
                f"the saved state has the format {record['format']!r:.40}, of a later version: "
                "update reweightviz to open it."
            )
        entries = [
            Entry(_decode_values(entry["values"], documents), entry["id"])
            for entry in record["entries"]
        ]
        state = cls(entries[0].values["mixture"], documents)
        for entry in entries:
            state._check(entry.values)
        state.journal.restore(entries, record["at"])
        return state

    @classmethod
    def load(cls, path: Path) -> ExplorerState:
        """Read a file of such a record."""
        with guard_reading(path, "a saved explorer"):
            return cls.from_jsonable(json.loads(path.read_text("utf-8")))

    def _check(self, values: Mapping[str, Any]) -> None:
        """Refuse what this state's widgets would refuse: one half restored is worse than none."""
        domains = set(self.mixture.domains)
        if "mixture" in values:
            values["mixture"].aligned(self.mixture.domains)
        unknown = set(values.get("hidden", ())) - domains
        if unknown:
            raise UnknownName(kind="domain", name=min(map(str, unknown)), known=domains)

    def _encode_values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {what: self._encode(what, value) for what, value in values.items()}

    def _encode(self, what: str, value: Any) -> Any:
        if what == "mixture":
            return {"weights": dict(value), "source": to_jsonable(value.source)}
        if what == "hidden":
            return list(value)
        if not len(value):
            return ""
        mask = np.zeros(self._documents, bool)
        mask[value] = True
        return base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), 1)).decode()


def _decode_values(values: Mapping[str, Any], documents: int) -> dict[str, Any]:
    return {what: _decode(what, value, documents) for what, value in values.items()}


def _decode(what: str, value: Any, documents: int) -> Any:
    if what == "mixture":
        return Mixture(value["weights"], source=value["source"])
    if what == "hidden":
        return tuple(value)
    # No more than the documents need: a few bytes may be packed gigabytes.
    most = max(1, (documents + 7) // 8)
    mask = zlib.decompressobj().decompress(base64.b64decode(value), most) if value else b""
    bits = np.unpackbits(np.frombuffer(mask, np.uint8))
    return np.flatnonzero(bits[:documents]).astype(np.int64)


def _convert_0_3(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of today's form: entries, each with the values after it."""
    pool = record["pool"]
    steps = [*record["done"], *reversed(record["undone"])]
    # What lies before all steps: the earliest value of each, or the present one where none changed
    # it.
    start = dict(record["values"])
    for what, before, _ in reversed(steps):
        start[what] = pool[before]
    entries = [{"id": "step 0", "values": start}]
    for number, (what, _, after) in enumerate(steps, 1):
        entries.append({"id": f"step {number}", "values": {what: pool[after]}})
    return {"entries": entries, "at": f"step {len(record['done'])}"}
