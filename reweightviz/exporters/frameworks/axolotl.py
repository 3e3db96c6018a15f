"""Axolotl: entries of ``datasets``, whole as often as a domain is repeated, and a slice for the rest.

Axolotl has no weights. What a mixture asks for are passes over each dataset: 2.3 is two whole
entries and one with
``split: train[:30%]``. Where sources tell the documents of a domain, the slice is exact to one row
    and says of how
many, ``train[:12345]  # of 41150 rows``; else it is exact to one percent of the dataset. A slice in rows is read back
by that comment, or by the documents of ``sources=``. Without ``tokens=`` no domain is taken more than once. Checked
with axolotl 0.19, its schema and its loading of datasets.

``pretraining_dataset`` cannot hold a mixture: Axolotl streams the first of its entries only. For
plain text use ``datasets`` with ``type="completion"``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.scalarfloat import ScalarFloat
from ruamel.yaml.scalarint import ScalarInt
from ruamel.yaml.scalarstring import ScalarString

from reweightviz.core.errors import RefusedByFramework, ReweightvizError, WrongContent, listed, warn
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks import _hub as hub
from reweightviz.exporters.frameworks import _slices as slices
from reweightviz.exporters.frameworks.huggingface import builder
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import COPIES

CLOUD = ("s3://", "gs://", "gcs://", "adl://", "abfs://", "az://", "oci://")


class Axolotl(hub.HubExporter):
    """Axolotl: `datasets` with whole entries and `split` slices, the passes over each dataset; there are no weights."""

    name = "axolotl"
    title = "Axolotl"
    units = (COPIES,)
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
        """The YAML with ``datasets`` and ``shuffle_merged_datasets``.

        Args:
            plan: what to write.
            old: a training config to merge into.
            type: of every new entry, as Axolotl names prompt formats; "completion" is plain text.
            split: of every new entry.
        """
        if old is not None:
            _check_entries(hub.entries(old, "datasets"))

        def fill(root: Any) -> None:
            for name, entry in yaml_edit.match_entries(
                root, ["datasets"], plan.numbers, _name, dropped=plan.dropped_names
            ):
                if not entry:
                    domain, _, paths = plan.entries[name]
                    yaml_edit.put_all(entry, _made(domain, paths, split) | {"type": type})
            for name, passes in plan.numbers.items():
                domain = plan.entries[name].domain
                rows = (
                    plan.sources[domain].documents
                    if plan.sources is not None and domain in plan.sources
                    else None
                )
                _check_percent(domain, passes, rows)
                _enter(root["datasets"], name, *slices.cut(passes, rows), rows)
            if old is None or old.mapping.get("shuffle_merged_datasets") is False:
                yaml_edit.put(root, ["shuffle_merged_datasets"], True)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """The passes over each dataset, from all entries of one path."""
        config, entries = document.mapping, hub.entries(document, "datasets")
        if config.get("pretraining_dataset"):
            sentence = "Axolotl streams the first entry of pretraining_dataset only: for a mixture use datasets with type: completion."
            return Config({0: {}}, refused=(sentence,))
        if not entries or not all("path" in entry for entry in entries):
            raise WrongContent(
                path=document.path,
                reason="is no mixture for Axolotl: it needs 'datasets', a list whose entries "
                "have 'path'",
            )
        numbers = _numbers(document, {})
        return Config(
            {0: numbers},
            paths=hub.files(entries, _name),
            refused=_faults(entries, numbers, config),
            traps=_surprises(numbers, config),
        )

    def to_schedule(
        self, config: Config, document: Document, sources: Sources | Mapping[str, Any] | None = None
    ) -> Schedule:
        """Slices that do not say of how many rows they are take that from the documents of ``sources``."""
        if any(map(math.isnan, config.stages[0].values())):
            table = sources if isinstance(sources, Sources) else Sources(sources or {"": 0})
            rows = {
                name: table[domain].documents
                for name, domain in self.find_domains(config, document.record).items()
                if domain in table
            }
            config = replace(config, stages={0: _numbers(document, rows)})
        unknown = [name for name, passes in config.stages[0].items() if math.isnan(passes)]
        if unknown:
            raise ReweightvizError(
                f"the slice of {listed(unknown)} counts rows, and {document.path} does "
                "not say of how many: put "
                "'# of 41150 rows' behind it, or pass sources= with documents."
            )
        return super().to_schedule(config, document, sources)

    def recognises(self, document: Document) -> bool:
        """``datasets`` of paths with types, or beside what else Axolotl reads."""
        own = {"base_model", "shuffle_merged_datasets"} & set(document.mapping)
        entries = hub.entries(document, "datasets")
        paths = bool(entries) and all(
            "path" in entry and not {"fraction", "weight", "sampling"} & set(entry)
            for entry in entries
        )
        return (paths and (bool(own) or all("type" in entry for entry in entries))) or (
            "base_model" in own and bool(document.mapping.get("pretraining_dataset"))
        )


def _made(domain: str, paths: Sequence[str], split: str) -> dict[str, Any]:
    found = hub.made(domain, paths, split)
    files = found.pop("data_files", None)
    if files is None:
        return found
    if len(files) > 1 and "://" in files[0]:
        raise RefusedByFramework(
            framework="Axolotl",
            reason="reads several files of one dataset from disk only; those of "
            f"{domain[:60]!r} are elsewhere: give it one file",
        )
    several = {"path": str(PurePosixPath(files[0]).parent), "data_files": files}
    return ({"path": files[0]} if len(files) == 1 else several) | {
        "ds_type": found["path"],
        "split": found["split"],
    }


def _numbers(document: Document, rows: Mapping[str, float | None]) -> Numbers:
    numbers: Numbers = {}
    for entry in YAML(pure=True).load(document.text)["datasets"]:
        for name in _names(entry):
            passes = slices.passes(
                entry.get("split"), slices.rows_said(entry) or rows.get(name)
            ) / to_number(entry.get("shards") or 1)
            numbers[name] = numbers.get(name, 0.0) + passes
    return numbers


def _names(entry: hub.Entry) -> list[str]:
    configs = entry.get("name")
    split = slices.base(entry.get("split"))
    return [
        hub.named(entry.get("path"), config, split, entry.get("data_files"))
        for config in (configs if isinstance(configs, list) else [configs])
    ]


def _name(entry: hub.Entry) -> str:
    return _names(entry)[0]


def _check_entries(entries: Sequence[hub.Entry]) -> None:
    several = [
        str(entry.get("path"))
        for entry in entries
        if len(_names(entry)) > 1 or "+" in slices.base(entry.get("split"))
    ]
    if several:
        raise ReweightvizError(
            f"an entry of {listed(several)} stands for several configurations or splits: "
            "write an entry for each."
        )


def _check_percent(domain: str, passes: float, rows: float | None) -> None:
    if rows:
        return
    whole, rest = slices.cut(passes, None)
    taken = whole + slices.passes("train" + rest, None) * bool(rest)
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


def _enter(
    entries: list[CommentedMap], name: str, whole: int, rest: str, rows: float | None
) -> None:
    """Change what stands for a dataset to ``whole`` entries and, where there is a rest, a slice."""
    places = [place for place, entry in enumerate(entries) if _name(entry) == name]
    wanted = [""] * whole + ([rest] if rest else [])
    for place in reversed(places[len(wanted) :]):
        del entries[place]
    for _ in wanted[len(places) :]:
        entries.insert(places[-1] + 1, _again(entries[places[0]]))
        places.append(places[-1] + 1)
    for place, cut in zip(places, wanted, strict=False):
        entry = entries[place]
        for key, one in (("shards", 1), ("shards_idx", 0)):
            if entry.get(key):
                yaml_edit.put(entry, [key], one)
        if cut or entry.get("split"):
            yaml_edit.put(entry, ["split"], slices.base(entry.get("split")) + cut)
            slices.say_rows(entry, rows if cut else None)


def _again(value: Any) -> Any:
    """A copy without anchors, which may stand once in a file, and without comments."""
    if isinstance(value, Mapping):
        return CommentedMap((key, _again(item)) for key, item in value.items())
    if isinstance(value, list):
        return CommentedSeq(map(_again, value))
    kind = next(
        (kind for kind in (ScalarBoolean, ScalarInt, ScalarFloat) if isinstance(value, kind)), None
    )
    plain = {ScalarBoolean: bool, ScalarInt: int, ScalarFloat: float}
    return (
        plain[kind](value)
        if kind
        else type(value)(value)
        if isinstance(value, ScalarString)
        else value
    )


def _faults(
    entries: Sequence[hub.Entry], numbers: Numbers, config: Mapping[str, Any]
) -> tuple[str, ...]:
    splits = [str(entry.get("split") or "train") for entry in entries]
    blind = [split for split in splits if math.isnan(slices.passes(split, 1.0))]
    cloud = [
        entry["path"]
        for entry, split in zip(entries, splits, strict=True)
        if "[" in split
        and str(entry["path"]).startswith(CLOUD)
        and builder(str(entry["path"])) is None
    ]
    sliced, repeated = (
        any("[" in split for split in splits),
        any(passes > 1 for passes in numbers.values()),
    )
    sentences = {
        f"split {listed(blind)} is nothing that datasets can slice by.": blind,
        f"Axolotl loads {listed(cloud)} whole, for it slices no folder in the cloud: give "
        "it files, or a name of the Hub.": cloud,
        "with streaming: true Axolotl cannot slice, and with sample_packing it reads the "
        "first dataset only.": config.get("streaming") and (len(entries) > 1 or sliced),
        "dataset_exact_deduplication: true takes out again what is entered more than once.": config.get(
            "dataset_exact_deduplication"
        )
        and repeated,
        "no dataset is taken at all.": not any(numbers.values()),
    }
    return tuple(sentence for sentence, holds in sentences.items() if holds)


def _surprises(numbers: Numbers, config: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    if config.get("shuffle_merged_datasets") is False or config.get("curriculum_sampling"):
        found.append(
            "the datasets are trained on one after the other: shuffle_merged_datasets is "
            "off, or curriculum_sampling is on."
        )
    if config.get("val_set_size") and any(passes > 1 for passes in numbers.values()):
        found.append(
            "val_set_size cuts the validation set from the merged rows, so documents "
            "that are entered twice stand on both sides: "
            "name test_datasets instead."
        )
    return tuple(found)
