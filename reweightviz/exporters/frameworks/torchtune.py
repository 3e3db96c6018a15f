"""torchtune: ``datasets[].weight`` of the recipe ``dev/lora_finetune_distributed_multi_dataset``.

It is the only recipe that weights datasets: it draws examples, each dataset by its weight, on any
scale, and cannot pack them. (A list under ``dataset`` is a ConcatDataset, which has no weights.) A
domain is known by its files or by ``org/name:subset:split``. Checked with torchtune 0.6.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reweightviz.core.errors import ReweightvizError, UnknownName, WrongContent
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._entries import (
    collect_files,
    find_faults,
    merge_entries,
    read_entries,
    sum_numbers,
)
from reweightviz.exporters.frameworks._foreign import Item
from reweightviz.exporters.frameworks._hub import HubExporter, find_place, name_dataset
from reweightviz.exporters.plan import Config, Plan
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import EXAMPLES, TOKENS

__all__ = ["CRITERIA", "CYCLE", "KEYS", "LOSES", "RECIPE", "Torchtune"]


RECIPE = "dev/lora_finetune_distributed_multi_dataset"
KEYS = {"path": "source", "config": "subset"}
"""torchtune's names for arguments of ``load_dataset``."""
CYCLE = "CYCLE_UNTIL_ALL_DATASETS_EXHAUSTED"
LOSES = "ALL_DATASETS_EXHAUSTED"
"""A criterion under which the weights are lost."""
CRITERIA = (CYCLE, "CYCLE_FOREVER", "FIRST_DATASET_EXHAUSTED")


class Torchtune(HubExporter):
    """torchtune: `datasets[].weight` of dev recipe `lora_finetune_distributed_multi_dataset`."""

    name = "torchtune"
    title = "torchtune"
    refusing_loader = "OmegaConf"
    units = (EXAMPLES, TOKENS)
    traps = (
        f"of torchtune's recipes only {RECIPE} reads weights, and it draws with seed 0 "
        "whatever the config says.",
    )

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        split: str = "train",
        transform: str = "torchtune.data.OpenAIToMessages",
        stop_criteria: str | None = None,
    ) -> dict[str, str]:
        """Return the YAML with ``datasets`` and ``dataloader``.

        Args:
            plan: what to write.
            old: a config of that recipe to merge into.
            split: of every new entry.
            transform: the component that makes messages of a row, for every new entry.
            stop_criteria: when a pass over the data ends; "CYCLE_UNTIL_ALL_DATASETS_EXHAUSTED" in
                a new file.
        """
        _check_stop_criteria(stop_criteria)

        def fill(root: Any) -> None:
            if old is None:
                loader = {"shuffle": True, "collate_fn": "torchtune.data.padded_collate_sft"}
                yaml_edit.put(root, ["dataloader"], loader)
            if old is None or stop_criteria:
                yaml_edit.put(root, ["dataloader", "stop_criteria"], stop_criteria or CYCLE)
            for name, entry in merge_entries(root, ["datasets"], plan, _name):
                if not entry:
                    domain, _, paths = plan.entries[name]
                    place = find_place(domain, paths, split, KEYS)
                    yaml_edit.put_all(entry, place | {"transform": {"_component_": transform}})
                yaml_edit.put(entry, ["weight"], plan.numbers[name])

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``datasets[].weight``."""
        entries = read_entries(document, "datasets")
        if not entries and read_entries(document, "dataset"):
            sentence = (
                "a list under 'dataset' is put together whole by torchtune: weights stand in "
                f"'datasets', for the recipe {RECIPE}."
            )
            return Config({0: {}}, refused=(sentence,))
        if not entries or not all("source" in entry for entry in entries):
            raise WrongContent(
                path=document.path,
                reason="is no mixture for torchtune: it needs 'datasets', a list whose "
                "entries have 'source' and 'weight'",
            )
        numbers = sum_numbers(entries, _name, "weight")
        return Config(
            {0: numbers},
            paths=collect_files(entries, _name),
            refused=find_faults(numbers, "a weight"),
            traps=tuple(_find_traps(document)),
        )

    def recognises(self, document: Document) -> bool:
        """Return whether ``datasets`` holds sources, or ``dataset`` a list of components."""
        for entry in read_entries(document, "datasets"):
            if "source" in entry and {"transform", "weight"} & set(entry):
                return True
        components = [entry.get("_component_") for entry in read_entries(document, "dataset")]
        return bool(components) and all(str(one).startswith("torchtune.") for one in components)


def _name(entry: Item) -> str:
    return name_dataset(
        entry.get("source"), entry.get("subset"), entry.get("split"), entry.get("data_files")
    )


def _check_stop_criteria(stop_criteria: str | None) -> None:
    if stop_criteria == LOSES:
        raise ReweightvizError(
            f"stop_criteria={LOSES!r} loses the weights, it ends at the sizes of the "
            f"datasets: use {CYCLE!r}."
        )
    if stop_criteria is not None and stop_criteria not in CRITERIA:
        raise UnknownName(kind="stop_criteria of torchtune", name=stop_criteria, known=CRITERIA)


def _find_traps(document: Document) -> Iterator[str]:
    if str(document.at("dataloader").get("stop_criteria")) == LOSES:
        yield (
            f"stop_criteria: {LOSES} goes on without the datasets that are used up, "
            "so it ends at their sizes."
        )
