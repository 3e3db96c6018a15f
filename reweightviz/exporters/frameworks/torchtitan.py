"""torchtitan: a Python module whose ``config()`` is a dataloader config.

``form="0.3"`` registers each source and interleaves them after packing, so a weight is a share of
tokens. ``form="grain"`` is for the data pipeline that took its place in August 2026:
``WeightedDataset`` counts what its child emits, packed rows (shares of tokens), or with
``unit="examples"`` documents, which are packed after the mix. Checked with torchtitan 0.3.0, and
with its source of August 2026 (b5bcd76) and grain 0.2.18.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from typing import Any

from reweightviz.core.errors import RefusedByFramework, UnknownName, WrongContent, listed
from reweightviz.core.sources import Sources
from reweightviz.core.validation import whole_number
from reweightviz.exporters import provenance
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._entries import find_faults
from reweightviz.exporters.frameworks._hub import find_place, list_files, name_dataset
from reweightviz.exporters.plan import Config, Entry, Numbers, Plan, read_rows, to_number
from reweightviz.exporters.text import python_file, python_module
from reweightviz.exporters.units import EXAMPLES, TOKENS

FORMS = ("0.3", "grain")
INTERLEAVED = '''

def config(*, text=lambda sample: sample["text"], streaming=True, infinite=True, stopping_strategy="on_first_exhausted", **options):
    """For `dataloader=` of a torchtitan 0.3 config. Sources without a path must be in DATASETS already."""
    from torchtitan.hf_datasets import DatasetConfig
    from torchtitan.hf_datasets.text_datasets import DATASETS, HFDataSource, InterleavedHuggingFaceTextDataLoader

    for source in SOURCES:
        if "path" in source:
            loader = partial(_load, source=source, streaming=streaming)
            DATASETS[source["name"]] = DatasetConfig(path=source["path"], loader=loader, sample_processor=text)
    parts = [HFDataSource(dataset=source["name"], weight=source["weight"], infinite=infinite) for source in SOURCES]
    return InterleavedHuggingFaceTextDataLoader.Config(sources=parts, seed=SEED, stopping_strategy=stopping_strategy, **options)


def _load(path, *, source, streaming):
    from datasets import load_dataset

    return load_dataset(path, source.get("config"), data_files=source.get("data_files"), split=source["split"], streaming=streaming)
'''
GRAIN = '''

def config(datasets=None, *, text=lambda sample: sample["text"], **options):
    """For `dataloader=` of a torchtitan config. `datasets` maps names to SingleDatasetConfigs that are at hand already."""
    from torchtitan.components.data import ConcatThenSplitPackingConfig, DatasetMixConfig, GrainDataLoader, WeightedDataset

    def packed(part):
        return ConcatThenSplitPackingConfig(dataset=part)

    ready = datasets or {}
    singles = [ready[source["name"]] if source["name"] in ready else _single(source, text) for source in SOURCES]
    parts = [packed(single) for single in singles] if UNIT == "tokens" else singles
    mix = DatasetMixConfig(datasets=tuple(WeightedDataset(dataset=part, weight=source["weight"]) for part, source in zip(parts, SOURCES)))
    return GrainDataLoader.Config(dataset=mix if UNIT == "tokens" else packed(mix), seed=SEED, **options)


def _single(source, text):
    from torchtitan.components.data import HuggingFaceRandomAccessSource, SingleDatasetConfig
    from torchtitan.hf_datasets.text_datasets import TextProcessor

    files = {"data_files": source["data_files"]} if "data_files" in source else {}
    place = {"path": source["path"], "name": source.get("config"), "split": source["split"]}
    rows = HuggingFaceRandomAccessSource.Config(**place, load_dataset_kwargs=files)
    return SingleDatasetConfig(source=rows, processor=TextProcessor.Config(text_fn=text), post_filters=(lambda sample: sample is not None,))
'''


class TorchTitan(Exporter):
    """torchtitan: a Python module whose `config()` is a dataloader config, for 0.3 or for the Grain pipeline after it."""

    name = "torchtitan"
    title = "torchtitan"
    units = (TOKENS, EXAMPLES)
    suffix = ".py"
    name_pattern = r"[a-z0-9_.-]+"
    traps = (
        "torchtitan repeats a source that is used up, as often as its weight asks, and "
        "says nothing (infinite=True, repeat=True).",
    )

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        form: str = "0.3",
        seed: int = 42,
        split: str = "train",
    ) -> dict[str, str]:
        """The module.

        Args:
            plan: what to write.
            old: not used; a module is written whole.
            form: "0.3" for ``InterleavedHuggingFaceTextDataLoader``, "grain" for
                ``DatasetMixConfig``.
            seed: of the draws.
            split: of every dataset.
        """
        if form not in FORMS:
            raise UnknownName(kind="form of torchtitan", name=form, known=FORMS)
        if form == "0.3" and plan.unit.key == "examples":
            raise RefusedByFramework(
                framework="torchtitan 0.3",
                reason="packs before it mixes, so its weights count tokens; unit='examples' "
                "needs form='grain'",
            )
        rows = []
        for name, value in plan.numbers.items():
            domain, _, paths = plan.entries[name]
            rows.append({"name": name, "weight": value} | find_place(domain, paths, split))
        head = "\nfrom functools import partial\n\n" if form == "0.3" else ""
        constants = {"SEED": whole_number("seed", seed), "UNIT": plan.unit.key, "SOURCES": rows}
        comment = plan.comment(f"Training mixture for torchtitan ({form})")
        return {
            "": python_module.render(
                comment + head, constants, INTERLEAVED if form == "0.3" else GRAIN
            )
        }

    def parse(self, document: Document) -> Config:
        """``SOURCES`` of our module, or the first list of ``HFDataSource`` or ``WeightedDataset`` in the file."""
        rows = document.python.constant("SOURCES")
        if isinstance(rows, list):
            numbers = read_rows(document.path, rows, "name", "weight")
            unit = document.python.constant("UNIT")
            return Config(
                {0: numbers},
                unit=unit if isinstance(unit, str) else None,
                paths=_paths(rows),
                refused=_faults(numbers, _grain(document)),
            )
        kind = (
            "WeightedDataset"
            if _grain(document) and not _lists(document, "HFDataSource")
            else "HFDataSource"
        )
        lists = _lists(document, kind)
        taken = next(
            (node for node in lists if len(_siblings(document, node, kind)) == len(node.elts)), None
        )
        if taken is None:
            why = document.python.explain(["SOURCES", *lists])
            raise WrongContent(
                path=document.path,
                reason="has no SOURCES, no HFDataSource and no WeightedDataset in a list that "
                f"can be read without running it{why}",
            )
        found = [document.python.arguments(call) for call in _siblings(document, taken, kind)]
        names = [python_file.to_text(_name(one, found)) for one in found]
        numbers: Numbers = {}
        for name, one, call in zip(names, found, _siblings(document, taken, kind), strict=True):
            numbers[name] = numbers.get(name, 0.0) + to_number(
                one.get("weight", math.nan if python_file.has_spread(call) else 1.0)
            )
        grain = kind == "WeightedDataset"
        mixed = (
            ()
            if len({str(one.get("infinite", True)) for one in found}) == 1
            else ("infinite must be the same for all sources.",)
        )
        return Config(
            {0: numbers},
            unit=_unit(document, found) if grain else None,
            refused=mixed + _faults(numbers, grain),
            traps=python_file.mention_others(lists, taken, f"list of {kind}"),
        )

    def recognises(self, document: Document) -> bool:
        """A Python file that calls HFDataSource or WeightedDataset."""
        return bool(document.python.calls("HFDataSource")) or _grain(document)

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Names in lower case, for torchtitan looks them up in lower case; others become slugs that no other name has."""
        found = {}
        for name, entry in super().make_entries(domains, sources, options).items():
            plain = (
                name
                if name == name.lower() and entry.domain == name
                else provenance.slug(f"{entry.domain} ").lower()
            )
            found[plain] = entry
        return found


