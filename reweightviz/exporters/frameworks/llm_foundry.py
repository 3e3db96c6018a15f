"""LLM-Foundry: ``train_loader.dataset.streams`` of a training YAML; schedules as a curriculum.

The streams are MosaicML Streaming's. The ``curriculum_learning`` callback counts tokens or epochs,
not steps, and its durations must sum to ``max_duration``: a step is ``global_train_batch_size *
max_seq_len`` tokens. The first mixture is ``train_loader``'s. Checked with the source of
llm-foundry 0.22 (8c8dd48): its loader and callback run, with stand-ins for composer's trainer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reweightviz.core.errors import ReweightvizError, WrongContent
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks import _streams as shared
from reweightviz.exporters.frameworks._composer import (
    count_durations,
    fill_in,
    find_value,
    parse_duration,
    read_stages,
)
from reweightviz.exporters.frameworks._foreign import as_mapping, mappings_in
from reweightviz.exporters.plan import Config, Plan
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import EXAMPLES, TOKENS

__all__ = ["CURRICULUM", "DATASET", "STREAMS", "LlmFoundry"]


DATASET = ("train_loader", "dataset")
STREAMS = (*DATASET, "streams")
CURRICULUM = ("callbacks", "curriculum_learning")


class LlmFoundry(Exporter):
    """LLM-Foundry: `train_loader.dataset.streams` of the training YAML; schedules as curriculum."""

    name = "llm-foundry"
    aliases = ("foundry", "composer", "llmfoundry")
    title = "LLM-Foundry"
    on_command_line = True
    refusing_loader = "OmegaConf"
    units = shared.UNITS
    name_pattern = shared.NAME_PATTERN
    takes_schedules = True
    merges = True
    prepared_data = shared.PREPARED
    traps = (shared.REPEATS,)

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        cache_dir: str = "cache",
        split: str | None = None,
        max_seq_len: int = 2048,
        global_train_batch_size: int = 256,
    ) -> dict[str, str]:
        """Return the YAML with ``train_loader``; for a schedule, ``max_duration`` and the callback.

        Args:
            plan: what to write.
            old: a training YAML to merge into.
            cache_dir: where streams with a remote path, or with none, lie on the machine that
                trains, each in a folder of its name.
            split: the sub-folder of every stream that is new in the file.
            max_seq_len: of a new file; a merge goes by the config's own.
            global_train_batch_size: of a new file, in sequences; a merge goes by the config's own.
        """
        sizes = {"max_seq_len": max_seq_len, "global_train_batch_size": global_train_batch_size}
        content = sizes if old is None else old.mapping
        if _finetunes(content) and plan.unit is TOKENS:
            raise ReweightvizError(
                "a finetuning loader draws examples, not sequences of one length: pass "
                "unit='examples'."
            )
        known = _find_streams(content)
        streams = [
            shared.make_streams(plan, numbers, known, cache_dir, split)
            for numbers in plan.stages.values()
        ]
        shuffle = old is None or shared.must_shuffle(_read_dataset(content), streams[0])
        durations: list[int] = []
        if len(streams) > 1:
            durations = count_durations(plan, content)

        def fill(root: Any) -> None:
            if old is None:
                yaml_edit.put_all(root, sizes)
                yaml_edit.put(root, ["train_loader", "name"], "text")
            elif not isinstance(find_value(content, STREAMS), Mapping):
                _make_room_for_streams(root)
            yaml_edit.put(root, STREAMS, streams[0])
            if shuffle:
                yaml_edit.put(root, [*DATASET, shared.SHUFFLE], True)
            if old is None:
                yaml_edit.put(root, ["train_loader", "drop_last"], True)
                yaml_edit.put(root, ["train_loader", "num_workers"], 8)
            if durations:
                _put_curriculum(root, content, durations, streams)
            elif find_value(content, CURRICULUM) is not None:
                # An old curriculum would end the new mixture after its first stage.
                del root["callbacks"]["curriculum_learning"]

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``train_loader.dataset.streams``, and the stages of the callback."""
        content = document.mapping
        streams = as_mapping(find_value(content, STREAMS))
        if not streams:
            raise WrongContent(
                path=document.path,
                reason="has no train_loader.dataset.streams, so LLM-Foundry trains on one dataset",
            )
        unit = EXAMPLES.key if _finetunes(content) else None
        dataset = _read_dataset(content)
        first = shared.read_streams(_fill_streams(content, streams), dataset, unit)
        curriculum = find_value(content, CURRICULUM)
        if not isinstance(curriculum, Mapping):
            return first
        steps, faults = read_stages(curriculum, content)
        if faults:
            return replace(first, refused=(*first.refused, *faults))
        return _join_stages([first, *_read_later(content, dataset, curriculum, unit)], steps)

    def recognises(self, document: Document) -> bool:
        """Return whether there are ``train_loader.dataset.streams``."""
        return isinstance(find_value(document.mapping, STREAMS), Mapping)


