"""alignment-handbook: ``dataset_mixture.datasets[].weight``, the fraction that is kept of each.

So shares are not weights there: a weight is ``share * budget / tokens of the dataset``, at most 1.
Without ``tokens=`` the budget is the largest that repeats nothing. A dataset is a name on the Hub
(``org/name:config:split``) or a folder, which is read whole, by ``load_dataset(id, config,
split=split)``; files stand for the folder that they lie in. Checked with the source of July 2025
(925acdf), the newest, which reads ``dataset_mixture`` only; one of its recipes still writes
``dataset_mixer``, which is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from reweightviz.core.errors import RefusedByFramework, ReweightvizError, WrongContent, list_names
from reweightviz.core.sources import Sources
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._entries import find_faults, merge_entries, read_entries
from reweightviz.exporters.frameworks._foreign import Item
from reweightviz.exporters.frameworks._hub import (
    HubExporter,
    find_builder,
    find_place,
    name_dataset,
)
from reweightviz.exporters.frameworks._weights import add_up
from reweightviz.exporters.plan import Config, Entry, Plan, source_paths, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import FRACTION

__all__ = ["KEYS", "AlignmentHandbook"]


KEYS = ("dataset_mixture", "datasets")


class AlignmentHandbook(HubExporter):
    """alignment-handbook: `dataset_mixture.datasets[].weight`, the fraction that is kept."""

    name = "alignment-handbook"
    aliases = ("handbook",)
    title = "alignment-handbook"
    units = (FRACTION,)
    largest_number = 1.0
    repeats_nothing = True
    traps = (
        "a weight of alignment-handbook is the fraction of that dataset which is kept, "
        "not a share; nothing is repeated.",
    )

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        split: str = "train",
        columns: Sequence[str] | None = None,
        seed: int = 0,
    ) -> dict[str, str]:
        """Return the YAML with ``dataset_mixture``.

        Args:
            plan: what to write.
            old: a recipe to merge into.
            split: of every new entry.
            columns: the columns to keep of every new entry; all entries of a mixture must name the
                same.
            seed: which rows are kept, and their order.
        """

        def fill(root: Any) -> None:
            for name, entry in merge_entries(root, KEYS, plan, _name):
                if not entry:
                    domain, _, paths = plan.entries[name]
                    yaml_edit.put_all(entry, _make_entry(domain, paths, split, columns))
                # Rows are cut off, so the last bit of a float counts: 0.37499999999999994 of 600
                # rows are 224.
                yaml_edit.put(entry, ["weight"], min(float(f"{plan.numbers[name]:.15g}"), 1.0))
            if old is None:
                yaml_edit.put(root, ["dataset_mixture", "seed"], whole_number("seed", seed))

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``dataset_mixture.datasets[].weight``; an entry without one keeps all."""
        entries = read_entries(document, *KEYS)
        mixer = document.mapping.get("dataset_mixer")
        if not entries and isinstance(mixer, Mapping):
            sentence = (
                "dataset_mixer is gone from alignment-handbook: it reads dataset_mixture.datasets, "
                "entries with id and weight."
            )
            numbers = {str(name): to_number(weight) for name, weight in mixer.items()}
            return Config({0: numbers}, refused=(sentence,))
        if not entries or not all("id" in entry for entry in entries):
            raise WrongContent(
                path=document.path,
                reason="is no mixture for alignment-handbook: it needs 'dataset_mixture' with "
                "'datasets', a list whose entries have 'id' and 'weight'",
            )
        numbers = add_up((_name(entry), _read_weight(entry)) for entry in entries)
        refused = []
        # alignment-handbook stops at more than 1 with an IndexError; 1 may be off by rounding.
        above = [_name(entry) for entry in entries if _read_weight(entry) > 1 + 1e-9]
        if above:
            refused.append(
                "a weight is the fraction of that dataset to keep, at most 1; that of "
                f"{list_names(above)} is more."
            )
        return Config({0: numbers}, refused=(*refused, *find_faults(numbers, "a weight")))

    def recognises(self, document: Document) -> bool:
        """Return whether there is a ``dataset_mixture``, or its forerunner with its splits."""
        mixer = document.mapping.get("dataset_mixer")
        # open-instruct has a dataset_mixer too, which knows no dataset_splits.
        old = isinstance(mixer, Mapping) and "dataset_splits" in document.mapping
        return bool(read_entries(document, *KEYS)) or old

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Return the entries of the domains.

        Raises:
            ReweightvizError: files of two domains lie in one folder, which would be read whole for
                both.
        """
        owners: dict[str, str] = {}
        for domain in domains:
            for path in source_paths(domain, sources):
                folder = str(PurePosixPath(path).parent)
                if find_builder(path) is not None and owners.setdefault(folder, domain) != domain:
                    raise ReweightvizError(
                        f"{list_names([owners[folder], domain])} would both be read from "
                        f"{folder!r}; each needs a folder of "
                        "its own."
                    )
        return super().make_entries(domains, sources, options)

    def identify(self, domain: str, paths: Sequence[str], options: Mapping[str, Any]) -> str:
        """Return the name of the dataset, or the folder."""
        return super().identify(domain, _find_folder(domain, paths), options)


def _name(entry: Item) -> str:
    return name_dataset(entry.get("id"), entry.get("config"), entry.get("split"))


def _read_weight(entry: Item) -> float:
    weight = entry.get("weight")
    return 1.0 if weight is None else to_number(weight)


def _make_entry(
    domain: str, paths: Sequence[str], split: str, columns: Sequence[str] | None
) -> dict[str, Any]:
    entry = find_place(domain, _find_folder(domain, paths), split, {"path": "id"})
    if columns:
        entry["columns"] = list(columns)
    return entry


def _find_folder(domain: str, paths: Sequence[str]) -> Sequence[str]:
    """Return the folder of a domain's files; the paths themselves where they name datasets.

    Raises:
        RefusedByFramework: other files lie there that ``load_dataset`` would read with them.
    """
    if not paths or any(find_builder(path) is None for path in paths):
        return paths
    folders = {str(PurePosixPath(path).parent) for path in paths}
    folder = folders.pop()
    there: set[str] = set()
    # A pattern stands for files that only the machine that trains may have.
    if "*" not in "".join(paths):
        there = {file.name for file in Path(folder).glob("*") if find_builder(file.name)}
    others = sorted(there - {PurePosixPath(path).name for path in paths})
    if folders or others:
        beside = f"; {list_names(others, 3)} lie beside them" if others else ""
        raise RefusedByFramework(
            framework="alignment-handbook",
            reason=f"loads a folder whole, not files: the files of {domain[:60]!r} must be "
            f"all that lies in one folder{beside}",
        )
    return (folder,)
