"""NeMo Automodel: ``dataset.paths`` of the training YAML, and ``domain_mixture`` beside it.

Its ``MegatronPretraining`` blends sequences of one fixed length as megatron-core does, so a weight
is a share of tokens. ``domain_mixture`` weighs the loss of each domain by its ``objective_weight``
over its ``sampling_weight``, and must repeat paths and weights of the blend: a merge keeps them
alike, and what a person asked of the objective as it is. Checked with nemo-automodel 0.7.0.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reweightviz.core.errors import ReweightvizError, WrongContent, list_names
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._foreign import Item, as_entries, walk
from reweightviz.exporters.frameworks._megatron import IndexedBlend
from reweightviz.exporters.frameworks._megatron_blend import Blend, blend_words
from reweightviz.exporters.frameworks._weights import order_like
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import COPIES

__all__ = ["DOMAINS", "PATHS", "TARGET", "Automodel"]


PATHS = ("dataset", "paths")
DOMAINS = ("domain_mixture", "domains")
TARGET = "nemo_automodel.components.datasets.llm.megatron_dataset.MegatronPretraining"


class Automodel(IndexedBlend):
    """NeMo Automodel: `dataset.paths` of the training YAML, with `domain_mixture` kept alike."""

    name = "automodel"
    aliases = ("nemo-automodel",)
    title = "NeMo Automodel"
    # A blend without weights goes by size.
    read_only_units = (COPIES,)
    merges = True
    traps = (
        "Automodel repeats a dataset that is used up, as often as its weight asks, and says "
        "nothing.",
    )

    def render(
        self, plan: Plan, old: Document | None, *, prefix_dir: str | None = None
    ) -> dict[str, str]:
        """Return the YAML.

        Args:
            plan: what to write.
            old: a training YAML to merge into.
            prefix_dir: where domains without paths lie, as ``<prefix_dir>/<name>_text_document``.
        """
        content = {} if old is None else old.mapping
        domains = as_entries(walk(content, DOMAINS))
        keys = [*PATHS]
        if isinstance(walk(content, PATHS), Mapping):
            keys.append("train")
        there = [str(domain.get("path")).strip() for domain in domains]
        numbers = order_like(plan.numbers, there or _find_prefixes(walk(content, keys)))
        if domains and list(numbers) != there:
            raise ReweightvizError(
                f"{'.'.join(DOMAINS)} of this config names {list_names(there)}, and the mixture "
                f"{list_names(numbers)}: its domains must be those of the blend, so change them "
                "first."
            )
        words: list[Any] = []
        for prefix, weight in numbers.items():
            words += (weight, prefix)

        def fill(root: Any) -> None:
            if old is None:
                yaml_edit.put(root, ["dataset", "_target_"], TARGET)
            yaml_edit.put(root, keys, words)
            for place, weight in enumerate(numbers.values() if domains else ()):
                entry = root[DOMAINS[0]][DOMAINS[1]][place]
                yaml_edit.put(entry, ["sampling_weight"], weight)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``dataset.paths`` as ``MegatronPretraining`` does, and check the domains."""
        words = _read_words(document)
        if not words:
            raise WrongContent(
                path=document.path,
                reason="has no list dataset.paths, so it gives Automodel no mixture",
            )
        blend = blend_words(words)
        config = blend.to_config()
        if walk(document.mapping, DOMAINS) is None:
            return config
        domains = as_entries(walk(document.mapping, DOMAINS))
        faults = tuple(_find_domain_faults(domains, _find_prefixes(words), blend))
        trap = (
            "domain_mixture weighs the loss of each domain by objective_weight over "
            "sampling_weight: the numbers here are how often it is drawn."
        )
        refused = (*config.refused, *faults)
        return replace(config, refused=refused, traps=(*config.traps, trap))

    def recognises(self, document: Document) -> bool:
        """Return whether its dataset is a ``MegatronPretraining`` of several paths."""
        dataset = document.at("dataset")
        target = str(dataset.get("_target_", ""))
        if not target.startswith("nemo_automodel.") or "MegatronPretraining" not in target:
            return False
        return isinstance(dataset.get("paths"), list | Mapping) or bool(_read_words(document))


def _read_words(document: Document) -> list[Any]:
    """Return the training words of the blend, from the YAML or the JSON that it names."""
    paths = walk(document.mapping, PATHS)
    if isinstance(paths, str) and paths.endswith(".json"):
        try:
            paths = json.loads(document.sibling(paths).text)
        except (ReweightvizError, ValueError, RecursionError):
            return []
    if isinstance(paths, Mapping):
        paths = paths.get("train")
    return list(paths) if isinstance(paths, list) else []


def _find_prefixes(words: object) -> list[str]:
    """Return the prefixes of weights and prefixes in turn, or of prefixes alone."""
    if not isinstance(words, list):
        return []
    if all(isinstance(word, str) and math.isnan(to_number(word)) for word in words):
        return [str(word).strip() for word in words]
    return [str(word).strip() for word in words[1::2]]


def _find_domain_faults(
    domains: Sequence[Item], prefixes: Sequence[str], blend: Blend
) -> Iterator[str]:
    where = ".".join(DOMAINS)
    if len(domains) < 2:
        yield f"{where} must list two domains at least, each with its weights."
        return
    if blend.unit is not None:
        yield f"{where} needs weights in dataset.paths."
        return
    if [str(domain.get("path")).strip() for domain in domains] != list(prefixes):
        yield f"the paths of {where} must be those of dataset.paths, in their order."
        return
    names = [str(domain.get("name")) for domain in domains]
    if len(set(names)) < len(names):
        yield f"the names of {where} must each stand once."
    weights = [to_number(domain.get("sampling_weight")) for domain in domains]
    whole = math.fsum(weights)
    drawn = math.fsum(blend.numbers.values())
    shares = [blend.numbers[prefix] / drawn for prefix in prefixes]
    alike = (
        math.isclose(weight / whole, share, rel_tol=1e-6, abs_tol=1e-8)
        for weight, share in zip(weights, shares, strict=True)
    )
    # A prefix that stands twice has its sum in the blend, and no share of its own to compare.
    if not all(weight > 0 for weight in weights):
        yield f"each sampling_weight of {where} must be a number above 0."
    elif len(set(prefixes)) == len(prefixes) and not all(alike):
        yield f"the sampling_weights of {where} must be the weights of dataset.paths."
    objectives = [to_number(domain.get("objective_weight")) for domain in domains]
    if not (all(weight >= 0 for weight in objectives) and sum(objectives) > 0):
        yield f"the objective_weights of {where} must be numbers >= 0, one of them above 0."
