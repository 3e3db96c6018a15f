"""Axolotl: entries of ``datasets``, whole as often as a domain is repeated, a slice for the rest.

Axolotl has no weights. A mixture becomes passes over each dataset: 2.3 is two whole entries and one
with ``split: train[:30%]``. Where sources give the documents of a domain, the slice is exact to one
row, and a comment gives of how many, ``train[:12345]  # of 41150 rows``; else it is exact to one
percent of the dataset. A slice in rows is read back by that comment, or by the documents of
``sources=``. Without ``tokens=`` no domain is taken more than once. Checked with axolotl 0.19, its
schema and its loading of datasets.

``pretraining_dataset`` cannot hold a mixture: Axolotl streams the first of its entries only. For
plain text use ``datasets`` with ``type="completion"``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scalarfloat import ScalarFloat
from ruamel.yaml.scalarint import ScalarInt
from ruamel.yaml.scalarstring import ScalarString

from reweightviz.core.errors import (
    RefusedByFramework,
    ReweightvizError,
    WrongContent,
    list_names,
    warn,
)
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks import _slices as slices
from reweightviz.exporters.frameworks._entries import collect_files, read_entries
from reweightviz.exporters.frameworks._foreign import Item, as_list
from reweightviz.exporters.frameworks._hub import (
    HubExporter,
    find_builder,
    find_place,
    name_dataset,
)
from reweightviz.exporters.frameworks._weights import add_up
from reweightviz.exporters.plan import Config, Numbers, Plan, find_documents, to_number
from reweightviz.exporters.reading_back import find_record
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.text.yaml_load import load_with_comments
from reweightviz.exporters.units import COPIES

__all__ = ["CLOUD", "Axolotl"]


CLOUD = ("s3://", "gs://", "gcs://", "adl://", "abfs://", "az://", "oci://")


class Axolotl(HubExporter):
    """Axolotl: `datasets` with whole entries and `split` slices, passes instead of weights."""

    name = "axolotl"
    title = "Axolotl"
    units = (COPIES,)
    # Slices are whole percents wherever the rows are not known.
    precision = 1e-2
    largest_number = 100.0
    traps = (
        "Axolotl has no weights: a mixture is how often each dataset is entered, and the "
        "slice of the last entry.",
        "Axolotl takes no notice of a slice of a folder that was written by save_to_disk.",
    )

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        type: str = "completion",  # noqa: A002
        split: str = "train",
    ) -> dict[str, str]:
        """Return the YAML with ``datasets`` and ``shuffle_merged_datasets``.

        Args:
            plan: what to write.
            old: a training config to merge into.
            type: of every new entry, as Axolotl names prompt formats; "completion" is plain text.
            split: of every new entry.
        """
        if old is not None:
            _check_entries(read_entries(old, "datasets"))

        def fill(root: Any) -> None:
            # Not merge_entries: here an entry may well stand there several times.
            for name, entry in yaml_edit.match_entries(
                root, ["datasets"], plan.numbers, _name, dropped=plan.dropped_names
            ):
                if not entry:
                    domain, _, paths = plan.entries[name]
                    yaml_edit.put_all(entry, _make_entry(domain, paths, split) | {"type": type})
            for name, passes in plan.numbers.items():
                domain = plan.entries[name].domain
                rows = find_documents(domain, plan.sources)
                if not rows:
                    _check_percent(domain, passes)
                _enter(root["datasets"], name, passes, rows)
            # Without the shuffle a repeated dataset is trained on twice in a row.
            if old is None or old.mapping.get("shuffle_merged_datasets") is False:
                yaml_edit.put(root, ["shuffle_merged_datasets"], True)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Count the passes over each dataset, from all entries of one path."""
        entries = read_entries(document, "datasets")
        streamed = document.mapping.get("pretraining_dataset")
        if streamed and len(as_list(streamed)) < 2:
            raise WrongContent(
                path=document.path, reason="streams one dataset alone, so Axolotl mixes nothing"
            )
        if streamed:
            sentence = (
                "Axolotl streams the first entry of pretraining_dataset only: for a mixture use "
                "datasets with type: completion."
            )
            return Config({0: {}}, refused=(sentence,))
        if not entries or not all("path" in entry for entry in entries):
            raise WrongContent(
                path=document.path,
                reason="is no mixture for Axolotl: it needs 'datasets', a list whose entries "
                "have 'path'",
            )
        numbers = _count_passes(document, {})
        return Config(
            {0: numbers},
            paths=collect_files(entries, _name),
            refused=tuple(_find_faults(entries, numbers, document.mapping)),
            traps=(*_mention_weights(entries), *_find_traps(numbers, document.mapping)),
        )

    def to_schedule(
        self, config: Config, document: Document, sources: Sources | Mapping[str, Any] | None = None
    ) -> Schedule:
        """Return the mixture; documents of ``sources`` stand in for rows that a slice lacks."""
        if any(map(math.isnan, config.stages[0].values())):
            table = Sources.of(sources or None)
            domains = self.find_domains(config, find_record(document, config))
            rows = {name: find_documents(domain, table) for name, domain in domains.items()}
            config = replace(config, stages={0: _count_passes(document, rows)})
        unknown = [name for name, passes in config.stages[0].items() if math.isnan(passes)]
        if unknown:
            raise ReweightvizError(
                f"the slice of {list_names(unknown)} counts rows, and {document.path} does "
                "not say of how many: put "
                "'# of 41150 rows' behind it, or pass sources= with documents."
            )
        return super().to_schedule(config, document, sources)

    def recognises(self, document: Document) -> bool:
        """Return whether ``datasets`` holds paths with types, or stands beside Axolotl's keys."""
        own = {"base_model", "shuffle_merged_datasets"} & set(document.mapping)
        if "base_model" in own and document.mapping.get("pretraining_dataset"):
            return True
        entries = read_entries(document, "datasets")
        # TRL lists paths as well, with fractions; torchtune and fms-hf-tuning have other keys.
        if not entries or not all("path" in entry and "fraction" not in entry for entry in entries):
            return False
        return bool(own) or all("type" in entry for entry in entries)


