"""Configs whose entries are what ``load_dataset`` takes: how an entry is told from another, and made.

Files are told apart by their paths, joined with commas; a dataset of the Hugging Face Hub by
``org/name:config:split``, where what is left out is the default: ``org/name``, ``org/name:en``,
``org/name::validation``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from ruamel.yaml.comments import CommentedMap

from reweightviz.core.errors import RefusedByFramework, ReweightvizError, listed
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks.huggingface import HUB, place
from reweightviz.exporters.plan import Numbers, Plan, to_number
from reweightviz.exporters.text import endings, yaml_edit

Entry = Mapping[str, Any]


class HubExporter(Exporter):
    """A framework whose config lists datasets for ``load_dataset``, merged into by entry."""

    by_path = True
    merges = True

    def identify(self, domain: str, paths: Sequence[str], options: Mapping[str, Any]) -> str:
        """The files, or the name of the dataset with its configuration and split."""
        if not paths:
            raise RefusedByFramework(
                framework=self.title,
                reason="needs the files or the dataset name of each domain; sources= has no "
                f"path for {listed([domain])} (Sources.with_paths sets them)",
            )
        found = made(domain, paths, str(options.get("split") or "train"))
        return named(found["path"], found.get("name"), found["split"], found.get("data_files"))

    def guess_domain(self, name: str) -> str:
        """The domain that an entry seems to hold, by what its files share or by the dataset's name."""
        return _guess(name)


def listed_files(data_files: object) -> tuple[str, ...]:
    """The files of an entry, which may be one, a list, or a mapping of splits to either."""
    values = (
        data_files.values()
        if isinstance(data_files, Mapping)
        else [data_files]
        if data_files
        else []
    )
    return tuple(
        str(file)
        for value in values
        for file in (value if isinstance(value, list | tuple) else [value])
    )


def named(
    path: object, config: object = None, split: object = None, data_files: object = None
) -> str:
    """What an entry is told by.

    >>> named("org/web"), named("org/web", "en"), named("org/web", None, "test"), named("json", data_files=["a.jsonl", "b.jsonl"])
    ('org/web', 'org/web:en', 'org/web::test', 'a.jsonl,b.jsonl')
    """
    if data_files:
        return ",".join(listed_files(data_files))
    return ":".join(
        [str(path), str(config or ""), "" if split in (None, "", "train") else str(split)]
    ).rstrip(":")


def made(domain: str, paths: Sequence[str], split: str) -> dict[str, Any]:
    """``path``, ``name``, ``data_files`` and ``split`` of a new entry."""
    return {
        "name" if key == "config" else key: value
        for key, value in place(domain, paths, split).items()
    }


def entries(document: Document, *keys: str) -> list[Entry]:
    """The entries of a list in a config, [] where it is no list of mappings."""
    node = document.at(*keys[:-1]).get(keys[-1])
    return (
        list(node)
        if isinstance(node, list) and all(isinstance(item, Mapping) for item in node)
        else []
    )


def rows(
    root: CommentedMap, keys: Sequence[str], plan: Plan, name_of: Callable[[Entry], str]
) -> Iterator[tuple[str, CommentedMap]]:
    """:func:`yaml_edit.match_entries` for a plan; refuses a list in which an entry stands twice."""
    names = [name_of(item) for item in _inner(root, keys) or [] if isinstance(item, Mapping)]
    twice = [
        name for name in dict.fromkeys(names) if names.count(name) > 1 and name in plan.numbers
    ]
    if twice:
        raise ReweightvizError(
            f"{'.'.join(keys)} of this config has {listed(twice)} more than once: keep "
            "one entry of each."
        )
    return yaml_edit.match_entries(root, keys, plan.numbers, name_of, dropped=plan.dropped_names)


def files(found: Iterable[Entry], name_of: Callable[[Entry], str]) -> dict[str, tuple[str, ...]]:
    """Name to the files of every entry that has any."""
    return {
        name_of(entry): listed_files(entry.get("data_files"))
        for entry in found
        if entry.get("data_files")
    }


def summed(found: Iterable[Entry], name_of: Callable[[Entry], str], key: str) -> Numbers:
    """Name to number; entries of one name add up."""
    numbers: Numbers = {}
    for entry in found:
        numbers[name_of(entry)] = numbers.get(name_of(entry), 0.0) + to_number(entry.get(key))
    return numbers


def faults(numbers: Numbers, what: str) -> tuple[str, ...]:
    """A sentence where numbers on any scale are no mixture."""
    bad = [name for name, value in numbers.items() if not value >= 0]
    if bad:
        return (f"each dataset needs {what}, a number >= 0; that of {listed(bad)} is none.",)
    return () if sum(numbers.values()) > 0 else (f"one dataset at least needs {what} above 0.",)


def _inner(node: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        node = node.get(key) if isinstance(node, Mapping) else None
    return node


def _guess(name: str) -> str:
    """What a name says.

    >>> _guess("data/web-0.jsonl,data/web-1.jsonl"), _guess("data/code/*.parquet"), _guess("org/c4:en"), _guess("org/Hermes-2.5")
    ('web', 'code', 'c4:en', 'Hermes-2.5')
    """
    if HUB.fullmatch(name) and ":" in name:
        return name.rpartition("/")[2]
    letters = takewhile(lambda letters: len(set(letters)) == 1, zip(*name.split(","), strict=False))
    shared = (
        "".join(each[0] for each in letters).rstrip("/-_.0123456789")
        if "," in name
        else name.partition("*")[0].rstrip("/-_.")
    )
    return endings.strip(shared) or name
