"""Levanter and Marin: ``data.train_weights``, one mapping or a list of [step, mapping].

Levanter mixes sequences of one fixed length in blocks of ``mixture_block_size`` with exact counts, so a weight below
1 / ``mixture_block_size`` is never drawn. Checked with marin-levanter 0.2.20; ``configs`` is what the older
stanford-crfm tree calls ``components``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from reweightviz.core.errors import ReweightvizError, listed
from reweightviz.exporters import yaml_text
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Config, Exporter, Numbers, Plan, number

BLOCK = 2048


class Levanter(Exporter):
    """Levanter, Marin: `data.train_weights` of the training YAML, with the components that it names; takes a schedule."""

    name = "levanter"
    aliases = ("marin", "marin-levanter")
    title = "Levanter"
    holds = r"[\w.-]+(?<!\.)(?<!\.\.)"
    schedules = True
    merges = True
    traps = ("with stop_strategy: restart Levanter repeats a component that is used up, as often as its weight asks, and says nothing.",)

    def render(self, plan: Plan, old: Document | None, *, tokenizer: str | None = None, cache_dir: str = "cache/",
               stop_strategy: str = "restart", mixture_block_size: int | None = None, batch_size: int | None = None) -> dict[str, str]:
        """The YAML with ``data``.

        Args:
            plan: what to write.
            old: a training config to merge into.
            tokenizer: name of the tokenizer; Levanter needs one, so a new file without it is to be completed.
            cache_dir: where Levanter keeps the tokenised components.
            stop_strategy: what happens when a component is used up.
            mixture_block_size: sequences in a block; what the config says, else 2048.
            batch_size: sequences in a batch, to check that the steps of a schedule fall on blocks.
        """
        data = _data(old) if old is not None else {}
        block = mixture_block_size or data.get("mixture_block_size") or BLOCK
        _check(plan, block, batch_size)
        stages = [[start, dict(numbers)] for start, numbers in plan.stages.items()]
        key = "configs" if "configs" in data else "components"

        def fill(root: Any) -> None:
            if old is None:
                yaml_text.put(root, ["data", "tokenizer"], tokenizer or "gpt2")
                yaml_text.put(root, ["data", "cache_dir"], cache_dir)
            for name in plan.entries:
                if name not in (data.get(key) or {}):
                    yaml_text.put(root, ["data", key, name], _component(plan.entries[name].paths))
            yaml_text.put(root, ["data", "train_weights"], stages[0][1] if len(stages) == 1 else stages)
            if old is None:
                yaml_text.put(root, ["data", "stop_strategy"], stop_strategy)
            if old is None or mixture_block_size:
                yaml_text.put(root, ["data", "mixture_block_size"], block)

        return {"": self.filled(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``data.train_weights``."""
        data = _data(document)
        weights = data.get("train_weights")
        try:
            pairs = [(0, weights)] if isinstance(weights, Mapping) else [(int(step), table) for step, table in weights or ()]
            stages = {step: {str(name): number(weight) for name, weight in table.items()} for step, table in pairs}
        except (TypeError, ValueError, AttributeError) as error:
            raise ReweightvizError(f"data.train_weights in {document.path} must map components to weights, or list "
                                   f"[step, weights] pairs: {error}.") from error
        if 0 not in stages:
            raise ReweightvizError(f"{document.path} has no data.train_weights from step 0 on, so Levanter does not train on a mixture.")
        block = data.get("mixture_block_size") or BLOCK
        components = data.get("components") or data.get("configs") or {}
        return Config(stages, refused=_faults(stages, components), traps=_vanishing(stages, block))

    def recognises(self, document: Document) -> bool:
        """``data.train_weights``."""
        return "train_weights" in _data(document)


def _data(document: Document) -> Mapping[str, Any]:
    data = document.mapping.get("data")
    return data if isinstance(data, Mapping) else {}


def _component(paths: tuple[str, ...]) -> dict[str, Any]:
    files = [path for path in paths if "." in path.rpartition("/")[2]]
    if paths and not files:
        return {"type": "cached", "source": {"type": "hf", "id": paths[0]}}
    return {"type": "cached", "source": {"type": "url", "train_urls": list(paths)}}


def _check(plan: Plan, block: int, batch_size: int | None) -> None:
    lost = _vanishing(plan.stages, block)
    if lost:
        raise ReweightvizError(lost[0].rstrip(".") + ": raise mixture_block_size= or the weight, or set it to 0.")
    late = [start for start in plan.stages if batch_size and start * batch_size % block]
    if late:
        step = block // math.gcd(block, batch_size or 1)
        raise ReweightvizError(f"a stage of Levanter begins on a block of {block} sequences, so with batch_size={batch_size} at a step "
                               f"that is a multiple of {step}; got {late[0]}.")


def _vanishing(stages: Mapping[int, Numbers], block: int) -> tuple[str, ...]:
    lost = {name: value for numbers in stages.values() for name, value in numbers.items()
            if 0 < value / (sum(numbers.values()) or 1) < 1 / block}
    return (f"{listed(lost)} would never be drawn: a share below 1/{block} has no place in a block of {block} sequences.",) if lost else ()


def _faults(stages: Mapping[int, Numbers], components: Mapping[str, Any]) -> tuple[str, ...]:
    for numbers in stages.values():
        bad = [name for name, value in numbers.items() if not value >= 0]
        if bad:
            return (f"train_weights must be numbers >= 0; those of {listed(bad)} are not.",)
        absent = [name for name in numbers if components and name not in components]
        if absent:
            return (f"train_weights names {listed(absent)}, which data.components does not hold.",)
    return ()
