"""alignment-handbook: ``dataset_mixture.datasets[].weight``, the fraction of that dataset which is kept.

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

from reweightviz.core.errors import RefusedByFramework, ReweightvizError, WrongContent, listed
from reweightviz.core.sources import Sources
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks import _hub as hub
from reweightviz.exporters.frameworks.huggingface import builder
from reweightviz.exporters.plan import Config, Entry, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import FRACTION

KEYS = ("dataset_mixture", "datasets")


class AlignmentHandbook(hub.HubExporter):
    """alignment-handbook: `dataset_mixture.datasets[].weight` of a recipe, the fraction of each dataset that is kept."""

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
        """The YAML with ``dataset_mixture``.

        Args:
            plan: what to write.
            old: a recipe to merge into.
            split: of every new entry.
            columns: the columns to keep of every new entry; all entries of a mixture must name the
                same.
            seed: which rows are kept, and their order.
        """

        def fill(root: Any) -> None:
            for name, entry in hub.rows(root, KEYS, plan, _name):
                if not entry:
                    domain, _, paths = plan.entries[name]
                    yaml_edit.put_all(
                        entry,
                        _made(domain, _folder(domain, paths), split)
                        | ({"columns": list(columns)} if columns else {}),
                    )
                # Rows are cut off, so the last bit of a float counts: 0.37499999999999994 of 600
                # rows are 224.
                yaml_edit.put(entry, ["weight"], min(float(f"{plan.numbers[name]:.15g}"), 1.0))
            if old is None:
                yaml_edit.put(root, ["dataset_mixture", "seed"], whole_number("seed", seed))

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``dataset_mixture.datasets[].weight``; the whole dataset where there is none."""
        entries, mixer = hub.entries(document, *KEYS), document.mapping.get("dataset_mixer")
        if not entries and isinstance(mixer, Mapping):
            sentence = "dataset_mixer is gone from alignment-handbook: it reads dataset_mixture.datasets, entries with id and weight."
            return Config(
                {0: {str(name): to_number(weight) for name, weight in mixer.items()}},
                refused=(sentence,),
            )
        if not entries or not all("id" in entry for entry in entries):
            raise WrongContent(
                path=document.path,
                reason="is no mixture for alignment-handbook: it needs 'dataset_mixture' with "
                "'datasets', a list whose entries have 'id' and 'weight'",
            )
        kept = [
            {**entry, "weight": 1.0 if entry.get("weight") is None else entry["weight"]}
            for entry in entries
        ]
        above = [_name(entry) for entry in kept if to_number(entry["weight"]) > 1 + 1e-9]
        refused = (
            (
                "a weight is the fraction of that dataset to keep, at most 1; that of "
                f"{listed(above)} is more.",
            )
            if above
            else ()
        )
        numbers = hub.summed(kept, _name, "weight")
        return Config({0: numbers}, refused=refused + hub.faults(numbers, "a weight"))

    def recognises(self, document: Document) -> bool:
        """``dataset_mixture``, or the ``dataset_mixer`` that it once was."""
        return bool(hub.entries(document, *KEYS)) or isinstance(
            document.mapping.get("dataset_mixer"), Mapping
        )

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """As everywhere; files of two domains in one folder are refused, which would be read whole for both."""
        owners: dict[str, str] = {}
        for domain in domains:
            for path in sources[domain].paths if sources is not None and domain in sources else ():
                folder = str(PurePosixPath(path).parent)
                if builder(path) is not None and owners.setdefault(folder, domain) != domain:
                    raise ReweightvizError(
                        f"{listed([owners[folder], domain])} would both be read from "
                        f"{folder!r}; each needs a folder of "
                        "its own."
                    )
        return super().make_entries(domains, sources, options)

    def identify(self, domain: str, paths: Sequence[str], options: Mapping[str, Any]) -> str:
        """The name of the dataset, or the folder."""
        return super().identify(domain, _folder(domain, paths), options)


def _name(entry: hub.Entry) -> str:
    return hub.named(entry.get("id"), entry.get("config"), entry.get("split"))


def _made(domain: str, paths: Sequence[str], split: str) -> dict[str, Any]:
    found = hub.made(domain, paths, split)
    return (
        {"id": found["path"]}
        | ({"config": found["name"]} if "name" in found else {})
        | {"split": found["split"]}
    )


def _folder(domain: str, paths: Sequence[str]) -> Sequence[str]:
    """The folder of a domain's files, where nothing else lies there that ``load_dataset`` would read."""
    if not paths or any(builder(path) is None for path in paths):
        return paths
    folders = {str(PurePosixPath(path).parent) for path in paths}
    folder = folders.pop()
    there = (
        [path.name for path in Path(folder).glob("*") if builder(path.name) is not None]
        if "*" not in "".join(paths)
        else []
    )
    others = sorted(set(there) - {PurePosixPath(path).name for path in paths})
    if folders or others:
        beside = f"; {listed(others, 3)} lie beside them" if others else ""
        raise RefusedByFramework(
            framework="alignment-handbook",
            reason=f"loads a folder whole, not files: the files of {domain[:60]!r} must be "
            f"all that lies in one folder{beside}",
        )
    return (folder,)
