"""LLM-Foundry: ``train_loader.dataset.streams`` of a training YAML, and its ``curriculum_learning`` callback for schedules.

The streams are MosaicML Streaming's. The callback counts tokens or epochs, not steps, and its
durations must sum to
``max_duration``: a step is ``global_train_batch_size * max_seq_len`` tokens. The first mixture is
    ``train_loader``'s.
Checked with the source of llm-foundry 0.22 (8c8dd48): its loader and callback run, with stand-ins
for composer's trainer.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from reweightviz.core.errors import ReweightvizError, WrongContent
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks.streaming import (
    PREPARED,
    REPEATS,
    Streaming,
    filled_streams,
    streams_config,
)
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import EXAMPLES

DATASET = ("train_loader", "dataset")
STREAMS = (*DATASET, "streams")
CURRICULUM = ("callbacks", "curriculum_learning")


class LlmFoundry(Exporter):
    """LLM-Foundry: `train_loader.dataset.streams` of the training YAML; takes a schedule, as a curriculum in tokens."""

    name = "llm-foundry"
    aliases = ("foundry", "composer", "llmfoundry")
    title = "LLM-Foundry"
    units = Streaming.units
    name_pattern = Streaming.name_pattern
    takes_schedules = True
    merges = True
    prepared_data = PREPARED
    traps = (REPEATS,)

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
        """The YAML with ``train_loader`` and, for a schedule, ``max_duration`` and the callback.

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
        content = old.mapping if old is not None else sizes
        if _finetunes(content) and plan.unit is Streaming.units[0]:
            raise ReweightvizError(
                "a finetuning loader draws examples, not sequences of one length: pass "
                "unit='examples'."
            )
        there = _at(content, STREAMS)
        streams = [
            filled_streams(plan, numbers, _known(content), cache_dir, split)
            for numbers in plan.stages.values()
        ]
        durations = _durations(plan, content) if len(streams) > 1 else []

        def fill(root: Any) -> None:
            if old is None:
                yaml_edit.put_all(root, sizes)
                yaml_edit.put(root, ["train_loader", "name"], "text")
            elif not isinstance(there, Mapping):
                yaml_edit.put(root, STREAMS, {})
                for key in {"local", "remote"} & set(root["train_loader"]["dataset"]):
                    del root["train_loader"]["dataset"][key]
            yaml_edit.put(root, STREAMS, streams[0])
            if old is None:
                yaml_edit.put(root, [*DATASET, "shuffle"], True)
                yaml_edit.put(root, ["train_loader", "drop_last"], True)
                yaml_edit.put(root, ["train_loader", "num_workers"], 8)
            if durations:
                if _time(_at(content, ["max_duration"])) != (sum(durations), "tok"):
                    yaml_edit.put(root, ["max_duration"], f"{sum(durations)}tok")
                schedule = [
                    {"duration": f"{duration}tok", "dataset": {"streams": later}}
                    for duration, later in zip(durations[1:], streams[1:], strict=True)
                ]
                yaml_edit.put(root, [*CURRICULUM, "duration"], f"{durations[0]}tok")
                yaml_edit.put(root, [*CURRICULUM, "schedule"], schedule)
            elif _at(content, CURRICULUM) is not None:
                del root["callbacks"]["curriculum_learning"]

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``train_loader.dataset.streams``, and the stages of the callback."""
        content = document.mapping
        streams, dataset = _streams(content, _at(content, STREAMS)), _at(content, DATASET)
        if not isinstance(streams, Mapping) or not streams:
            raise WrongContent(
                path=document.path,
                reason="has no train_loader.dataset.streams, so LLM-Foundry trains on one dataset",
            )
        unit = EXAMPLES.key if _finetunes(content) else None
        first = streams_config(streams, dataset, unit)
        curriculum = _at(content, CURRICULUM)
        if not isinstance(curriculum, Mapping):
            return first
        later = curriculum.get("schedule")
        steps, refused = _steps(curriculum, later, content)
        if refused:
            return Config(
                first.stages, unit=first.unit, paths=first.paths, refused=(*first.refused, *refused)
            )
        datasets = [{**dataset, **stage["dataset"]} for stage in later]
        configs = [
            first,
            *(streams_config(_streams(content, one["streams"]), one, unit) for one in datasets),
        ]
        starts = [sum(steps[:place]) for place in range(len(steps))]
        if len({config.unit for config in configs}) > 1:
            refused = (
                "the stages of the curriculum must all weigh by proportion, or all by repeat.",
            )
        return Config(
            {start: config.stages[0] for start, config in zip(starts, configs, strict=True)},
            unit=first.unit,
            steps=sum(steps),
            paths={name: paths for config in configs for name, paths in config.paths.items()},
            refused=(*(sentence for config in configs for sentence in config.refused), *refused),
        )

    def recognises(self, document: Document) -> bool:
        """``train_loader.dataset.streams``."""
        return isinstance(_at(document.mapping, STREAMS), Mapping)


def _at(content: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """What stands at a path of keys, None where nothing does; an interpolation is filled in."""
    node: Any = content
    for key in keys:
        node = node.get(key) if isinstance(node, Mapping) else None
    return _value(content, node)


def _known(content: Mapping[str, Any]) -> dict[str, Any]:
    """Name to stream, of all stages; the first that names it tells."""
    later = _at(content, (*CURRICULUM, "schedule"))
    stages = (
        [_at(stage, ("dataset", "streams")) for stage in later if isinstance(stage, Mapping)]
        if isinstance(later, list)
        else []
    )
    tables = [_at(content, STREAMS), *stages]
    return {
        str(name): one
        for table in reversed(tables)
        if isinstance(table, Mapping)
        for name, one in table.items()
    }


def _value(content: Mapping[str, Any], node: Any) -> Any:
    """What an interpolation such as ``${variables.max_seq_len}`` stands for, and anything else as it is."""
    for _ in range(5):
        name = re.fullmatch(r"\$\{([\w.]+)\}", node) if isinstance(node, str) else None
        if name is None:
            break
        node = content
        for key in name[1].split("."):
            node = node.get(key) if isinstance(node, Mapping) else None
    return node


def _streams(content: Mapping[str, Any], streams: Any) -> Any:
    """Streams with their values filled in."""
    if not isinstance(streams, Mapping):
        return streams
    return {
        name: {key: _value(content, value) for key, value in one.items()}
        if isinstance(one, Mapping)
        else one
        for name, one in streams.items()
    }


def _finetunes(content: Mapping[str, Any]) -> bool:
    return _at(content, ("train_loader", "name")) == "finetuning"


def _tokens_of_a_step(content: Mapping[str, Any]) -> int | None:
    size = math.prod(
        to_number(_at(content, [key])) for key in ("global_train_batch_size", "max_seq_len")
    )
    return int(size) if size > 0 else None


def _durations(plan: Plan, content: Mapping[str, Any]) -> list[int]:
    """Tokens of each stage."""
    size = _tokens_of_a_step(content)
    if plan.steps is None or size is None:
        absent = (
            "Schedule(stages, steps=...)"
            if plan.steps is None
            else "global_train_batch_size and max_seq_len in the config"
        )
        raise ReweightvizError(
            f"LLM-Foundry's curriculum counts the tokens of every stage, which needs {absent}."
        )
    whole = _at(content, ["max_duration"])
    value, unit = _time(whole)
    if unit and (value, unit) not in {(plan.steps, "ba"), (plan.steps * size, "tok")}:
        raise ReweightvizError(
            f"max_duration of this config is {whole!r}, but the schedule has {plan.steps} steps, "
            f"which are {plan.steps * size}tok: make them agree."
        )
    bounds = [*plan.stages, plan.steps]
    return [(end - start) * size for start, end in itertools.pairwise(bounds)]


def _time(value: object) -> tuple[float, str]:
    """Number and unit of one of Composer's durations; (nan, "") for none. A bare number counts epochs."""
    found = re.fullmatch(r"\s*(.+?)(iter|ep|ba|sp|tok|dur|sec)\s*", str(value), re.IGNORECASE)
    return (
        (to_number(found[1]), found[2].lower())
        if found
        else (to_number(value), "" if value is None else "ep")
    )


