"""torchtitan: a Python module whose ``config()`` is a dataloader config.

``form="0.3"`` registers each source and interleaves them after packing, so a weight is a share of
tokens. ``form="grain"`` is for the data pipeline that took its place in August 2026:
``WeightedDataset`` counts what its child emits, packed rows (shares of tokens), or with
``unit="examples"`` documents, which are packed after the mix. Checked with torchtitan 0.3.0, and
with its source of August 2026 (b5bcd76) and grain 0.2.18.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reweightviz.core.errors import RefusedByFramework, UnknownName, WrongContent, list_names
from reweightviz.core.sources import Sources
from reweightviz.core.validation import whole_number
from reweightviz.exporters import provenance
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._entries import find_faults
from reweightviz.exporters.frameworks._foreign import Item
from reweightviz.exporters.frameworks._hub import find_place, list_files, name_dataset
from reweightviz.exporters.frameworks._weights import add_up, find_not_positive
from reweightviz.exporters.plan import Config, Entry, Numbers, Plan, read_rows, to_number
from reweightviz.exporters.text import python_file, python_module
from reweightviz.exporters.text.python_file import PythonFile
from reweightviz.exporters.units import EXAMPLES, TOKENS

__all__ = ["GRAIN", "INTERLEAVED", "SCRIPTS", "Arguments", "TorchTitan"]


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
'''  # noqa: E501  the written modules have a width of their own
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
'''  # noqa: E501
SCRIPTS = {"0.3": INTERLEAVED, "grain": GRAIN}
"""The forms, and the code of the module that is written in each."""
Arguments = Mapping[str | int, Any]
"""The arguments of a call."""


class TorchTitan(Exporter):
    """torchtitan: a Python module, `config()` is a dataloader config for 0.3 or for Grain."""

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
        """Return the module.

        Args:
            plan: what to write.
            old: not used; a module is written whole.
            form: "0.3" for ``InterleavedHuggingFaceTextDataLoader``, "grain" for
                ``DatasetMixConfig``.
            seed: of the draws.
            split: of every dataset.
        """
        if form not in SCRIPTS:
            raise UnknownName(kind="form of torchtitan", name=form, known=SCRIPTS)
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
        constants = {"SEED": whole_number("seed", seed), "UNIT": plan.unit.key, "SOURCES": rows}
        head = plan.comment(f"Training mixture for torchtitan ({form})")
        if form == "0.3":
            head += "\nfrom functools import partial\n\n"
        return {"": python_module.render(head, constants, SCRIPTS[form])}

    def parse(self, document: Document) -> Config:
        """Read ``SOURCES`` of our module, or the first list of its kind of source."""
        python = document.python
        rows = python.constant("SOURCES")
        if isinstance(rows, list):
            return _read_table(document, rows)
        kind = "HFDataSource"
        if _is_grain(document) and not _find_lists(python, kind):
            kind = "WeightedDataset"
        lists = _find_lists(python, kind)
        taken = next((node for node, calls in lists if len(calls) == len(node.elts)), None)
        if taken is None:
            why = python.explain(["SOURCES", *(node for node, _ in lists)])
            if not lists:
                why = python.explain_calls(python.calls(kind), table="SOURCES")
            raise WrongContent(
                path=document.path,
                reason="has no SOURCES, no HFDataSource and no WeightedDataset in a list that "
                f"can be read without running it{why}",
            )
        calls = _find_calls(python, taken, kind)
        sources = [python.arguments(call) for call in calls]
        names = [python_file.to_text(_find_name(source, sources)) for source in sources]
        numbers = add_up(zip(names, _read_weights(document, calls, sources), strict=True))
        grain = kind == "WeightedDataset"
        refused = []
        if len({str(source.get("infinite", True)) for source in sources}) > 1:
            refused.append("infinite must be the same for all sources.")
        return Config(
            {0: numbers},
            unit=_find_unit(python, sources) if grain else None,
            refused=(*refused, *_find_faults(numbers, grain=grain)),
            traps=(
                *python_file.mention_others([node for node, _ in lists], taken, f"list of {kind}"),
                *_find_endless(python, numbers),
            ),
        )

    def recognises(self, document: Document) -> bool:
        """Return whether it is a Python file that calls HFDataSource or WeightedDataset."""
        return bool(document.python.calls("HFDataSource")) or _is_grain(document)

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Return the entries by names in lower case; others become slugs that no other name has."""
        found = {}
        for name, entry in super().make_entries(domains, sources, options).items():
            # torchtitan looks names up in lower case, so Web and web would be one.
            if name == name.lower() and entry.domain == name:
                found[name] = entry
            else:
                # The blank forces a hash into the slug, which no other name has.
                found[provenance.slug(f"{entry.domain} ").lower()] = entry
        return found


