"""Draccus, with which Levanter reads YAML: ``!include path`` puts another file in its place.

A path is taken from the folder of the file that it stands in. Read from draccus 0.11.6, which the
tests run.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters.document import SHARED, Document
from reweightviz.exporters.text.yaml_load import Include

__all__ = ["DEEPEST", "MOST_FILES", "Followed", "follow_includes"]


DEEPEST = 4
"""How many mappings below the root an include is looked for: that of a component is at 3."""
MOST_FILES = 100


class Followed(NamedTuple):
    """The content of a file with what it includes, and a sentence on each file not read."""

    content: Mapping[str, Any]
    faults: tuple[str, ...] = ()


def follow_includes(document: Document) -> Followed:
    """Return the mapping of a file, with the files that it includes in their places.

    An include that was not followed stays, as a :class:`yaml_load.Include`.
    """
    if "!include" not in document.text:
        return Followed(document.mapping)
    faults: list[str] = []
    opened: list[Path] = [document.path.resolve()]
    filled = {
        key: _fill_in(value, key, document, opened[:1], opened, faults)
        for key, value in document.mapping.items()
    }
    return Followed(filled, tuple(faults))


def _fill_in(
    value: Any,
    where: str,
    document: Document,
    chain: list[Path],
    opened: list[Path],
    faults: list[str],
) -> Any:
    """Return a value with its includes filled in.

    Args:
        value: of a key.
        where: its keys, joined by dots.
        document: the file that the value stands in.
        chain: the files that include it, that file last.
        opened: every file that was opened.
        faults: collects the sentences.
    """
    if isinstance(value, Include):
        try:
            included = _open(value, document, chain, opened)
        except ReweightvizError as error:
            reason = str(error).rstrip(".")
            faults.append(f"{where} is included from {value[:80]!r}, which was not read: {reason}.")
            return value
        chain = [*chain, included.path.resolve()]
        return _fill_in(included.data, where, included, chain, opened, faults)
    if not isinstance(value, Mapping) or where.count(".") + 1 >= DEEPEST:
        return value
    return {
        key: _fill_in(below, f"{where}.{key}", document, chain, opened, faults)
        for key, below in value.items()
    }


def _open(name: str, document: Document, chain: list[Path], opened: list[Path]) -> Document:
    if "://" in name or Path(name).is_absolute():
        raise ReweightvizError("only files beside the config are read")
    if not name.endswith(SHARED):
        raise ReweightvizError("only YAML is read")
    # Draccus takes ".." for the folder above by the words of the path, not by its links.
    path = Path(posixpath.normpath(document.path.parent / name))
    if path.resolve() in chain:
        raise ReweightvizError("the files include one another")
    if len(opened) > MOST_FILES:
        raise ReweightvizError(f"there are more than {MOST_FILES} of them")
    opened.append(path)
    included = Document.open(path)
    if included.fault is not None:
        raise included.fault
    return included