def _is_stage(stage: Any) -> bool:
    dataset = stage.get("dataset") if isinstance(stage, Mapping) else None
    return isinstance(dataset, Mapping) and isinstance(dataset.get("streams", dataset), Mapping)


def _steps(
    curriculum: Mapping[str, Any], later: Any, content: Mapping[str, Any]
) -> tuple[list[int], tuple[str, ...]]:
    """Steps of each stage, and what the callback would refuse."""
    if not isinstance(later, list) or not later or not all(map(_is_stage, later)):
        return [], (
            "curriculum_learning.schedule must list stages, each with a duration and a dataset.",
        )
    times = [_time(_value(content, one.get("duration"))) for one in (curriculum, *later)]
    whole = _at(content, ["max_duration"])
    if not all(
        value > 0 and value == int(value) and unit in {"tok", "ep"} for value, unit in times
    ):
        return [], (
            "every stage of curriculum_learning needs a duration in tokens (tok) or "
            "epochs (ep), a whole number above 0.",
        )
    if (math.fsum(value for value, _ in times), *{unit for _, unit in times}) != _time(whole):
        return [], (
            f"the durations of curriculum_learning must sum to max_duration, {whole!r}, "
            "in its unit.",
        )
    size = _tokens_of_a_step(content)
    if times[0][1] == "ep" or size is None:
        return [], (
            "to count the steps of the curriculum takes durations in tok, "
            "global_train_batch_size and max_seq_len.",
        )
    return [math.ceil(value / size) for value, _ in times], ()
