"""Nanotron: ``data_stages`` of its YAML, each with folders of tokens and their weights.

Nanotron blends sequences of one fixed length, so a weight is a share of tokens. Its steps are
counted from 1: the stage with ``start_training_step: 1`` is the first, and one that a Schedule
begins at step s (after s steps) has s + 1. Read from the source of huggingface/nanotron at 2411b02,
whose own config and blending code the tests run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reweightviz.core.errors import ReweightvizError, UnreadableFile, WrongContent, list_names
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._foreign import Item, as_list, as_mapping, walk
from reweightviz.exporters.frameworks._weights import add_up, is_mixture, order_like
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit

__all__ = ["PARALLEL", "Nanotron"]


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
        """Return the YAML with ``data_stages``.

        Args:
            plan: what to write.
            old: a training config to merge into. Its stages keep what else they say, and those at
                steps that the mixture does not name get the mixture that holds there.
            seed: of a new file.
            num_loading_workers: of a new file.
        """
        if old is None:
            settings = {
                "num_loading_workers": whole_number("num_loading_workers", num_loading_workers),
                "seed": whole_number("seed", seed),
            }
            stages = _make_stages(plan, settings)
        else:
            stages = _merge_stages(list(_read_stages(old)), plan)
        starts = {str(_start(stage)): stage for stage in stages}

        def fill(root: Any) -> None:
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
        """Read the stages in order of their steps; a stage that changes nothing is none."""
        stages: dict[int, Numbers] = {}
        refused: list[str] = []
        found = list(_read_stages(document))
        if all(_trains_on_texts(stage) for stage in found):
            raise WrongContent(
                path=document.path,
                reason="trains on hf_dataset_or_datasets in every stage, which has no "
                "weights; token folders by weight stand in dataset_folder and dataset_weights",
            )
        for stage in sorted(found, key=_start):
            numbers = _read_numbers(stage)
            faults = list(_find_faults(stage, numbers))
            if numbers != next(reversed(stages.values()), None) or faults:
                # Nanotron counts steps from 1, a Schedule the steps that are done.
                stages[_start(stage) - 1] = numbers
            refused += faults
        starts = [_start(stage) for stage in found]
        if 1 not in starts or min(starts) < 1 or len(set(starts)) < len(starts):
            refused.append(
                "the first of data_stages begins at start_training_step 1, each at a "
                f"step of its own; got {starts[:12]}."
            )
        if len({str(stage.get("name")) for stage in found}) < len(found):
            refused.append("each of data_stages needs a name of its own.")
        steps = document.at("tokens").get("train_steps")
        return Config(
            stages,
            steps=steps if isinstance(steps, int) and steps >= max(starts) else None,
            refused=tuple(refused),
            traps=tuple(_find_traps(found)),
        )

    def recognises(self, document: Document) -> bool:
        """Return whether there is a list ``data_stages``."""
        return isinstance(document.mapping.get("data_stages"), list)


def _read_stages(document: Document) -> Iterator[Item]:
    stages = as_list(document.mapping.get("data_stages"))
    if not stages:
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


def _trains_on_texts(stage: Item) -> bool:
    dataset = _read_dataset(stage)
    return bool(dataset.get("hf_dataset_or_datasets")) and not dataset.get("dataset_folder")


def _start(stage: Item) -> int:
    return int(stage["start_training_step"])


def _read_dataset(stage: Item) -> Mapping[str, Any]:
    return as_mapping(walk(stage, ("data", "dataset")))


def _name(stage: Item) -> str:
    return f"stage {str(stage.get('name'))[:60]!r}"


def _lacks_weights(stage: Item) -> bool:
    dataset = _read_dataset(stage)
    return len(as_list(dataset.get("dataset_folder"))) > 1 and not dataset.get("dataset_weights")


def _read_numbers(stage: Item) -> Numbers:
    """Return folder to weight; folders without weights count alike."""
    dataset = _read_dataset(stage)
    folders = dataset.get("dataset_folder")
    if isinstance(folders, Mapping):
        # An example in Nanotron's own repository has this form, which its code takes no more.
        return {str(folder): to_number(weight) for folder, weight in folders.items()}
    if isinstance(folders, str):
        return {folders: 1.0}
    names = [str(folder) for folder in as_list(folders)]
    weights = dataset.get("dataset_weights")
    given = as_list(weights) or [1.0] * len(names)
    # A folder that stands twice is blended twice.
    return add_up(zip(names, map(to_number, given), strict=False))


def _find_faults(stage: Item, numbers: Numbers) -> Iterator[str]:
    """Return a sentence where Nanotron would refuse a stage or read it otherwise."""
    who = _name(stage)
    folder = _read_dataset(stage).get("dataset_folder")
    folders = as_list(folder)
    weights = _read_dataset(stage).get("dataset_weights")
    if isinstance(folder, Mapping):
        yield (
            f"dataset_folder of {who} maps folders to weights, which Nanotron takes no "
            "more: write two lists."
        )
    elif isinstance(folder, str):
        return
    elif not folders:
        yield f"{who} has no dataset_folder, so it trains on no mixture of token folders."
    elif weights is not None and len(as_list(weights)) != len(folders):
        yield f"dataset_weights of {who} must be a list as long as dataset_folder."
    elif not is_mixture(numbers):
        yield f"dataset_weights of {who} must be numbers >= 0, one of them above 0."


def _find_traps(stages: Sequence[Item]) -> Iterator[str]:
    if len(stages) > 1:
        yield (
            "Nanotron's run_train.py builds the data of the last stage only: start the "
            "run with the first stage, and from its last "
            "checkpoint again with each stage added as it begins."
        )
    bare = [_name(stage) for stage in stages if _lacks_weights(stage)]
    if bare:
        yield (
            f"{', '.join(bare)} has no dataset_weights: Nanotron's run_train.py at 2411b02 draws "
            "all folders alike then, its older Nanoset by their size."
        )
    local: list[str] = []
    for stage in stages:
        local += [folder for folder in _read_numbers(stage) if "s3" not in folder]
    if local:
        yield (
            "Nanotron's trainer at 2411b02 stops after one step where a folder is not on s3, as "
            f"{list_names(local[:1])} is not."
        )


def _make_stages(plan: Plan, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": f"stage {place}",
            "start_training_step": start + 1,
            "data": {"dataset": _make_dataset({}, numbers), **settings},
        }
        for place, (start, numbers) in enumerate(plan.stages.items(), 1)
    ]


def _merge_stages(old: Sequence[Item], plan: Plan) -> list[dict[str, Any]]:
    """Return the stages of a config with the mixture that holds at each, and those new to it."""
    there = {_start(stage): stage for stage in sorted(old, key=_start)}
    found = []
    for start in sorted({*there, *(step + 1 for step in plan.stages)}):
        before = [step for step in there if step <= start]
        # A new stage takes all but the weights from the one that it cuts in two.
        like = there[max(before, default=min(there))]
        numbers = plan.stages[max(step for step in plan.stages if step < max(start, 1))]
        stage = dict(like)
        if start not in there:
            stage |= {"name": f"stage from {start}", "start_training_step": start}
        dataset = _make_dataset(_read_dataset(like), numbers)
        stage["data"] = {**as_mapping(like.get("data")), "dataset": dataset}
        found.append(stage)
    return found


def _make_dataset(old: Mapping[str, Any], numbers: Numbers) -> dict[str, Any]:
    if "hf_dataset_or_datasets" in old:
        raise ReweightvizError(
            "a stage of this config reads a Hugging Face dataset "
            "(hf_dataset_or_datasets), which has no weights: "
            "give it a dataset_folder of tokens first."
        )
    folders = old.get("dataset_folder")
    before = [folders] if isinstance(folders, str) else as_list(folders)
    new = order_like(numbers, before)
    parallel = [key for key in PARALLEL if old.get(key)]
    if parallel and list(new) != before:
        raise ReweightvizError(
            f"a stage of this config has {list_names(parallel)}, read side by side with "
            "dataset_folder: the mixture may "
            "change the weights of those folders, not the folders."
        )
    return {**old, "dataset_folder": list(new), "dataset_weights": list(new.values())}