def _make_entry(domain: str, paths: Sequence[str], split: str) -> dict[str, Any]:
    place = find_place(domain, paths, split, {"config": "name"})
    files = place.get("data_files")
    if files is None:
        return place
    if len(files) > 1 and "://" in files[0]:
        raise RefusedByFramework(
            framework="Axolotl",
            reason="reads several files of one dataset from disk only; those of "
            f"{domain[:60]!r} are elsewhere: give it one file",
        )
    entry: dict[str, Any] = {"path": files[0]}
    if len(files) > 1:
        entry = {"path": str(PurePosixPath(files[0]).parent), "data_files": files}
    return entry | {"ds_type": place["path"], "split": place["split"]}


def _count_passes(document: Document, rows: Mapping[str, float | None]) -> Numbers:
    pairs = []
    # Loaded with its comments, for the rows of a slice stand in one.
    for entry in load_with_comments(document.text)["datasets"]:
        for name in _names(entry):
            size = slices.read_rows(entry) or rows.get(name)
            passes = slices.count_passes(entry.get("split"), size)
            # An entry with shards takes one of so many parts.
            pairs.append((name, passes / to_number(entry.get("shards") or 1)))
    return add_up(pairs)


def _names(entry: Item) -> list[str]:
    """Return the names that one entry stands for: ``name`` may list several configurations."""
    configs = entry.get("name")
    if not isinstance(configs, list):
        configs = [configs]
    split = slices.strip_slices(entry.get("split"))
    return [
        name_dataset(entry.get("path"), config, split, entry.get("data_files"))
        for config in configs
    ]


def _name(entry: Item) -> str:
    return _names(entry)[0]


def _check_entries(entries: Sequence[Item]) -> None:
    several = [
        str(entry.get("path"))
        for entry in entries
        if len(_names(entry)) > 1 or "+" in slices.strip_slices(entry.get("split"))
    ]
    if several:
        raise ReweightvizError(
            f"an entry of {list_names(several)} stands for several configurations or splits: "
            "write an entry for each."
        )


def _check_percent(domain: str, passes: float) -> None:
    """Warn where whole percents miss the passes by a fiftieth, refuse where they leave none."""
    whole, rest = slices.cut_passes(passes, None)
    taken = float(whole)
    if rest:
        taken += slices.count_passes("train" + rest, None)
    if not taken:
        raise RefusedByFramework(
            framework="Axolotl",
            reason=f"slices {domain[:60]!r} by whole percents, of which it needs "
            f"{100 * passes:.2g}: give sources= its documents, so that rows are "
            "counted",
        )
    if abs(taken - passes) > 0.02 * passes:
        warn(
            f"{domain[:60]!r} is taken {taken:g} times instead of {passes:.4g}, for "
            "Axolotl slices by whole percents where sources= has "
            "no documents."
        )


