"""Lingua (Meta): ``data.sources`` of the training YAML, sub-folder of ``data.root_dir`` to weight.

Lingua draws the source of each document, before it tokenises and packs: a weight is a share of
documents. A source that is read to its end begins again. Checked with facebookresearch/lingua
437d680.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

from reweightviz.core.errors import RefusedByFramework, ReweightvizError, WrongContent, list_names
from reweightviz.core.sources import Sources
from reweightviz.exporters import provenance
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._foreign import as_mapping
from reweightviz.exporters.frameworks._weights import find_idle, find_invalid
from reweightviz.exporters.plan import Config, Entry, Plan, source_paths, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import EXAMPLES, TOKENS

__all__ = ["BESIDE", "CHUNK", "Lingua"]


CHUNK = re.compile(r".*\.chunk\..*\.jsonl")
"""The files that Lingua looks for in the folder of a source."""
BESIDE = {"root_dir", "tokenizer", "n_views", "prefetch_size", "load_async"}
"""Keys of Lingua's data, by which it is known from other configs with ``data.sources``."""


class Lingua(Exporter):
    """Lingua: `data.sources` of the training YAML, documents of each sub-folder of `root_dir`."""

    name = "lingua"
    aliases = ("meta-lingua",)
    title = "Lingua"
    on_command_line = True
    refusing_loader = "OmegaConf"
    units = (EXAMPLES, TOKENS)
    # A name is a folder below the root, so it must not climb out of it.
    name_pattern = r"(?!.*\.$)[\w.-]{1,100}"
    merges = True
    traps = (
        "Lingua repeats a source that is read to its end, as often as its weight asks, "
        "and says nothing.",
        "Lingua reads as many chunk files of a source as there are data-parallel ranks, "
        "and leaves out the others.",
    )

    def render(
        self, plan: Plan, old: Document | None, *, root_dir: str | None = None
    ) -> dict[str, str]:
        """Return the YAML with ``data.root_dir`` and ``data.sources``.

        Args:
            plan: what to write.
            old: a training YAML to merge into.
            root_dir: the folder that holds those of all sources; the config's own, else what
                the paths of sources= have in common, else "data".
        """
        data: Mapping[str, Any] = {}
        if old is not None:
            data = old.at("data")
        there = data.get("root_dir")
        folders: list[str] = []
        for entry in plan.entries.values():
            folders += _find_folders(entry.paths)
        common = _find_common(folders)
        root = root_dir or common or str(there or "data")
        if there and common and not root_dir and posixpath.normpath(str(there)) != root:
            raise ReweightvizError(
                f"the folders of sources= lie in {root!r}, but root_dir of this config is "
                f"{there!r}: "
                "pass root_dir=, which changes it, or the paths that belong to it."
            )

        def fill(content: Any) -> None:
            if root_dir or not there:
                yaml_edit.put(content, ["data", "root_dir"], root)
            sources = plan.numbers | find_idle(data.get("sources"), plan)
            yaml_edit.put(content, ["data", "sources"], sources)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``data.sources``."""
        data = document.at("data")
        sources = as_mapping(data.get("sources"))
        if not sources:
            raise WrongContent(
                path=document.path,
                reason="has no data.sources: it must map sub-folders of data.root_dir to weights",
            )
        numbers = {str(name): to_number(value) for name, value in sources.items()}
        refused = []
        bad = find_invalid(numbers)
        if bad:
            refused.append(
                f"data.sources must be numbers >= 0; those of {list_names(bad)} are not."
            )
        elif not sum(numbers.values()):
            refused.append("at least one weight of data.sources must be above 0.")
        if not data.get("root_dir"):
            refused.append("data.root_dir is not set, so Lingua finds no source.")
        root = str(data.get("root_dir") or "")
        paths = {name: [posixpath.join(root, name)] for name in numbers}
        return Config({0: numbers}, paths=paths, refused=tuple(refused))

    def recognises(self, document: Document) -> bool:
        """Return whether ``data.sources`` has weights, beside another key of Lingua's."""
        weights = [to_number(value) for value in document.at("data", "sources").values()]
        own = BESIDE & set(document.at("data")) or "dump_dir" in document.mapping
        return any(value >= 0 for value in weights) and bool(own)

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Return folder below the root to domain; without paths it is named by the domain."""
        paths = {domain: source_paths(domain, sources) for domain in domains}
        several = [domain for domain in domains if len(_find_folders(paths[domain])) > 1]
        if several:
            raise RefusedByFramework(
                framework="Lingua",
                reason=f"reads one folder a source; sources= has more for {list_names(several)}",
            )
        folders = {domain: _find_folders(found)[0] for domain, found in paths.items() if found}
        below = _find_below(folders, options.get("root_dir"))
        found: dict[str, Entry] = {}
        for domain in domains:
            name = below.get(domain)
            if name is None and re.fullmatch(self.name_pattern, domain):
                name = domain
            if name is None:
                taken = {name.lower() for name in (*found, *below.values())}
                name = provenance.slug(domain, taken)
            if name in found:
                raise ReweightvizError(
                    f"{list_names([found[name].domain, domain])} have one folder, {name!r}; "
                    "each needs its own."
                )
            found[name] = Entry(domain, 1.0, paths[domain])
        return found


def _find_folders(paths: Sequence[str]) -> list[str]:
    """Return the folders that paths name; a chunk file stands for the folder that it lies in."""
    folders = []
    for path in paths:
        folder, file = posixpath.split(path)
        if not CHUNK.fullmatch(file):
            folder = path
        # posixpath, for the config is read on the machine that trains, not on this one.
        folders.append(posixpath.normpath(folder))
    return list(dict.fromkeys(folders))


def _find_common(folders: Sequence[str]) -> str | None:
    """Return the folder that all lie in; None where there are no folders, or none such."""
    try:
        return posixpath.commonpath([posixpath.dirname(folder) for folder in folders]) or "."
    except ValueError:
        return None


def _find_below(folders: Mapping[str, str], root_dir: str | None) -> dict[str, str]:
    """Return domain to its folder below the root, which all must have in common."""
    remote = [domain for domain, folder in folders.items() if ":/" in folder]
    if remote:
        raise RefusedByFramework(
            framework="Lingua",
            reason=f"reads local folders; the path of {list_names(remote)} is remote",
        )
    root = _find_common(list(folders.values()))
    if root_dir:
        root = posixpath.normpath(root_dir)
    names: dict[str, str] = {}
    if root is not None:
        names = {domain: posixpath.relpath(folder, root) for domain, folder in folders.items()}
    # The root itself is no folder below it.
    outside = [
        domain
        for domain in folders
        if names.get(domain, ".") == "." or names[domain].startswith("..")
    ]
    if outside:
        raise ReweightvizError(
            "the folders of all sources must lie in one root_dir; that of "
            f"{list_names(outside)} does not "
            f"lie in {root or 'the folder of the others'!r}."
        )
    return names
