"""torchtune: ``datasets[].weight`` of the recipe ``dev/lora_finetune_distributed_multi_dataset``.

It is the only recipe that weights datasets: it draws examples, each dataset by its weight, on any
scale, and cannot pack them. (A list under ``dataset`` is a ConcatDataset, which has no weights.) A
domain is known by its files or by ``org/name:subset:split``. Checked with torchtune 0.6.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reweightviz.core.errors import ReweightvizError, UnknownName, WrongContent, list_names
from reweightviz.exporters.document import Document
from reweightviz.exporters.epochs import Stop
from reweightviz.exporters.frameworks._entries import (
    collect_files,
    find_faults,
    merge_entries,
    read_entries,
    sum_numbers,
)
from reweightviz.exporters.frameworks._foreign import Item
from reweightviz.exporters.frameworks._hub import HubExporter, find_place, name_dataset
from reweightviz.exporters.frameworks._interleave import ONCE
from reweightviz.exporters.frameworks._weights import add_up
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import COPIES, EXAMPLES, TOKENS

__all__ = ["CRITERIA", "CYCLE", "FIRST", "KEYS", "LOSES", "RECIPE", "Torchtune"]


RECIPE = "dev/lora_finetune_distributed_multi_dataset"
KEYS = {"path": "source", "config": "subset"}
"""torchtune's names for arguments of ``load_dataset``."""
CYCLE = "CYCLE_UNTIL_ALL_DATASETS_EXHAUSTED"
LOSES = "ALL_DATASETS_EXHAUSTED"
"""A criterion under which the weights are lost."""
FIRST = "FIRST_DATASET_EXHAUSTED"
CRITERIA = (CYCLE, "CYCLE_FOREVER", FIRST)


class Torchtune(HubExporter):
    """torchtune: `datasets[].weight` of dev recipe `lora_finetune_distributed_multi_dataset`."""

    name = "torchtune"
    title = "torchtune"
    refusing_loader = "OmegaConf"
    units = (EXAMPLES, TOKENS)
    read_only_units = (COPIES,)
    traps = (
        f"of torchtune's recipes only {RECIPE} reads weights, and it draws with seed 0 "
        "whatever the config says.",
    )
    unweighted_traps = ()

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
            return _read_whole(read_entries(document, "dataset"))
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
            stop=_find_stop(document),
            refused=(*find_faults(numbers, "a weight"), *_find_zeros(entries)),
            traps=tuple(_find_traps(document)),
        )

    def recognises(self, document: Document) -> bool:
        """Return whether ``datasets`` holds sources, or ``dataset`` a list of components."""
        for entry in read_entries(document, "datasets"):
            if "source" in entry and {"transform", "weight"} & set(entry):
                return True
        components = [entry.get("_component_") for entry in read_entries(document, "dataset")]
        return bool(components) and all(str(one).startswith("torchtune.") for one in components)


def _read_whole(entries: Sequence[Item]) -> Config:
    """Read a list of components, which a ConcatDataset puts together."""
    names = [_name(one) if "source" in one else str(one.get("_component_")) for one in entries]
    sentence = (
        f"a list under 'dataset' has no weights, torchtune {ONCE} Weights stand in 'datasets', "
        f"for the recipe {RECIPE}."
    )
    # Each as often as it stands there.
    numbers = add_up((name, 1.0) for name in names)
    return Config({0: numbers}, unit=COPIES.key, traps=(sentence,))


def _find_stop(document: Document) -> Stop | None:
    criterion = str(document.at("dataloader").get("stop_criteria"))
    if criterion != FIRST:
        return None
    return Stop(f"stop_criteria: {criterion}", f"{CYCLE} repeats it")


def _find_zeros(entries: Sequence[Item]) -> Iterator[str]:
    never = [_name(entry) for entry in entries if to_number(entry.get("weight")) == 0]
    if never:
        yield f"torchtune refuses a weight of 0 with a ValueError: take {list_names(never)} out."


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
