"""Megatron-Energon: the blend of a MetadatasetV2, which NeMo reads for data of several kinds.

Energon draws samples, so a weight is a share of examples, unless its task encoder packs them; its
``blend_epochized`` counts repetitions, for ``unit="copies"``. Checked with megatron-energon 7.4.1.
"""

from __future__ import annotations

from typing import Any

from reweightviz.core.errors import ReweightvizError, WrongContent
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._energon_blend import (
    KEYS,
    REPETITIONS,
    name_entry,
    read_blend,
)
from reweightviz.exporters.frameworks._entries import merge_entries
from reweightviz.exporters.plan import Config, Plan
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import COPIES, EXAMPLES, TOKENS

__all__ = ["Energon"]


_ADVICE = {
    "weight": "leave unit='copies' out",
    REPETITIONS: "pass unit='copies' and tokens=",
}


class Energon(Exporter):
    """Megatron-Energon: the `blend` of the training split of a MetadatasetV2."""

    name = "nemo"
    title = "Megatron-Energon"
    units = (EXAMPLES, TOKENS, COPIES)
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
        key = "blend_epochized" if plan.unit is COPIES else "blend"
        if old is not None:
            train = old.at("splits", "train")
            # The first version of a Metadataset calls the list datasets.
            if key == "blend" and "datasets" in train:
                key = "datasets"
            there = next((one for one in KEYS if one in train), key)
            if KEYS[there] != KEYS[key]:
                raise ReweightvizError(
                    f"{old.path} has a {there}, which counts {KEYS[there]}: {_ADVICE[KEYS[there]]}."
                )

        def fill(root: Any) -> None:
            if old is None:
                yaml_edit.put_all(
                    root, {"__module__": "megatron.energon", "__class__": "MetadatasetV2"}
                )
            keys = ["splits", "train", key]
            for path, entry in merge_entries(root, keys, plan, name_entry):
                yaml_edit.put(entry, [KEYS[key]], plan.numbers[path])
                if "path" not in entry:
                    yaml_edit.put(entry, ["path"], path)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read the blend of ``splits.train``; a missing weight is 1."""
        found = read_blend(document)
        empty = [] in document.at("splits", "train").values()
        if not found.counts or not (found.numbers or empty):
            raise WrongContent(
                path=document.path,
                reason="must have splits.train.blend, a list of datasets with weights, or "
                "blend_epochized, one with repetitions; it has none",
            )
        repeats = found.counts == REPETITIONS
        return Config(
            {0: found.numbers},
            unit=COPIES.key if repeats else EXAMPLES.key,
            assumed=not repeats,
            refused=tuple(dict.fromkeys(found.refused)),
            traps=tuple(found.find_traps()),
        )

    def recognises(self, document: Document) -> bool:
        """Return whether its ``__class__`` is MetadatasetV2, or the first version."""
        return str(document.mapping.get("__class__")) in {"MetadatasetV2", "Metadataset"}
