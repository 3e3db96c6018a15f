"""GPT-NeoX: ``train_data_paths`` and ``train_data_weights`` of its YAML, spelled with _ or -.

GPT-NeoX blends sequences of one fixed length, so a weight is a share of tokens. A run reads
several YAML files together, and wants ``valid_data_paths`` and ``test_data_paths`` too, in this
file or another: a new file has the training data only. Its configs are mostly one flow mapping
``{...}`` with comments, of which a merge changes the two values and nothing else. Read from the
source of EleutherAI/gpt-neox at ea7aefd, whose own code the tests run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from reweightviz.core.errors import RefusedByFramework, ReweightvizError, WrongContent, listed
from reweightviz.core.sources import Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks.megatron import Megatron
from reweightviz.exporters.plan import Config, Entry, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit

PATHS, WEIGHTS = "train_data_paths", "train_data_weights"
PARALLEL = ("train_label_data_paths", "train_reward_data_paths")
"""Lists that GPT-NeoX reads side by side with the paths."""
MOST_DATASETS = 254


class GptNeox(Megatron):
    """GPT-NeoX: `train_data_paths` and `train_data_weights` of the training YAML."""

    name = "gpt-neox"
    aliases = ("neox", "gptneox")
    title = "GPT-NeoX"
    takes_schedules = False
    merges = True
    main_file = ""
    traps = (
        "GPT-NeoX repeats a dataset that is used up, as often as its weight asks, and "
        "says nothing.",
    )

    def render(
        self, plan: Plan, old: Document | None, *, prefix_dir: str | None = None
    ) -> dict[str, str]:
        """The YAML.

        Args:
            plan: what to write.
            old: a config to merge into.
            prefix_dir: where domains without paths lie, as ``<prefix_dir>/<name>_text_document``.
        """
        settings = _settings(old) if old is not None else {}
        there = _list(settings.get(PATHS))
        numbers = ordered(plan.numbers, there)
        parallel = [key for key in PARALLEL if settings.get(key)]
        if parallel and list(numbers) != there:
            raise ReweightvizError(
                f"this config has {listed(parallel)}, read side by side with {PATHS}: the "
                "mixture may change the "
                "weights of those paths, not the paths."
            )
        wanted: dict[str, Any] = {PATHS: list(numbers), WEIGHTS: list(numbers.values())}
        root = _composed(old)
        if old is not None and root is not None and root.flow_style:
            return {"": _spliced(old, root, wanted)}
        spelled = (
            {str(key).replace("-", "_"): str(key) for key in old.mapping} if old is not None else {}
        )

        def fill(root: Any) -> None:
            for key, values in wanted.items():
                yaml_edit.put(root, [spelled.get(key, key)], values)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """The two keys, as ``NeoXArgs`` reads them; missing weights are all 1.0."""
        settings = _settings(document)
        paths = settings.get(PATHS)
        if not isinstance(paths, list) or not paths:
            raise WrongContent(
                path=document.path, reason=f"has no list {PATHS}, so it gives GPT-NeoX no mixture"
            )
        given = settings.get(WEIGHTS)
        weights = [1.0] * len(paths) if given is None else _list(given)
        numbers: Numbers = {}
        for path, weight in zip(map(str, paths), weights, strict=False):
            numbers[path] = numbers.get(path, 0.0) + to_number(weight)
        traps = [
            f"{key} stands there spelled with _ and with -: GPT-NeoX takes the later."
            for key in (PATHS, WEIGHTS)
            if sum(str(name).replace("-", "_") == key for name in document.mapping) > 1
        ]
        if given is None and len(paths) > 1:
            traps.append(f"without {WEIGHTS} every dataset has the same weight, whatever its size.")
        if not settings.get("valid_data_paths") or not settings.get("test_data_paths"):
            traps.append(
                f"beside {PATHS} GPT-NeoX needs valid_data_paths and test_data_paths, "
                "here or in another file of the run."
            )
        return Config(
            {0: numbers}, refused=_faults(settings, paths, weights, numbers), traps=tuple(traps)
        )

    def recognises(self, document: Document) -> bool:
        """A list ``train_data_paths``, in either spelling."""
        return isinstance(_settings(document).get(PATHS), list)

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Prefix to domain, as in Megatron; a YAML list holds white space too."""
        found = super().make_entries(domains, sources, {**options, "form": "per_split"})
        if len(found) > MOST_DATASETS:
            raise RefusedByFramework(
                framework="GPT-NeoX",
                reason=f"blends at most {MOST_DATASETS} datasets; got {len(found):,}",
            )
        return found


