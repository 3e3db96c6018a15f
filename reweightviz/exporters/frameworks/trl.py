"""TRL: ``datasets[].fraction`` in the YAML of ``trl sft --config`` and its like.

A fraction is a share of the examples in the result, on any scale. TRL takes the first rows of each
dataset, repeats nothing, and ends where the first dataset would run out; passes over the whole are
``num_train_epochs``. Where every example is packed to one length, ``unit="tokens"`` writes the
weights as they are. A domain is told by its files or by ``org/name:config:split``. Checked with
trl 1.16; older ones have no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reweightviz.core.errors import WrongContent, listed
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks import _hub as hub
from reweightviz.exporters.plan import Config, Plan
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import EXAMPLES, TOKENS


class Trl(hub.HubExporter):
    """TRL: `datasets[].fraction` of a training YAML, share of the examples in a mixture that repeats nothing."""

    name = "trl"
    title = "TRL"
    units = (EXAMPLES, TOKENS)
    repeats_nothing = True
    traps = (
        "TRL puts the datasets one after the other, unshuffled: only the sampler of the "
        "trainer mixes them.",
        "TRL keeps the first rows of each dataset and repeats none: the mixture is as "
        "large as the dataset that is used up first allows.",
    )

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        split: str = "train",
        columns: Sequence[str] | None = None,
    ) -> dict[str, str]:
        """The YAML with ``datasets``.

        Args:
            plan: what to write.
            old: a training config to merge into.
            split: of every new entry.
            columns: the columns to keep of every new entry; what is put together must have the
                same.
        """

        def fill(root: Any) -> None:
            for name, entry in hub.rows(root, ["datasets"], plan, _name):
                if not entry:
                    domain, _, paths = plan.entries[name]
                    yaml_edit.put_all(
                        entry,
                        hub.made(domain, paths, split)
                        | ({"columns": list(columns)} if columns else {}),
                    )
                yaml_edit.put(entry, ["fraction"], plan.numbers[name])

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``datasets[].fraction``."""
        entries = hub.entries(document, "datasets")
        if not entries or not all("path" in entry for entry in entries):
            raise WrongContent(
                path=document.path,
                reason="is no mixture for TRL: it needs 'datasets', a list whose entries have "
                "'path' and 'fraction'",
            )
        absent = [_name(entry) for entry in entries if entry.get("fraction") is None]
        if len(absent) == len(entries):
            sentence = "no dataset has a fraction, so TRL puts them together whole, by their sizes."
            return Config({0: dict.fromkeys(absent, 1.0)}, refused=(sentence,))
        refused = (
            [f"all datasets need a fraction or none; {listed(absent)} have none."] if absent else []
        )
        if document.mapping.get("streaming") is True:
            refused.append("TRL takes no fractions with streaming: true.")
        numbers = hub.summed(
            (entry for entry in entries if _name(entry) not in absent), _name, "fraction"
        )
        return Config(
            {0: numbers},
            paths=hub.files(entries, _name),
            refused=(*refused, *hub.faults(numbers, "a fraction")),
        )

    def recognises(self, document: Document) -> bool:
        """``datasets`` of paths with fractions, or beside what else TRL reads."""
        entries = hub.entries(document, "datasets")
        paths = bool(entries) and all("path" in entry and "type" not in entry for entry in entries)
        return paths and (
            any("fraction" in entry for entry in entries)
            or "model_name_or_path" in document.mapping
        )


def _name(entry: hub.Entry) -> str:
    return hub.named(
        entry.get("path"), entry.get("name"), entry.get("split"), entry.get("data_files")
    )
