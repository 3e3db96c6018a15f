"""torchtune: ``datasets[].weight`` of the recipe ``dev/lora_finetune_distributed_multi_dataset``.

It is the only recipe that weights datasets: it draws examples, each dataset by its weight, on any
scale, and cannot pack them. (A list under ``dataset`` is a ConcatDataset, which has no weights.) A
domain is told by its files or by ``org/name:subset:split``. Checked with torchtune 0.6.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reweightviz.core.errors import ReweightvizError, UnknownName, WrongContent
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks import _hub as hub
from reweightviz.exporters.plan import Config, Plan
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import EXAMPLES, TOKENS

RECIPE = "dev/lora_finetune_distributed_multi_dataset"
CYCLE, LOSES = "CYCLE_UNTIL_ALL_DATASETS_EXHAUSTED", "ALL_DATASETS_EXHAUSTED"
CRITERIA = (CYCLE, "CYCLE_FOREVER", "FIRST_DATASET_EXHAUSTED")


class Torchtune(hub.HubExporter):
    """torchtune: `datasets[].weight` of the dev recipe `lora_finetune_distributed_multi_dataset`, which draws examples."""

    name = "torchtune"
    title = "torchtune"
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
        """The YAML with ``datasets`` and ``dataloader``.

        Args:
            plan: what to write.
            old: a config of that recipe to merge into.
            split: of every new entry.
            transform: the component that makes messages of a row, for every new entry.
            stop_criteria: when a pass over the data ends; "CYCLE_UNTIL_ALL_DATASETS_EXHAUSTED" in
                a new file.
        """
        if stop_criteria == LOSES:
            raise ReweightvizError(
                f"stop_criteria={LOSES!r} loses the weights, it ends at the sizes of the "
                f"datasets: use {CYCLE!r}."
            )
        if stop_criteria is not None and stop_criteria not in CRITERIA:
            raise UnknownName(kind="stop_criteria of torchtune", name=stop_criteria, known=CRITERIA)

        def fill(root: Any) -> None:
            if old is None:
                yaml_edit.put(
                    root,
                    ["dataloader"],
                    {"shuffle": True, "collate_fn": "torchtune.data.padded_collate_sft"},
                )
            if old is None or stop_criteria:
                yaml_edit.put(root, ["dataloader", "stop_criteria"], stop_criteria or CYCLE)
            for name, entry in hub.rows(root, ["datasets"], plan, _name):
                if not entry:
                    domain, _, paths = plan.entries[name]
                    renamed = {"path": "source", "name": "subset"}
                    found = {
                        renamed.get(key, key): value
                        for key, value in hub.made(domain, paths, split).items()
                    }
                    yaml_edit.put_all(entry, found | {"transform": {"_component_": transform}})
                yaml_edit.put(entry, ["weight"], plan.numbers[name])

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``datasets[].weight``."""
        entries, config = hub.entries(document, "datasets"), document.mapping
        if not entries and hub.entries(document, "dataset"):
            sentence = f"a list under 'dataset' is put together whole by torchtune: weights stand in 'datasets', for the recipe {RECIPE}."
            return Config({0: {}}, refused=(sentence,))
        if not entries or not all("source" in entry for entry in entries):
            raise WrongContent(
                path=document.path,
                reason="is no mixture for torchtune: it needs 'datasets', a list whose "
                "entries have 'source' and 'weight'",
            )
        numbers = hub.summed(entries, _name, "weight")
        loader = config.get("dataloader")
        lost = isinstance(loader, Mapping) and str(loader.get("stop_criteria")) == LOSES
        traps = (
            (
                f"stop_criteria: {LOSES} goes on without the datasets that are used up, "
                "so it ends at their sizes.",
            )
            if lost
            else ()
        )
        return Config(
            {0: numbers},
            paths=hub.files(entries, _name),
            refused=hub.faults(numbers, "a weight"),
            traps=traps,
        )

    def recognises(self, document: Document) -> bool:
        """``datasets`` with sources, or a list of components under ``dataset``."""
        plain = hub.entries(document, "dataset")
        return any(
            "source" in entry and {"transform", "weight"} & set(entry)
            for entry in hub.entries(document, "datasets")
        ) or (
            bool(plain)
            and all(str(entry.get("_component_")).startswith("torchtune.") for entry in plain)
        )


def _name(entry: hub.Entry) -> str:
    return hub.named(
        entry.get("source"), entry.get("subset"), entry.get("split"), entry.get("data_files")
    )
