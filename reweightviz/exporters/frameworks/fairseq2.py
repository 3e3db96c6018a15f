"""fairseq2: ``dataset.config_overrides.sources`` of the ``lm_train`` recipe's YAML.

``DataPipeline.sample`` draws the source of each document, before it tokenises and packs: a weight
is a share of documents, and an epoch ends when every source was read once, while the others go
round. Read from facebookresearch/fairseq2 027bdeb (the keys from ``recipes/lm/train/configs``);
fairseq2n is built against given versions of torch and was not run.
"""

from __future__ import annotations

from typing import Any

from reweightviz.core.errors import WrongContent, list_names
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._entries import read_entries
from reweightviz.exporters.frameworks._foreign import walk
from reweightviz.exporters.frameworks._weights import add_up
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import EXAMPLES, TOKENS

__all__ = ["FAMILY", "SOURCES", "Fairseq2"]


FAMILY = "lm_train"
SOURCES = ("dataset", "config_overrides", "sources")


class Fairseq2(Exporter):
    """fairseq2: the sources of `dataset.config_overrides` in the YAML of its `lm_train` recipe."""

    name = "fairseq2"
    title = "fairseq2"
    refusing_loader = "ruamel.yaml"
    units = (EXAMPLES, TOKENS)
    by_path = True
    merges = True
    traps = (
        "fairseq2 goes round a source until every other was read once, as often as its "
        "weight asks, and says nothing.",
        "every source of fairseq2 needs as many chunk files as there are data-parallel ranks.",
    )

    def render(self, plan: Plan, old: Document | None) -> dict[str, str]:
        """Return the YAML with ``dataset``, without options."""

        def fill(root: Any) -> None:
            if old is None:
                yaml_edit.put(root, ["dataset", "family"], FAMILY)
            for path, entry in yaml_edit.match_entries(
                root,
                SOURCES,
                plan.numbers,
                lambda entry: entry.get("path"),
                dropped=plan.dropped_names,
            ):
                yaml_edit.put_all(entry, {"path": path, "weight": plan.numbers[path]})

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``dataset.config_overrides.sources``; a source without a weight has 1."""
        rows = read_entries(document, *SOURCES)
        if not rows or not all(row.get("path") for row in rows):
            raise WrongContent(
                path=document.path,
                reason=f"has no {'.'.join(SOURCES)}: it must list sources, each with a path "
                "and a weight",
            )
        pairs = [(str(row["path"]), to_number(row.get("weight", 1.0))) for row in rows]
        # One of several entries of a path may be 0, which their sum does not show.
        bad = dict.fromkeys(path for path, value in pairs if not value > 0)
        refused = []
        if bad:
            refused.append(
                "fairseq2 takes weights above 0 only; that of "
                f"{list_names(bad)} is not: take the source out, or give it a weight."
            )
        # A path that stands twice is two pipelines, so its weights add up.
        return Config({0: add_up(pairs)}, refused=tuple(refused))

    def recognises(self, document: Document) -> bool:
        """Return whether there are such sources, of this family or of none that is named."""
        family = document.at("dataset").get("family")
        return isinstance(walk(document.mapping, SOURCES), list) and family in (None, FAMILY)
