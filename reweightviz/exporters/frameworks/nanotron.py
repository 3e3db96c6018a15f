"""Nanotron: ``data_stages`` of its YAML, each with folders of tokens and their weights.

Nanotron blends sequences of one fixed length, so a weight is a share of tokens. Its steps are
counted from 1: the stage with
``start_training_step: 1`` is the first, and one that a Schedule begins at step s (after s steps)
    has s + 1. Read from the
source of huggingface/nanotron at 2411b02, whose own config and blending code the tests run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reweightviz.core.errors import ReweightvizError, UnreadableFile, WrongContent, listed
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._weights import order_like
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit

PARALLEL = ("dataset_read_path", "dataset_max_tokens")
"""Lists that Nanotron reads side by side with the folders."""


class Nanotron(Exporter):
    """Nanotron: `data_stages` of the training YAML, folders with weights; takes a schedule."""

    name = "nanotron"
    aliases = ("nanoset",)
    title = "Nanotron"
    by_path = True
    takes_schedules = True
    merges = True
    prepared_data = "folders of tokenised files"
    traps = (
        "Nanotron repeats a folder that is used up, as often as its weight asks, and says nothing.",
    )

    def render(
        self, plan: Plan, old: Document | None, *, seed: int = 42, num_loading_workers: int = 1
    ) -> dict[str, str]:
        """The YAML with ``data_stages``.

        Args:
            plan: what to write.
            old: a training config to merge into. Its stages keep what else they say, and those at
                steps that the mixture does not name get the mixture that holds there.
            seed: of a new file.
            num_loading_workers: of a new file.
        """
        stages = _merged(list(_stages(old)) if old is not None else [], plan)
        if not stages:
            data = {
                "num_loading_workers": whole_number("num_loading_workers", num_loading_workers),
                "seed": whole_number("seed", seed),
            }
            stages = [
                {
                    "name": f"stage {place}",
                    "start_training_step": start + 1,
                    "data": {"dataset": _dataset({}, numbers)} | data,
                }
                for place, (start, numbers) in enumerate(plan.stages.items(), 1)
            ]

        def fill(root: Any) -> None:
            starts = {str(stage["start_training_step"]): stage for stage in stages}
            wanted = dict.fromkeys(starts, 1.0)
            for start, entry in yaml_edit.match_entries(
                root, ["data_stages"], wanted, lambda entry: entry.get("start_training_step")
            ):
                for key, value in starts[start].items():
                    if key != "data" or "data" not in entry:
                        yaml_edit.put(entry, [key], value)
                for key, values in starts[start]["data"]["dataset"].items():
                    yaml_edit.put(entry, ["data", "dataset", key], values)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """The stages in order of their steps; a stage that changes nothing is none."""
        stages: dict[int, Numbers] = {}
        refused: list[str] = []
        found = list(_stages(document))
        for stage in sorted(found, key=_start):
            numbers, faults = _numbers(stage)
            refused += faults
            if numbers != next(reversed(stages.values()), None) or faults:
                stages[_start(stage) - 1] = numbers
        starts = [_start(stage) for stage in found]
        if 1 not in starts or min(starts) < 1 or len(set(starts)) < len(starts):
            refused.append(
                "the first of data_stages begins at start_training_step 1, each at a "
                f"step of its own; got {starts[:12]}."
            )
        names = [stage.get("name") for stage in found]
        if len(set(map(str, names))) < len(names):
            refused.append("each of data_stages needs a name of its own.")
        return Config(
            stages,
            steps=_steps(document, max(starts)),
            refused=tuple(refused),
            traps=tuple(_traps(found)),
        )

    def recognises(self, document: Document) -> bool:
        """A list ``data_stages``."""
        return isinstance(document.mapping.get("data_stages"), list)


def _stages(document: Document) -> Iterator[Mapping[str, Any]]:
    stages = document.mapping.get("data_stages")
    if not isinstance(stages, list) or not stages:
        raise WrongContent(
            path=document.path,
            reason="has no list data_stages, so it is no config of Nanotron with a mixture",
        )
    for stage in stages:
        if not isinstance(stage, Mapping) or not isinstance(stage.get("start_training_step"), int):
            raise UnreadableFile(
                path=document.path,
                reason="each of data_stages needs a start_training_step, a whole number",
            )
        yield stage


def _start(stage: Mapping[str, Any]) -> int:
    return int(stage["start_training_step"])


def _data(stage: Mapping[str, Any]) -> Mapping[str, Any]:
    data = stage.get("data")
    dataset = data.get("dataset") if isinstance(data, Mapping) else None
    return dataset if isinstance(dataset, Mapping) else {}


def _steps(document: Document, last: int) -> int | None:
    steps = document.at("tokens").get("train_steps")
    return steps if isinstance(steps, int) and steps >= last else None


def _numbers(stage: Mapping[str, Any]) -> tuple[Numbers, list[str]]:
    """Folder to weight, and what Nanotron would refuse or read otherwise."""
    who, dataset = f"stage {str(stage.get('name'))[:60]!r}", _data(stage)
    folders, weights = dataset.get("dataset_folder"), dataset.get("dataset_weights")
    if isinstance(folders, Mapping):
        numbers = {str(folder): to_number(weight) for folder, weight in folders.items()}
        return numbers, [
            f"dataset_folder of {who} maps folders to weights, which Nanotron takes no "
            "more: write two lists."
        ]
    if isinstance(folders, str):
        return {folders: 1.0}, []
    if not isinstance(folders, list) or not folders:
        return {}, [f"{who} has no dataset_folder, so it trains on no mixture of token folders."]
    given = weights if isinstance(weights, list) else [1.0] * len(folders)
    numbers = {
        str(folder): to_number(weight) for folder, weight in zip(folders, given, strict=False)
    }
    fault = ""
    if weights is None and len(folders) > 1:
        fault = f"{who} has no dataset_weights: Nanotron's Nanoset goes by size then, its run_train.py takes all alike; write the weights."
    elif len(given) != len(folders) or not isinstance(weights, list | None):
        fault = f"dataset_weights of {who} must be a list as long as dataset_folder."
    elif len(numbers) < len(folders):
        fault = f"a folder stands twice in {who}."
    elif not all(value >= 0 for value in numbers.values()) or not sum(numbers.values()) > 0:
        fault = f"dataset_weights of {who} must be numbers >= 0, one of them above 0."
    return numbers, [fault] if fault else []


def _traps(stages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if len(stages) > 1:
        yield (
            "Nanotron's run_train.py builds the data of the last stage only: start the "
            "run with the first stage, and from its last "
            "checkpoint again with each stage added as it begins."
        )
    local = [folder for stage in stages for folder in _numbers(stage)[0] if "s3" not in folder]
    if local:
        yield f"Nanotron's trainer at 2411b02 stops after one step where a folder is not on s3, as {listed(local[:1])} is not."


def _merged(old: Sequence[Mapping[str, Any]], plan: Plan) -> list[dict[str, Any]]:
    """The stages of a config with the mixture that holds at each, and the stages that are new to it; none without a config."""
    if not old:
        return []
    there = {_start(stage): stage for stage in sorted(old, key=_start)}
    found = []
    for start in sorted({*there, *(step + 1 for step in plan.stages)}):
        like = there[max(step for step in there if step <= start or step == min(there))]
        numbers = plan.stages[max(step for step in plan.stages if step < max(start, 1))]
        stage = (
            dict(like)
            if start in there
            else {**like, "name": f"stage from {start}", "start_training_step": start}
        )
        data = like.get("data")
        found.append(
            stage
            | {
                "data": {
                    **(data if isinstance(data, Mapping) else {}),
                    "dataset": _dataset(_data(like), numbers),
                }
            }
        )
    return found


def _dataset(old: Mapping[str, Any], numbers: Numbers) -> dict[str, Any]:
    if "hf_dataset_or_datasets" in old:
        raise ReweightvizError(
            "a stage of this config reads a Hugging Face dataset "
            "(hf_dataset_or_datasets), which has no weights: "
            "give it a dataset_folder of tokens first."
        )
    folders = old.get("dataset_folder")
    before = (
        [folders]
        if isinstance(folders, str)
        else list(folders)
        if isinstance(folders, list)
        else []
    )
    new = order_like(numbers, before)
    parallel = [key for key in PARALLEL if old.get(key)]
    if parallel and list(new) != before:
        raise ReweightvizError(
            f"a stage of this config has {listed(parallel)}, read side by side with "
            "dataset_folder: the mixture may "
            "change the weights of those folders, not the folders."
        )
    return {**old, "dataset_folder": list(new), "dataset_weights": list(new.values())}
