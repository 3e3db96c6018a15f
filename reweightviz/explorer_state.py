"""The explorer's one state and its undo journal: a plain class, shared by widgets, other hosts and tests."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.files import write_atomically
from reweightviz.core.mixture import Mixture

FORMAT = "reweightviz.explorer/1"
KEPT = 50  # steps of the journal


class ExplorerState:
    """Mixture, selection and hidden domains, each change journalled.

    Args:
        mixture: where to start.
        documents: N, for the selection; 0 when there is no corpus.
    """

    def __init__(self, mixture: Mixture, documents: int = 0) -> None:
        self._values: dict[str, Any] = {"mixture": mixture, "selection": np.empty(0, np.int64), "hidden": ()}
        self._documents = documents
        self._done: list[tuple[str, Any, Any]] = []
        self._undone: list[tuple[str, Any, Any]] = []
        self._listeners: list[Callable[[str], None]] = []

    @property
    def mixture(self) -> Mixture:
        """The committed mixture."""
        value: Mixture = self._values["mixture"]
        return value

    @property
    def selection(self) -> NDArray[np.int64]:
        """Selected rows, sorted."""
        rows: NDArray[np.int64] = self._values["selection"]
        return rows

    @property
    def hidden(self) -> tuple[str, ...]:
        """Domains that the map does not show."""
        value: tuple[str, ...] = self._values["hidden"]
        return value

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call ``listener(what)`` after every change; what is "mixture", "selection" or "hidden"."""
        self._listeners.append(listener)

    def set_mixture(self, mixture: Mixture) -> None:
        """Commit a mixture of the same domains."""
        mixture.aligned(self.mixture.domains)
        self._change("mixture", mixture)

    def set_selection(self, rows: Iterable[int] | NDArray[Any]) -> None:
        """Select rows of the corpus."""
        chosen = np.unique(np.asarray(list(rows) if not isinstance(rows, np.ndarray) else rows, np.int64))
        if len(chosen) and (chosen[0] < 0 or chosen[-1] >= self._documents):
            raise ReweightvizError(f"rows must be between 0 and {self._documents - 1}; got {chosen[0]} to {chosen[-1]}.")
        self._change("selection", chosen)

    def set_hidden(self, domains: Iterable[str]) -> None:
        """Hide domains."""
        self._change("hidden", tuple(domains))

    def _change(self, what: str, value: Any) -> None:
        before = self._values[what]
        if _same(before, value):
            return
        if self._done and self._done[-1][0] == what and _same(self._done[-1][1], value):
            self.undo()  # somebody else's undo button went back one step: it is the same step
            return
        if self._undone and self._undone[-1][0] == what and _same(self._undone[-1][2], value):
            self.redo()
            return
        self._done = [*self._done, (what, before, value)][-KEPT:]
        self._undone = []
        self._put(what, value)

    def _put(self, what: str, value: Any) -> None:
        self._values[what] = value
        for listener in self._listeners:
            listener(what)

    def undo(self) -> bool:
        """Take the last change back; False when there is none."""
        if not self._done:
            return False
        step = self._done.pop()
        self._undone.append(step)
        self._put(step[0], step[1])
        return True

    def redo(self) -> bool:
        """Do the last undone change again; False when there is none."""
        if not self._undone:
            return False
        step = self._undone.pop()
        self._done.append(step)
        self._put(step[0], step[2])
        return True

    # ---- on disk

    def save(self, path: Path) -> None:
        """Write JSON; the selection as a bitmask."""
        pool: list[Any] = []  # every value once: a step's "after" is the next one's "before"
        record = {"format": FORMAT, "documents": self._documents, "values": {n: self._encode(n, v) for n, v in self._values.items()},
                  "done": self._encode_steps(self._done, pool), "undone": self._encode_steps(self._undone, pool)}
        write_atomically(path, json.dumps(record | {"pool": [self._encode(what, value) for what, value in pool]}))

    @classmethod
    def load(cls, path: Path) -> ExplorerState:
        """Read what :meth:`save` wrote."""
        try:
            record = json.loads(path.read_text("utf-8"))
            stored = record["values"]["mixture"]
            state = cls(Mixture(stored["weights"], source=stored["source"]), record["documents"])
            state._values = {name: state._decode(name, value) for name, value in record["values"].items()}
            state._done, state._undone = (state._decode_steps(record[steps], record["pool"]) for steps in ("done", "undone"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReweightvizError(f"{path} is no saved explorer: {error}.") from error
        return state

    def _encode_steps(self, steps: list[tuple[str, Any, Any]], pool: list[Any]) -> list[list[Any]]:
        def place(what: str, value: Any) -> int:
            for at, (kind, known) in enumerate(pool):
                if kind == what and known is value:
                    return at
            pool.append((what, value))
            return len(pool) - 1

        return [[what, place(what, before), place(what, after)] for what, before, after in steps]

    def _decode_steps(self, steps: list[list[Any]], pool: list[Any]) -> list[tuple[str, Any, Any]]:
        return [(what, self._decode(what, pool[before]), self._decode(what, pool[after])) for what, before, after in steps]

    def _encode(self, what: str, value: Any) -> Any:
        if what == "selection":
            if not len(value):
                return ""
            mask = np.zeros(self._documents, bool)
            mask[value] = True
            return base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), 1)).decode()
        return {"weights": dict(value), "source": value.source} if what == "mixture" else list(value)

    def _decode(self, what: str, value: Any) -> Any:
        if what == "selection":
            bits = np.frombuffer(zlib.decompress(base64.b64decode(value)) if value else b"", np.uint8)
            return np.flatnonzero(np.unpackbits(bits)[: self._documents]).astype(np.int64)
        return Mixture(value["weights"], source=value["source"]) if what == "mixture" else tuple(value)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Mixture) and isinstance(b, Mixture):
        return a.domains == b.domains and bool(np.allclose(a.array, b.array, rtol=0, atol=1e-12))
    return len(a) == len(b) and all(x == y for x, y in zip(a, b, strict=True))