def _finetunes(content: Mapping[str, Any]) -> bool:
    return bool(find_value(content, ("train_loader", "name")) == "finetuning")


def _read_dataset(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the first dataset, with their interpolations filled in."""
    dataset = as_mapping(find_value(content, DATASET))
    return {key: fill_in(content, value) for key, value in dataset.items()}


def _find_streams(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return name to stream, of all stages; the first that names it counts."""
    stages = mappings_in(find_value(content, (*CURRICULUM, "schedule")))
    later = [find_value(stage, ("dataset", "streams")) for stage in stages]
    tables = [find_value(content, STREAMS), *later]
    known: dict[str, Any] = {}
    for table in reversed(tables):
        known |= {str(name): stream for name, stream in as_mapping(table).items()}
    return known


def _make_room_for_streams(root: Any) -> None:
    """Turn a loader of one dataset by its folder into one of streams."""
    yaml_edit.put(root, STREAMS, {})
    dataset = root["train_loader"]["dataset"]
    # Beside streams a folder of the dataset's own is refused.
    for key in {"local", "remote"} & set(dataset):
        del dataset[key]


def _read_later(
    content: Mapping[str, Any],
    dataset: Mapping[str, Any],
    curriculum: Mapping[str, Any],
    unit: str | None,
) -> Iterator[Config]:
    """Return the mixture of each stage after the first."""
    for stage in curriculum["schedule"]:
        # A stage takes the arguments of the first dataset that it does not name itself.
        given = {key: fill_in(content, value) for key, value in stage["dataset"].items()}
        later = {**dataset, **given}
        streams = as_mapping(later["streams"])
        yield shared.read_streams(_fill_streams(content, streams), later, unit)


def _fill_streams(content: Mapping[str, Any], streams: Mapping[str, Any]) -> dict[str, Any]:
    """Return streams with their interpolations filled in."""
    filled = dict(streams)
    for name, stream in streams.items():
        if isinstance(stream, Mapping):
            filled[name] = {key: fill_in(content, value) for key, value in stream.items()}
    return filled


def _put_curriculum(
    root: Any, content: Mapping[str, Any], durations: Sequence[int], streams: Sequence[Any]
) -> None:
    if parse_duration(find_value(content, ["max_duration"])) != (sum(durations), "tok"):
        yaml_edit.put(root, ["max_duration"], f"{sum(durations)}tok")
    schedule = [
        {"duration": f"{duration}tok", "dataset": {"streams": later}}
        for duration, later in zip(durations[1:], streams[1:], strict=True)
    ]
    yaml_edit.put(root, [*CURRICULUM, "duration"], f"{durations[0]}tok")
    yaml_edit.put(root, [*CURRICULUM, "schedule"], schedule)


def _join_stages(configs: Sequence[Config], steps: Sequence[int]) -> Config:
    """Return the stages of a curriculum as one config.

    Args:
        configs: of each stage.
        steps: of each stage.
    """
    refused: list[str] = []
    traps: list[str] = []
    paths: dict[str, Sequence[str]] = {}
    for config in configs:
        refused += config.refused
        traps += config.traps
        paths |= config.paths
    if len({config.unit for config in configs}) > 1:
        refused.append(
            "the stages of the curriculum must all weigh by proportion, or all by repeat."
        )
    starts = [sum(steps[:place]) for place in range(len(steps))]
    stages = {start: config.stages[0] for start, config in zip(starts, configs, strict=True)}
    return Config(
        stages,
        unit=configs[0].unit,
        steps=sum(steps),
        paths=paths,
        refused=tuple(refused),
        traps=tuple(dict.fromkeys(traps)),
    )
