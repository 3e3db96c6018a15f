"""Megatron-Energon: the blend of a MetadatasetV2, which NeMo reads for data of several kinds.

Energon draws samples, so a weight is a share of examples, unless its task encoder packs them. Read
from the source of Megatron-Energon at bef8be2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reweightviz.core.errors import WrongContent, list_names
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._foreign import Item, as_entries
from reweightviz.exporters.frameworks._weights import find_not_positive
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import EXAMPLES, TOKENS

__all__ = ["Energon"]


class Energon(Exporter):
    """Megatron-Energon: the `blend` of the training split of a MetadatasetV2."""

    name = "nemo"
    title = "Megatron-Energon"
    units = (EXAMPLES, TOKENS)
    by_path = True
    merges = True
    suffix = ".yaml"
    traps = (
        "Energon repeats a dataset that is used up, as often as its weight asks, and says nothing.",
    )

    def render(self, plan: Plan, old: Document | None, *, form: str = "energon") -> dict[str, str]:
        """Return the YAML.

        Args:
            plan: what to write.
            old: a Metadataset to merge into.
            form: "energon".
        """
        # The first version of a Metadataset calls the list datasets.
        key = "blend"
        if old is not None and "datasets" in old.at("splits", "train"):
            key = "datasets"

        def fill(root: Any) -> None:
            if old is None:
                yaml_edit.put_all(
                    root, {"__module__": "megatron.energon", "__class__": "MetadatasetV2"}
                )
            for path, entry in yaml_edit.match_entries(
                root,
                ["splits", "train", key],
                plan.numbers,
                _name,
                dropped=plan.dropped_names,
            ):
                yaml_edit.put(entry, ["weight"], plan.numbers[path])
                if "path" not in entry:
                    yaml_edit.put(entry, ["path"], path)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``splits.train.blend`` (``datasets`` in version 1); a missing weight is 1."""
        train = document.at("splits", "train")
        blend = train.get("blend", train.get("datasets"))
        entries = as_entries(blend)
        if not entries and blend != []:
            why = "has none"
            if "blend_epochized" in train:
                why = "counts repetitions there, not weights"
            raise WrongContent(
                path=document.path,
                reason=f"must have splits.train.blend, a list of datasets with weights; it {why}",
            )
        numbers = {_name(entry): to_number(entry.get("weight", 1.0)) for entry in entries}
        refused = []
        if len(numbers) < len(entries):
            refused.append(
                f"each dataset may stand once; {len(entries) - len(numbers)} came again."
            )
        if {"path", "join", "blend_epochized"} & set(train):
            refused.append(
                "splits.train must be a blend, a path or a join, and is more than one of them."
            )
        bad = find_not_positive(numbers)
        if bad:
            refused.append(
                f"Energon refuses weights that are not above 0; that of {list_names(bad)} is not."
            )
        return Config(
            {0: numbers},
            unit=document.record.get("unit_key") or EXAMPLES.key,
            refused=tuple(refused),
        )

    def recognises(self, document: Document) -> bool:
        """Return whether its ``__class__`` is MetadatasetV2, or the first version."""
        return str(document.mapping.get("__class__")) in {"MetadatasetV2", "Metadataset"}


def _name(entry: Item) -> str:
    """Return the paths of an entry, of which a join has several, and the part if not training."""
    joined = entry.get("join")
    parts: list[Any] = [entry]
    if isinstance(joined, list):
        parts = joined
    elif isinstance(joined, Mapping):
        parts = list(joined.values())
    paths = []
    for part in parts:
        # A part of a join may be a bare path.
        path = part.get("path") if isinstance(part, Mapping) else part
        paths.append(str(path))
    name = " + ".join(paths)
    # A blend may take another part of a dataset, which is a source of its own.
    split = entry.get("split_part", "train")
    if split == "train":
        return name
    return f"{name} ({split})"
