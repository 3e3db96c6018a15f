"""TRL: ``datasets[].fraction`` in the YAML of ``trl sft --config`` and its like.

A fraction is a share of the examples in the result, on any scale. TRL takes the first rows of each
dataset, repeats nothing, and ends where the first dataset would run out; passes over the whole are
``num_train_epochs``. Where every example is packed to one length, ``unit="tokens"`` writes the
weights as they are. A domain is known by its files or by ``org/name:config:split``. Checked with
trl 1.16; older ones have no weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from reweightviz.core.errors import WrongContent, list_names
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
from reweightviz.exporters.plan import Config, Plan
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import COPIES, EXAMPLES, TOKENS

__all__ = ["UNSHUFFLED", "Trl"]


UNSHUFFLED = (
    "TRL puts the datasets one after the other, unshuffled: only the sampler of the trainer mixes "
    "them."
)


class Trl(HubExporter):
    """TRL: `datasets[].fraction` of a training YAML, a share of examples; nothing is repeated."""

    name = "trl"
    title = "TRL"
    units = (EXAMPLES, TOKENS)
    read_only_units = (COPIES,)
    repeats_nothing = True
    traps = (
        UNSHUFFLED,
        "TRL keeps the first rows of each dataset and repeats none: the mixture is as "
        "large as the dataset that is used up first allows.",
    )
    unweighted_traps = (UNSHUFFLED,)

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        split: str = "train",
        columns: Sequence[str] | None = None,
    ) -> dict[str, str]:
        """Return the YAML with ``datasets``.

        Args:
            plan: what to write.
            old: a training config to merge into.
            split: of every new entry.
            columns: the columns to keep of every new entry; what is put together must have the
                same.
        """

        def fill(root: Any) -> None:
            for name, entry in merge_entries(root, ["datasets"], plan, _name):
                if not entry:
                    domain, _, paths = plan.entries[name]
                    yaml_edit.put_all(entry, _make_entry(domain, paths, split, columns))
                yaml_edit.put(entry, ["fraction"], plan.numbers[name])

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``datasets[].fraction``."""
        entries = read_entries(document, "datasets")
        if not entries or not all("path" in entry for entry in entries):
            raise WrongContent(
                path=document.path,
                reason="is no mixture for TRL: it needs 'datasets', a list whose entries have "
                "'path' and 'fraction'",
            )
        absent = [_name(entry) for entry in entries if entry.get("fraction") is None]
        if len(absent) == len(entries):
            # Each as often as it stands there.
            return Config(
                {0: add_up((name, 1.0) for name in absent)},
                unit=COPIES.key,
                paths=collect_files(entries, _name),
                traps=(f"without fractions TRL {ONCE}", *_find_order_traps(document)),
            )
        refused = []
        if absent:
            refused.append(f"all datasets need a fraction or none; {list_names(absent)} have none.")
        if document.mapping.get("streaming") is True:
            refused.append("TRL takes no fractions with streaming: true.")
        weighted = [entry for entry in entries if _name(entry) not in absent]
        numbers = sum_numbers(weighted, _name, "fraction")
        return Config(
            {0: numbers},
            paths=collect_files(entries, _name),
            stop=Stop("TRL, which repeats nothing,"),
            refused=(*refused, *find_faults(numbers, "a fraction")),
            traps=tuple(_find_order_traps(document)),
        )

    def recognises(self, document: Document) -> bool:
        """Return whether ``datasets`` holds paths with fractions, or stands beside TRL's keys."""
        entries = read_entries(document, "datasets")
        # Axolotl lists paths too, but each with a type.
        if not entries or not all("path" in entry and "type" not in entry for entry in entries):
            return False
        weighted = any("fraction" in entry for entry in entries)
        return weighted or "model_name_or_path" in document.mapping


def _find_order_traps(document: Document) -> Iterator[str]:
    if document.mapping.get("train_sampling_strategy") == "sequential":
        yield (
            "train_sampling_strategy 'sequential' trains on one dataset after the other: leave it "
            "at 'random', which mixes them."
        )


def _name(entry: Item) -> str:
    return name_dataset(
        entry.get("path"), entry.get("name"), entry.get("split"), entry.get("data_files")
    )


def _make_entry(
    domain: str, paths: Sequence[str], split: str, columns: Sequence[str] | None
) -> dict[str, Any]:
    # The second argument of load_dataset is called name, not config.
    entry = find_place(domain, paths, split, {"config": "name"})
    if columns:
        entry["columns"] = list(columns)
    return entry
