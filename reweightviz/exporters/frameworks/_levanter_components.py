"""Levanter's components: what each trains on, files by URL or a dataset of the Hub."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from reweightviz.core.errors import list_names, warn
from reweightviz.exporters.frameworks._foreign import as_list, as_mapping
from reweightviz.exporters.text import endings

__all__ = ["FILE", "HUB", "lacks_files", "make_component", "read_paths", "warn_of_places"]


FILE = re.compile(r"[^$]*\.(json|jsonl|parquet|txt)(\.\w+)?")
"""A file that Levanter reads, which goes by the last two endings and fills in no variables."""
HUB = re.compile(r"(\w[\w.-]*(?:/[\w.-]+)?)(?::([\w.-]+))?")
"""A dataset of the Hub and its configuration, ``org/name:en``; Levanter takes its train split."""


def make_component(paths: Sequence[str], key: str) -> dict[str, Any]:
    """Return a component that reads the paths, as it stands under ``components`` or ``configs``."""
    hub = _find_dataset(paths)
    source: dict[str, Any] = {"train_urls": list(paths)}
    if hub:
        source = {part: value for part, value in hub.items() if value}
    if key == "configs":
        return source
    return {"type": "cached", "source": {"type": "hf" if hub else "url"} | source}


def read_paths(component: object) -> list[str]:
    """Return the files or the dataset of a component."""
    source = _read_source(component)
    if source.get("id"):
        return [":".join(str(source[part]) for part in ("id", "name") if source.get(part))]
    return [str(url) for url in as_list(source.get("train_urls"))]


def lacks_files(component: object) -> bool:
    """Return whether a component has nothing to train on: no URL, and no cache made of them."""
    source = _read_source(component)
    by_url = "train_urls" in source or source.get("type") == "url"
    cached = as_mapping(component).get("cache_dir")
    return by_url and not read_paths(component) and not cached


def warn_of_places(new: Mapping[str, Sequence[str]]) -> None:
    """Warn of new components without files, or with what Levanter does not read.

    Args:
        new: name to paths.
    """
    bare = [name for name, paths in new.items() if not paths]
    if bare:
        warn(
            f"this config of Levanter has no files yet for {list_names(bare)}: give paths in "
            "sources=, or fill train_urls."
        )
    odd: list[str] = []
    for paths in new.values():
        if _find_dataset(paths) is None:
            odd += [path for path in paths if not FILE.fullmatch(path)]
    if odd:
        warn(
            "Levanter reads files that end in .json, .jsonl, .parquet or .txt, and "
            "datasets of the Hub as org/name or org/name:config; "
            f"{list_names(odd, 4)} is neither: name the files, such as /data/web/*.jsonl.gz."
        )


def _read_source(component: object) -> Mapping[str, Any]:
    # Under configs the keys of the source stand in the component itself.
    fields = as_mapping(component)
    return as_mapping(fields.get("source", fields))


def _find_dataset(paths: Sequence[str]) -> dict[str, str | None] | None:
    """Return name and configuration of the only path, where that is a dataset of the Hub."""
    if len(paths) != 1 or endings.is_data_file(paths[0]):
        return None
    found = HUB.fullmatch(paths[0])
    return {"id": found[1], "name": found[2]} if found else None
