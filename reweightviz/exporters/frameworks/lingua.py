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

from reweightviz.core.errors import RefusedByFramework, ReweightvizError, WrongContent, listed
from reweightviz.core.sources import Sources
from reweightviz.exporters import provenance
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks.levanter import idle
from reweightviz.exporters.plan import Config, Entry, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import EXAMPLES, TOKENS

CHUNK = re.compile(r".*\.chunk\..*\.jsonl")
"""The files that Lingua looks for in the folder of a source."""
BESIDE = {"root_dir", "tokenizer", "n_views", "prefetch_size", "load_async"}
"""Keys of Lingua's data, by which it is told from other configs with ``data.sources``."""


class Lingua(Exporter):
    """Lingua: `data.sources` of the training YAML, the documents of each sub-folder of `data.root_dir`."""

    name = "lingua"
    aliases = ("meta-lingua",)
    title = "Lingua"
    units = (EXAMPLES, TOKENS)
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
        """The YAML with ``data.root_dir`` and ``data.sources``.

        Args:
            plan: what to write.
            old: a training YAML to merge into.
            root_dir: the folder that holds those of all sources; what the config says, else what
                the paths of sources= have in common, else "data".
        """
        data = old.at("data") if old is not None else {}
        there = data.get("root_dir")
        common = _common(
            [folder for entry in plan.entries.values() for folder in _folders(entry.paths)]
        )
        root = root_dir or common or str(there or "data")
        if there and not root_dir and posixpath.normpath(str(there)) != root and common:
            raise ReweightvizError(
                f"the folders of sources= lie in {root!r}, but root_dir of this config is "
                f"{there!r}: "
                "pass root_dir=, which changes it, or the paths that belong to it."
            )

        def fill(content: Any) -> None:
            if root_dir or not there:
                yaml_edit.put(content, ["data", "root_dir"], root)
            yaml_edit.put(
                content, ["data", "sources"], plan.numbers | idle(data.get("sources"), plan)
            )

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``data.sources``."""
        data = document.at("data")
        sources = data.get("sources")
        if not isinstance(sources, Mapping) or not sources:
            raise WrongContent(
                path=document.path,
                reason="has no data.sources: it must map sub-folders of data.root_dir to weights",
            )
        numbers = {str(name): to_number(value) for name, value in sources.items()}
        bad = [name for name, value in numbers.items() if not value >= 0]
        refused = (
            [f"data.sources must be numbers >= 0; those of {listed(bad)} are not."] if bad else []
        )
        if not bad and not sum(numbers.values()):
            refused.append("at least one weight of data.sources must be above 0.")
        if not data.get("root_dir"):
            refused.append("data.root_dir is not set, so Lingua finds no source.")
        paths = {name: [posixpath.join(str(data.get("root_dir") or ""), name)] for name in numbers}
        return Config({0: numbers}, paths=paths, refused=tuple(refused))

    def recognises(self, document: Document) -> bool:
        """``data.sources`` with weights, beside ``root_dir`` or what else stands in Lingua's configs."""
        weights = [to_number(value) for value in document.at("data", "sources").values()]
        return any(value >= 0 for value in weights) and bool(
            BESIDE & set(document.at("data")) or "dump_dir" in document.mapping
        )

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Folder below the root to domain: that of the paths, else the name of the domain, or its slug."""
        paths = {
            domain: sources[domain].paths if sources is not None and domain in sources else ()
            for domain in domains
        }
        several = [domain for domain in domains if len(_folders(paths[domain])) > 1]
        if several:
            raise RefusedByFramework(
                framework="Lingua",
                reason=f"reads one folder a source; sources= has more for {listed(several)}",
            )
        folders = {domain: _folders(found)[0] for domain, found in paths.items() if found}
        names = _below(folders, options.get("root_dir"))
        found: dict[str, Entry] = {}
        for domain in domains:
            taken = {name.lower() for name in (*found, *names.values())}
            name = names.get(domain) or (
                domain
                if re.fullmatch(self.name_pattern, domain)
                else provenance.slug(domain, taken)
            )
            if name in found:
                raise ReweightvizError(
                    f"{listed([found[name].domain, domain])} have one folder, {name!r}; "
                    "each needs its own."
                )
            found[name] = Entry(domain, 1.0, tuple(paths[domain]))
        return found


def _folders(paths: Sequence[str]) -> list[str]:
    """The folders that paths name; a chunk file stands for the folder that it lies in."""
    folders = [
        posixpath.dirname(path) if CHUNK.fullmatch(posixpath.basename(path)) else path
        for path in paths
    ]
    return list(dict.fromkeys(posixpath.normpath(folder) for folder in folders))


def _common(folders: Sequence[str]) -> str | None:
    """The folder that all lie in; None where there are no folders, or none such."""
    try:
        return posixpath.commonpath([posixpath.dirname(folder) for folder in folders]) or "."
    except ValueError:
        return None


def _below(folders: Mapping[str, str], root: str | None) -> dict[str, str]:
    """Domain to its folder below the root, which all must have in common."""
    remote = [domain for domain, folder in folders.items() if ":/" in folder]
    if remote:
        raise RefusedByFramework(
            framework="Lingua",
            reason=f"reads local folders; the path of {listed(remote)} is remote",
        )
    common = posixpath.normpath(root) if root else _common(list(folders.values()))
    names = {
        domain: posixpath.relpath(folder, common)
        for domain, folder in folders.items()
        if common is not None
    }
    outside = [
        domain
        for domain in folders
        if names.get(domain, "..").startswith("..") or names[domain] == "."
    ]
    if outside:
        raise ReweightvizError(
            "the folders of all sources must lie in one root_dir; that of "
            f"{listed(outside)} does not "
            f"lie in {common or 'the folder of the others'!r}."
        )
    return names
