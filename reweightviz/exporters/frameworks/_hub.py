"""Arguments of ``load_dataset``: files of one kind, or a dataset of the Hugging Face Hub.

Files are known by their paths, joined with commas; a dataset of the Hub by
``org/name:config:split``, where what is left out is the default: ``org/name``, ``org/name:en``,
``org/name::validation``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from reweightviz.core.errors import RefusedByFramework, ReweightvizError, list_names
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.text import endings
from reweightviz.exporters.text.encoding import check_utf8

__all__ = [
    "BUILDERS",
    "COMPRESSED",
    "HUB",
    "HubExporter",
    "find_builder",
    "find_place",
    "guess_from_name",
    "list_files",
    "name_dataset",
]


BUILDERS = {
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".txt": "text",
    ".arrow": "arrow",
}
COMPRESSED = (".gz", ".zst", ".bz2", ".xz")
HUB = re.compile(r"([\w.-]+(?:/[\w.-]+)?)(?::([\w.-]*))?(?::([^/]+))?")
"""A dataset of the Hub, its configuration and its split."""


class HubExporter(Exporter):
    """A framework whose config lists datasets for ``load_dataset``, merged into by entry."""

    by_path = True
    merges = True

    def identify(self, domain: str, paths: Sequence[str], options: Mapping[str, Any]) -> str:
        """Return the files, or the name of the dataset with its configuration and split."""
        if not paths:
            raise RefusedByFramework(
                framework=self.title,
                reason="needs the files or the dataset name of each domain; sources= has no "
                f"path for {list_names([domain])} (Sources.with_paths sets them)",
            )
        place = find_place(domain, paths, str(options.get("split") or "train"))
        return name_dataset(
            place["path"], place.get("config"), place["split"], place.get("data_files")
        )

    def guess_domain(self, name: str) -> str:
        """Return the domain that an entry seems to hold, by its files or the dataset's name."""
        return guess_from_name(name)


def find_builder(path: str) -> str | None:
    """Return the builder of a file by its ending; None for what is no file."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    # Compression stands behind the kind: .jsonl.gz is JSON.
    last = [suffix for suffix in suffixes if suffix not in COMPRESSED][-1:]
    return BUILDERS.get("".join(last))


def find_place(
    domain: str, paths: Sequence[str], split: str, keys: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return ``path``, ``config``, ``data_files`` and ``split`` for ``load_dataset``.

    Args:
        domain: for the error.
        paths: files of one kind, or one ``org/name:config:split``; without any, nothing is
            returned.
        split: where the dataset does not name its own.
        keys: other names that a framework has for some of the arguments.

    Raises:
        ReweightvizError: the paths are neither.
    """
    place = _find_arguments(domain, paths, split)
    return {(keys or {}).get(key, key): value for key, value in place.items()}


def name_dataset(
    path: object, config: object = None, split: object = None, data_files: object = None
) -> str:
    """Return the name by which an entry is told from another.

    >>> name_dataset("org/web"), name_dataset("org/web", "en")
    ('org/web', 'org/web:en')
    >>> name_dataset("org/web", split="validation")
    'org/web::validation'
    >>> name_dataset("json", data_files=["a.jsonl", "b.jsonl"])
    'a.jsonl,b.jsonl'
    """
    if data_files:
        return ",".join(list_files(data_files))
    # The usual split goes without saying, so that an entry without one is the same dataset.
    if split in (None, "train"):
        split = ""
    return ":".join([str(path), str(config or ""), str(split)]).rstrip(":")


def list_files(data_files: object) -> tuple[str, ...]:
    """Return the files of an entry, which may be one, a list, or a mapping of splits to either."""
    if not data_files:
        return ()
    values = data_files.values() if isinstance(data_files, Mapping) else [data_files]
    files: list[str] = []
    for value in values:
        if isinstance(value, list | tuple):
            files += map(str, value)
        else:
            files.append(str(value))
    return tuple(files)


def guess_from_name(name: str) -> str:
    """Return the domain that the name of an entry seems to stand for.

    >>> guess_from_name("data/web-0.jsonl,data/web-1.jsonl"), guess_from_name("data/code/*.parquet")
    ('web', 'code')
    >>> guess_from_name("org/c4:en"), guess_from_name("org/Hermes-2.5")
    ('c4:en', 'Hermes-2.5')
    """
    if HUB.fullmatch(name) and ":" in name:
        return name.rpartition("/")[2]
    if "," not in name:
        return endings.strip(name.partition("*")[0].rstrip("/-_.")) or name
    columns = zip(*name.split(","), strict=False)
    shared = "".join(column[0] for column in takewhile(lambda them: len(set(them)) == 1, columns))
    # Shards are numbered, so what they share may end in the first digits of a number.
    return endings.strip(shared.rstrip("/-_.0123456789")) or name


def _find_arguments(domain: str, paths: Sequence[str], split: str) -> dict[str, Any]:
    if not paths:
        return {}
    for path in paths:
        check_utf8(path)
    kinds = {find_builder(path) for path in paths}
    if kinds == {None} and len(paths) == 1:
        return _find_dataset(paths[0], split)
    if len(kinds) > 1 or None in kinds:
        raise ReweightvizError(
            f"the paths of {domain[:60]!r} must be files of one kind ({list_names(BUILDERS)}) "
            f"or one dataset name; got {list_names(paths, 4)}."
        )
    return {"path": kinds.pop(), "data_files": list(paths), "split": split}


def _find_dataset(path: str, split: str) -> dict[str, Any]:
    # A path of the disk that is no name of the Hub, such as a folder, goes through as it is.
    hub = HUB.fullmatch(path)
    if hub is None:
        return {"path": path, "split": split}
    name, config, own_split = hub.groups()
    found = {"path": name, "config": config, "split": own_split or split}
    if not config:
        del found["config"]
    return found