def _read_table(document: Document, rows: Sequence[Any]) -> Config:
    numbers = read_rows(document.path, rows, "name", "weight")
    unit = document.python.constant("UNIT")
    return Config(
        {0: numbers},
        unit=unit if isinstance(unit, str) else None,
        paths={str(row["name"]): _find_places(row) for row in rows if "path" in row},
        refused=_find_faults(numbers, grain=_is_grain(document)),
    )


def _find_places(row: Item) -> tuple[str, ...]:
    name = name_dataset(row["path"], row.get("config"), row.get("split"))
    return list_files(row.get("data_files")) or (name,)


def _find_lists(python: PythonFile, kind: str) -> list[tuple[ast.List | ast.Tuple, list[ast.Call]]]:
    """Return the lists and tuples of a file that hold calls of a kind, each with its calls."""
    nodes = [node for node in ast.walk(python.tree) if isinstance(node, ast.List | ast.Tuple)]
    found = [(node, _find_calls(python, node, kind)) for node in python_file.sort_nodes(nodes)]
    return [(node, calls) for node, calls in found if calls]


def _find_calls(python: PythonFile, node: ast.List | ast.Tuple, kind: str) -> list[ast.Call]:
    items = (python.resolve(item) for item in node.elts)
    return [item for item in items if python_file.callee(item) == kind]


def _read_weights(
    document: Document, calls: Sequence[ast.Call], sources: Sequence[Arguments]
) -> list[float]:
    """Return the weight of each source; 1 where none is written."""
    weights = [source.get("weight", 1.0) for source in sources]
    unknown = [weight for weight in weights if isinstance(weight, ast.expr)]
    spread = [
        "some of the arguments stand behind * or **"
        for call, source in zip(calls, sources, strict=True)
        if python_file.has_spread(call) and "weight" not in source
    ]
    if unknown or spread:
        raise WrongContent(
            path=document.path,
            reason="has weights that cannot be read without running it"
            + document.python.explain(unknown, *spread),
        )
    return [to_number(weight) for weight in weights]


def _find_name(source: Arguments, sources: Sequence[Arguments]) -> Any:
    """Return what a source is known by: its dataset, or where several share one, its path."""
    # What HFDataSource takes where no dataset is named.
    name = source.get("dataset", "c4_test")
    alike = [other for other in sources if other.get("dataset", "c4_test") == name]
    if len(alike) > 1 and source.get("dataset_path"):
        return source["dataset_path"]
    return name


def _find_unit(python: PythonFile, sources: Sequence[Arguments]) -> str:
    parts = [python.resolve(source.get("dataset")) for source in sources]
    kinds = [python_file.callee(part) for part in parts if isinstance(part, ast.AST)]
    # What is packed before the mix comes out in rows of one length.
    packed = all(kind.endswith("PackingConfig") for kind in kinds)
    return "tokens" if packed else "examples"


def _find_endless(python: PythonFile, numbers: Numbers) -> Iterator[str]:
    zero = [name for name, value in numbers.items() if value == 0]
    strategies = [
        given.get("stopping_strategy")
        for callee in python.calls_by_name
        for given in python.call_arguments(callee)
    ]
    if zero and "all_exhausted" in strategies:
        yield (
            f"{list_names(zero)} has weight 0, so it is never used up, and all_exhausted never "
            "ends: take it out."
        )


def _is_grain(document: Document) -> bool:
    return bool(document.python.calls("WeightedDataset"))


def _find_faults(numbers: Numbers, *, grain: bool) -> tuple[str, ...]:
    bad = find_not_positive(numbers)
    if grain and bad:
        return (f"DatasetMixConfig needs weights above 0; that of {list_names(bad)} is not.",)
    return find_faults(numbers, "a weight")
