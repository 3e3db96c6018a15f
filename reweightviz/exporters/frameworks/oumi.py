"""Oumi: ``data.train.datasets[].mixture_proportion`` of a training YAML.

The datasets are interleaved before they are packed, so a proportion is a share of documents;
``sample_count`` cuts or repeats a dataset before that. Without proportions the datasets are put
one after another. Files are JSON lines of Oumi's, one for a domain: ``dataset_path`` beside the
``dataset_name`` of a reader such as "text_sft_jsonl". Checked with oumi 0.9.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reweightviz.core.errors import RefusedByFramework, UnknownName, WrongContent, list_names
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks import _interleave as interleave
from reweightviz.exporters.frameworks._amounts import (
    ROWS,
    Amount,
    AmountExporter,
    count_amounts,
    mention_rows,
)
from reweightviz.exporters.frameworks._entries import merge_entries, read_entries, sum_numbers
from reweightviz.exporters.frameworks._foreign import Item, as_mapping
from reweightviz.exporters.frameworks._hub import find_builder, find_place, name_dataset
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import COPIES, EXAMPLES, TOKENS

__all__ = ["KEYS", "READER", "Oumi"]


KEYS = ("data", "train", "datasets")
READER = "text_sft_jsonl"
"""Oumi's dataset of conversations in JSON lines."""


class Oumi(AmountExporter):
    """Oumi: `data.train.datasets[].mixture_proportion` of a training YAML, a share of examples."""

    name = "oumi"
    aliases = ("oumi-ai",)
    title = "Oumi"
    units = (EXAMPLES, TOKENS)
    read_only_units = (COPIES, ROWS)
    exact = True
    traps = (
        "'first_exhausted', the default, ends with the first dataset that is used up; "
        "'all_exhausted' repeats it and says nothing.",
    )
    unweighted_traps = ()

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        mixture_strategy: str | None = None,
        seed: int = 42,
        split: str = "train",
        dataset_name: str = READER,
    ) -> dict[str, str]:
        """Return the YAML with ``data.train``.

        Args:
            plan: what to write.
            old: a training YAML to merge into.
            mixture_strategy: "first_exhausted" ends with the first dataset that is used up,
                "all_exhausted" repeats it; without it that of the YAML, else the first, or the
                second where the budget asks for more than one epoch of something.
            seed: of the draws, in a new file.
            split: of every new entry.
            dataset_name: the reader of a new entry that is a file.
        """
        train = old.at("data", "train") if old is not None else {}
        strategy = mixture_strategy or train.get("mixture_strategy")
        if strategy not in (None, *interleave.STRATEGIES):
            raise UnknownName(
                kind="mixture_strategy", name=str(strategy), known=interleave.STRATEGIES
            )
        strategy = strategy or interleave.choose_strategy(plan)

        def fill(root: Any) -> None:
            for name, entry in merge_entries(root, KEYS, plan, _name):
                if not entry:
                    domain, _, paths = plan.entries[name]
                    yaml_edit.put_all(entry, _make_entry(domain, paths, split, dataset_name))
                yaml_edit.put(entry, ["mixture_proportion"], plan.numbers[name])
            yaml_edit.put(root, ["data", "train", "mixture_strategy"], strategy)
            if old is None:
                yaml_edit.put(root, ["data", "train", "seed"], whole_number("seed", seed))

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read the proportions; without them each dataset whole, or its ``sample_count``."""
        entries = read_entries(document, *KEYS)
        if not entries or not all("dataset_name" in entry for entry in entries):
            raise WrongContent(
                path=document.path,
                reason="is no mixture for Oumi: it needs data.train.datasets, a list whose "
                "entries have 'dataset_name' and 'mixture_proportion'",
            )
        amounts = self.read_amounts(document)
        without = [_name(one) for one in entries if one.get("mixture_proportion") is None]
        if len(without) == len(entries):
            numbers, unit = count_amounts(amounts, COPIES)
            traps = [*mention_rows(amounts)]
            if len(entries) > 1:
                traps.insert(
                    0,
                    "without mixture_proportion Oumi puts the datasets one after another, each "
                    "once or as many rows as sample_count says.",
                )
            return Config({0: numbers}, unit=unit, traps=tuple(traps))
        train = document.at("data", "train")
        strategy = train.get("mixture_strategy", interleave.STRATEGIES[0])
        setting = f"mixture_strategy: {strategy}"
        numbers = sum_numbers(entries, _name, "mixture_proportion")
        return Config(
            {0: numbers},
            stop=interleave.find_stop(strategy, setting, interleave.STRATEGIES[1]),
            refused=(
                *_find_faults(entries, numbers, without, strategy),
                *interleave.find_never_drawn(numbers, strategy, setting),
            ),
            traps=tuple(_find_traps(train, amounts)),
        )

    def read_amounts(self, document: Document) -> list[Amount]:
        """Return the datasets, each once, or as many rows as ``sample_count`` says."""
        found = []
        for entry in read_entries(document, *KEYS):
            count = entry.get("sample_count")
            value = 1.0 if count is None else to_number(count)
            found.append(Amount(_name(entry), value, count is not None))
        return found

    def recognises(self, document: Document) -> bool:
        """Return whether ``data.train.datasets`` holds datasets by name."""
        entries = read_entries(document, *KEYS)
        return bool(entries) and all("dataset_name" in entry for entry in entries)

    def identify(self, domain: str, paths: Sequence[str], options: Mapping[str, Any]) -> str:
        """Return the one file, or the name of the dataset with its configuration and split."""
        name = super().identify(domain, paths, options)
        if len(paths) != 1:
            raise RefusedByFramework(
                framework=self.title,
                reason=f"reads one file for a dataset; sources= has {list_names(paths, 3)} for "
                f"{list_names([domain])}",
            )
        return name


def _name(entry: Item) -> str:
    if entry.get("dataset_path"):
        return str(entry["dataset_path"])
    # What Oumi has no class for goes to load_dataset, with these keywords.
    files = as_mapping(entry.get("dataset_kwargs")).get("data_files")
    return name_dataset(entry.get("dataset_name"), entry.get("subset"), entry.get("split"), files)


def _make_entry(domain: str, paths: Sequence[str], split: str, dataset_name: str) -> dict[str, Any]:
    if find_builder(paths[0]) is not None:
        return {"dataset_name": dataset_name, "dataset_path": paths[0]}
    return find_place(domain, paths, split, {"path": "dataset_name", "config": "subset"})


def _find_faults(
    entries: Sequence[Item], numbers: Numbers, without: Sequence[str], strategy: object
) -> Iterator[str]:
    shares = [to_number(entry.get("mixture_proportion")) for entry in entries]
    if without:
        yield (
            "Oumi takes mixture_proportion for all datasets or for none; "
            f"{list_names(without)} has none."
        )
    elif not all(share <= 1 for share in shares):
        yield f"mixture_proportion must be a number from 0 to 1; got {list(numbers.values())}."
    elif not math.isclose(math.fsum(shares), 1.0):
        yield f"mixture_proportion must sum to 1; the sum is {math.fsum(shares):.6g}."
    if strategy not in interleave.STRATEGIES:
        yield (
            f"Oumi has no mixture_strategy {strategy!r}; there is "
            f"{list_names(interleave.STRATEGIES)}."
        )


def _find_traps(train: Mapping[str, Any], amounts: Sequence[Amount]) -> Iterator[str]:
    if train.get("seed") is None:
        yield "without data.train.seed Oumi draws another mixture order in each run."
    counted = [amount.name for amount in amounts if amount.is_rows]
    if counted:
        yield f"of {list_names(counted)} only sample_count rows are drawn from."
