"""Answers on disk, each as it comes: what was asked and paid for once is never asked again."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from reweightviz.core.cache import cache_path
from reweightviz.core.errors import ReweightvizError, warn
from reweightviz.core.lines import LineWriter

__all__ = ["KeptAnswers", "identify"]


class KeptAnswers:
    """Answers of one grader by the digest of the text, in lines of JSON of a file of the cache.

    Args:
        identity: of the grader with all that its answers depend on; None keeps them in memory
            alone.
    """

    def __init__(self, identity: str | None) -> None:
        self._path = None
        if identity is not None:
            self._path = cache_path("grades", identity, suffix=".jsonl")
        self._writer = None if self._path is None else LineWriter(self._path)
        self._lock = threading.Lock()
        self._known = self._read()

    def find(self, text: str) -> dict[str, Any] | None:
        """Return what was kept of a text: ``answer`` and ``tokens``."""
        return self._known.get(_digest(text))

    def keep(self, text: str, answer: Any, tokens: int) -> None:
        """Keep an answer, on the disk before this returns; threads may call it at once."""
        record = {"text": _digest(text), "answer": answer, "tokens": tokens}
        with self._lock:
            self._known[record["text"]] = record
            if self._writer is None:
                return
            try:
                self._writer.write(record, durable=True)
            except ReweightvizError as error:
                # A full disk costs the next call, not this one.
                self._writer = None
                warn(f"answers are kept in memory alone: {error}")

    def close(self) -> None:
        """Let go of the file."""
        if self._writer is not None:
            self._writer.close()

    def _read(self) -> dict[str, dict[str, Any]]:
        known: dict[str, dict[str, Any]] = {}
        if self._path is None:
            return known
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return known
        for line in lines:
            try:
                record = json.loads(line)
                known[record["text"]] = {
                    "answer": record["answer"],
                    "tokens": int(record["tokens"]),
                }
            # The rest of a line that was cut, or a damaged one: that text is asked again.
            except (ValueError, TypeError, KeyError, RecursionError):
                continue
        return known


def identify(grader: Callable[..., Any]) -> str | None:
    """Return what a function is known by: its code, and the text and numbers that it holds.

    An object is known by its ``digest``, where it has one. None where neither is there: who
    cannot be told from another has no answers kept.

    >>> identify(lambda text: len(text)) == identify(lambda text: len(text))
    True
    >>> identify(lambda text: len(text)) == identify(lambda text: len(text) + 1)
    False
    """
    known = getattr(grader, "digest", None)
    if isinstance(known, str):
        return known
    try:
        found = repr(_describe(grader))
    except TypeError:
        return None
    return hashlib.blake2b(found.encode("utf-8", "replace"), digest_size=16).hexdigest()


def _describe(value: Any) -> Any:
    """Return what is equal for equal functions; raise TypeError where that cannot be told."""
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        held = (value.__defaults__ or (), tuple(sorted((value.__kwdefaults__ or {}).items())))
        return (_describe(value.__code__), _describe(held), _describe(tuple(cells)))
    if isinstance(value, CodeType):
        return (value.co_code.hex(), value.co_names, _describe(value.co_consts))
    if isinstance(value, tuple):
        return tuple(_describe(part) for part in value)
    if isinstance(value, frozenset):
        return sorted(map(repr, value))
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return value
    if value is Ellipsis:
        return "..."
    raise TypeError(type(value).__name__)


def _digest(text: str) -> str:
    encoded = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()