def ordered(numbers: Mapping[str, float], there: Iterable[object]) -> Numbers:
    """The numbers with the names that a list holds already first, in its order."""
    kept = [name for name in map(str, there) if name in numbers]
    return {name: numbers[name] for name in dict.fromkeys([*kept, *numbers])}


def _settings(document: Document) -> dict[str, Any]:
    return {str(key).replace("-", "_"): value for key, value in document.mapping.items()}


def _composed(document: Document | None) -> MappingNode | None:
    try:
        root = YAML(pure=True).compose(document.text) if document is not None else None
    except (YAMLError, ValueError):
        return None
    return root if isinstance(root, MappingNode) else None


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else []


def _faults(
    settings: Mapping[str, Any], paths: Sequence[Any], weights: Sequence[Any], numbers: Numbers
) -> tuple[str, ...]:
    found = []
    if settings.get("weight_by_num_documents"):
        found.append(
            "weight_by_num_documents is true: GPT-NeoX makes its own weights from the "
            f"documents and overrides {WEIGHTS}."
        )
    if settings.get("train_epochs"):
        found.append(
            "with train_epochs GPT-NeoX passes over every dataset once and refuses "
            "weights other than 1.0: "
            "a mixture needs train_iters."
        )
    if settings.get("data_path") is not None:
        found.append(f"data_path stands beside {PATHS}: GPT-NeoX takes one of the two.")
    if len(weights) != len(paths):
        found.append(
            f"{WEIGHTS} must be a list as long as {PATHS}; it has {len(weights)} for {len(paths)}."
        )
    elif any(not value >= 0 for value in numbers.values()) or not sum(numbers.values()) > 0:
        found.append(f"{WEIGHTS} must be numbers >= 0, one of them above 0.")
    if len(paths) > MOST_DATASETS:
        found.append(f"GPT-NeoX blends at most {MOST_DATASETS} datasets; there are {len(paths):,}.")
    return tuple(found)


def _spliced(old: Document, root: MappingNode, wanted: Mapping[str, list[Any]]) -> str:
    """The text of a flow mapping with the values of a few keys changed; comments and all else stay as they are."""
    found = {key.value.replace("-", "_"): (key, value) for key, value in root.value}
    edits: list[tuple[int, int, str]] = []
    for name, values in wanted.items():
        if name in found:
            edits += _replaced(found[name][1], values)
    absent = [name for name in wanted if name not in found]
    if absent:
        like = found.get(PATHS)
        at = like[1].end_mark.index if like else root.start_mark.index + 1
        dashed = like is not None and "-" in like[0].value
        lines = [
            f"{json.dumps(name.replace('_', '-') if dashed else name)}: {_flow(wanted[name])}"
            for name in absent
        ]
        margin = "\n" + " " * (
            like[0].start_mark.column
            if like
            else root.value[0][0].start_mark.column
            if root.value
            else 2
        )
        edits.append(
            (at, at, "".join(f",{margin}{line}" if like else f"{margin}{line}," for line in lines))
        )
    new = old.text
    for start, end, text in sorted(edits, reverse=True):
        new = new[:start] + text + new[end:]
    after = {
        str(key).replace("-", "_"): value
        for key, value in (Document(old.path, new).mapping or {}).items()
    }
    if after != _settings(old) | wanted:
        raise WrongContent(
            path=old.path,
            reason="is written in a way that its mixture cannot be changed in place: "
            f"write {PATHS} and {WEIGHTS} as plain lists",
        )
    return new


def _replaced(node: Any, values: Sequence[Any]) -> list[tuple[int, int, str]]:
    items = node.value if isinstance(node, SequenceNode) else []
    if len(items) != len(values) or not all(isinstance(item, ScalarNode) for item in items):
        return [(node.start_mark.index, node.end_mark.index, _flow(values))]
    return [
        (item.start_mark.index, item.end_mark.index, _scalar(value))
        for item, value in zip(items, values, strict=True)
        if (item.value != value if isinstance(value, str) else to_number(item.value) != value)
    ]


def _flow(values: Sequence[Any]) -> str:
    return f"[{', '.join(map(_scalar, values))}]"


def _scalar(value: Any) -> str:
    text = json.dumps(value)
    return (
        text.replace("e", ".0e")
        if isinstance(value, float) and "e" in text and "." not in text
        else text
    )