def _enter(entries: list[CommentedMap], name: str, passes: float, rows: float | None) -> None:
    """Change the entries of a dataset to whole ones and, where there is a rest, a slice."""
    whole, rest = slices.cut_passes(passes, rows)
    cuts = [""] * whole
    if rest:
        cuts.append(rest)
    places = [place for place, entry in enumerate(entries) if _name(entry) == name]
    # From the end on, so that the places before stay right.
    for place in reversed(places[len(cuts) :]):
        del entries[place]
    for _ in cuts[len(places) :]:
        entries.insert(places[-1] + 1, _copy(entries[places[0]]))
        places.append(places[-1] + 1)
    for place, cut in zip(places, cuts, strict=False):
        entry = entries[place]
        # A shard is a part of the rows too, beside the slice.
        for key, one in (("shards", 1), ("shards_idx", 0)):
            if entry.get(key):
                yaml_edit.put(entry, [key], one)
        if cut or entry.get("split"):
            yaml_edit.put(entry, ["split"], slices.strip_slices(entry.get("split")) + cut)
            slices.write_rows(entry, rows if cut else None)


def _copy(value: Any) -> Any:
    """Return a copy without anchors, which may stand once in a file, and without comments."""
    if isinstance(value, Mapping):
        return CommentedMap((key, _copy(item)) for key, item in value.items())
    if isinstance(value, list):
        return CommentedSeq(map(_copy, value))
    # The scalars of ruamel.yaml carry an anchor along; bare ones have none.
    for kind, bare in ((ScalarBoolean, bool), (ScalarInt, int), (ScalarFloat, float)):
        if isinstance(value, kind):
            return bare(value)
    if isinstance(value, ScalarString):
        return type(value)(value)
    return value


def _find_faults(
    entries: Sequence[Item], numbers: Numbers, config: Mapping[str, Any]
) -> Iterator[str]:
    splits = [str(entry.get("split") or "train") for entry in entries]
    sliced = any("[" in split for split in splits)
    repeated = any(passes > 1 for passes in numbers.values())
    # Any number of rows will do here: nan stays only where the form is unknown.
    blind = [split for split in splits if math.isnan(slices.count_passes(split, 1.0))]
    if blind:
        yield f"split {list_names(blind)} is nothing that datasets can slice by."
    cloud = [str(entry["path"]) for entry in entries if "[" in str(entry.get("split"))]
    folders = [path for path in cloud if path.startswith(CLOUD) and find_builder(path) is None]
    if folders:
        yield (
            f"Axolotl loads {list_names(folders)} whole, for it slices no folder in the "
            "cloud: give "
            "it files, or a name of the Hub."
        )
    if config.get("streaming") and (len(entries) > 1 or sliced):
        yield (
            "with streaming: true Axolotl cannot slice, and with sample_packing it reads the "
            "first dataset only."
        )
    if config.get("dataset_exact_deduplication") and repeated:
        yield "dataset_exact_deduplication: true takes out again what is entered more than once."
    if not any(numbers.values()):
        yield "no dataset is taken at all."


def _mention_weights(entries: Sequence[Item]) -> Iterator[str]:
    named = [_name(entry) for entry in entries if "weight" in entry]
    if named:
        yield (
            f"Axolotl 0.19.0 takes no notice of weight, which stands at {list_names(named)}: each "
            "entry is used whole, or as its split says."
        )


def _find_traps(numbers: Numbers, config: Mapping[str, Any]) -> Iterator[str]:
    # Either alone still mixes: rows are shuffled by default, and the trainer draws at random.
    if config.get("shuffle_merged_datasets") is False and config.get("curriculum_sampling"):
        yield (
            "the datasets are trained on one after the other: shuffle_merged_datasets is "
            "off, and curriculum_sampling is on."
        )
    if config.get("val_set_size") and any(passes > 1 for passes in numbers.values()):
        yield (
            "val_set_size cuts the validation set from the merged rows, so documents "
            "that are entered twice stand on both sides: "
            "name test_datasets instead."
        )