def _paths(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    return {
        str(row["name"]): list_files(row.get("data_files"))
        or (name_dataset(row["path"], row.get("config"), row.get("split")),)
        for row in rows
        if "path" in row
    }


def _lists(document: Document, kind: str) -> list[ast.List | ast.Tuple]:
    """The lists and tuples that hold a call of that name."""
    lists = [
        node for node in ast.walk(document.python.tree) if isinstance(node, ast.List | ast.Tuple)
    ]
    return [node for node in python_file.sort_nodes(lists) if _siblings(document, node, kind)]


def _siblings(document: Document, node: ast.List | ast.Tuple, kind: str) -> list[ast.Call]:
    items = (document.python.resolve(item) for item in node.elts)
    return [item for item in items if python_file.callee(item) == kind]


def _name(one: Mapping[str | int, Any], found: Sequence[Mapping[str | int, Any]]) -> Any:
    name = one.get("dataset", "c4_test")
    shared = [
        other.get("dataset_path") for other in found if other.get("dataset", "c4_test") == name
    ]
    return one["dataset_path"] if len(shared) > 1 and one.get("dataset_path") else name


def _unit(document: Document, found: Sequence[Mapping[str | int, Any]]) -> str:
    packed = (
        python_file.callee(part)
        for part in (document.python.resolve(one.get("dataset")) for one in found)
        if isinstance(part, ast.AST)
    )
    return "tokens" if all(name.endswith("PackingConfig") for name in packed) else "examples"


def _grain(document: Document) -> bool:
    return bool(document.python.calls("WeightedDataset"))


def _faults(numbers: Numbers, grain: bool) -> tuple[str, ...]:
    bad = [name for name, value in numbers.items() if not value > 0]
    return (
        (f"DatasetMixConfig needs weights above 0; that of {listed(bad)} is not.",)
        if grain and bad
        else find_faults(numbers, "a weight")
    )
