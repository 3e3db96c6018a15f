"""GPT-NeoX: ``train_data_paths`` and ``train_data_weights`` of its YAML, spelled with _ or -.

GPT-NeoX blends sequences of one fixed length, so a weight is a share of tokens. A run reads
several YAML files together, and needs ``valid_data_paths`` and ``test_data_paths`` too, in this
file or another: a new file has the training data only. Its configs are mostly one flow mapping
``{...}`` with comments, of which a merge changes the two values and nothing else. Read from the
source of EleutherAI/gpt-neox at ea7aefd, whose own code the tests run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml.nodes import MappingNode

from reweightviz.core.errors import RefusedByFramework, ReweightvizError, WrongContent, list_names
from reweightviz.core.sources import Sources
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._flow_yaml import compose_flow, splice
from reweightviz.exporters.frameworks._foreign import as_list
from reweightviz.exporters.frameworks._megatron import IndexedBlend
from reweightviz.exporters.frameworks._weights import add_up, is_mixture, mention_again, order_like
from reweightviz.exporters.plan import Config, Entry, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit

__all__ = ["MOST_DATASETS", "PARALLEL", "PATHS", "WEIGHTS", "GptNeox"]


PATHS = "train_data_paths"
WEIGHTS = "train_data_weights"
PARALLEL = ("train_label_data_paths", "train_reward_data_paths")
"""Lists that GPT-NeoX reads side by side with the paths."""
# GPT-NeoX asks for fewer than 255 datasets: it indexes them by 8 bits.
MOST_DATASETS = 254


class GptNeox(IndexedBlend):
    """GPT-NeoX: `train_data_paths` and `train_data_weights` of the training YAML."""

    name = "gpt-neox"
    aliases = ("neox", "gptneox")
    title = "GPT-NeoX"
    merges = True
    traps = (
        "GPT-NeoX repeats a dataset that is used up, as often as its weight asks, and "
        "says nothing.",
    )

    def render(
        self, plan: Plan, old: Document | None, *, prefix_dir: str | None = None
    ) -> dict[str, str]:
        """Return the YAML.

        Args:
            plan: what to write.
            old: a config to merge into.
            prefix_dir: where domains without paths lie, as ``<prefix_dir>/<name>_text_document``.
        """
        if old is None:
            return {"": self.render_yaml(plan, None, lambda root: _put_lists(root, plan.numbers))}
        settings = _read_settings(old)
        there = as_list(settings.get(PATHS))
        numbers = order_like(plan.numbers, there)
        parallel = [key for key in PARALLEL if settings.get(key)]
        if parallel and list(numbers) != there:
            raise ReweightvizError(
                f"this config has {list_names(parallel)}, read side by side with {PATHS}: the "
                "mixture may change the "
                "weights of those paths, not the paths."
            )
        # Most configs are one flow mapping, whose comments are kept by splicing alone.
        root = compose_flow(old.text)
        if root is not None:
            return {"": _splice(old, root, numbers)}
        # A key keeps its spelling: of two that differ in it GPT-NeoX takes the later.
        spelled = {str(key).replace("-", "_"): str(key) for key in old.mapping}
        return {"": self.render_yaml(plan, old, lambda root: _put_lists(root, numbers, spelled))}

    def parse(self, document: Document) -> Config:
        """Read the two keys, as ``NeoXArgs`` does; missing weights are all 1.0."""
        settings = _read_settings(document)
        paths = as_list(settings.get(PATHS))
        if not paths:
            raise WrongContent(
                path=document.path, reason=f"has no list {PATHS}, so it gives GPT-NeoX no mixture"
            )
        weights = as_list(settings.get(WEIGHTS))
        if settings.get(WEIGHTS) is None:
            weights = [1.0] * len(paths)
        # Lists of two lengths are refused below, and read as far as they pair.
        numbers = add_up(zip(map(str, paths), map(to_number, weights), strict=False))
        return Config(
            {0: numbers},
            refused=tuple(_find_faults(settings, paths, weights, numbers)),
            traps=tuple(_find_traps(document, settings, paths)),
        )

    def recognises(self, document: Document) -> bool:
        """Return whether there is a list ``train_data_paths``, in either spelling."""
        return isinstance(_read_settings(document).get(PATHS), list)

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Return prefix to domain, at most 254."""
        found = super().make_entries(domains, sources, options)
        if len(found) > MOST_DATASETS:
            raise RefusedByFramework(
                framework="GPT-NeoX",
                reason=f"blends at most {MOST_DATASETS} datasets; got {len(found):,}",
            )
        return found


def _read_settings(document: Document) -> dict[str, Any]:
    """Return the settings of a config by key, spelled with _."""
    return {str(key).replace("-", "_"): value for key, value in document.mapping.items()}


def _make_lists(numbers: Numbers) -> dict[str, list[Any]]:
    return {PATHS: list(numbers), WEIGHTS: list(numbers.values())}


def _put_lists(root: Any, numbers: Numbers, spelled: Mapping[str, str] | None = None) -> None:
    for key, values in _make_lists(numbers).items():
        yaml_edit.put(root, [(spelled or {}).get(key, key)], values)


def _splice(old: Document, root: MappingNode, numbers: Numbers) -> str:
    lists = _make_lists(numbers)
    new = splice(old.text, root, lists, beside=PATHS)
    # Read back, for splicing goes by places and cannot see anchors or a key that stands twice.
    if _read_settings(Document(old.path, new)) != _read_settings(old) | lists:
        raise WrongContent(
            path=old.path,
            reason="is written in a way that its mixture cannot be changed in place: "
            f"write {PATHS} and {WEIGHTS} as plain lists",
        )
    return new


def _find_faults(
    settings: Mapping[str, Any], paths: Sequence[Any], weights: Sequence[Any], numbers: Numbers
) -> Iterator[str]:
    if settings.get("weight_by_num_documents"):
        yield (
            "weight_by_num_documents is true: GPT-NeoX makes its own weights from the "
            f"documents and overrides {WEIGHTS}."
        )
    if settings.get("train_epochs"):
        yield (
            "with train_epochs GPT-NeoX passes over every dataset once and refuses "
            "weights other than 1.0: "
            "a mixture needs train_iters."
        )
    if settings.get("data_path") is not None:
        yield f"data_path stands beside {PATHS}: GPT-NeoX takes one of the two."
    if len(weights) != len(paths):
        yield (
            f"{WEIGHTS} must be a list as long as {PATHS}; it has {len(weights)} for {len(paths)}."
        )
    elif not is_mixture(numbers):
        yield f"{WEIGHTS} must be numbers >= 0, one of them above 0."
    if len(paths) > MOST_DATASETS:
        yield f"GPT-NeoX blends at most {MOST_DATASETS} datasets; there are {len(paths):,}."


def _find_traps(
    document: Document, settings: Mapping[str, Any], paths: Sequence[Any]
) -> Iterator[str]:
    spelled = [str(key).replace("-", "_") for key in document.mapping]
    for key in (PATHS, WEIGHTS):
        if spelled.count(key) > 1:
            yield f"{key} stands there spelled with _ and with -: GPT-NeoX takes the later."
    if settings.get(WEIGHTS) is None and len(paths) > 1:
        yield f"without {WEIGHTS} every dataset has the same weight, whatever its size."
    if not settings.get("valid_data_paths") or not settings.get("test_data_paths"):
        yield (
            f"beside {PATHS} GPT-NeoX needs valid_data_paths and test_data_paths, "
            "here or in another file of the run."
        )
    yield from mention_again([str(path) for path in paths], "GPT-NeoX")
