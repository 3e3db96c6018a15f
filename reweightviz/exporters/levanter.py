"""Levanter and Marin: ``data.train_weights``, one mapping or a list of [step, mapping].

Levanter mixes sequences of one fixed length in blocks of ``mixture_block_size`` with whole counts, so a weight below
1 / ``mixture_block_size`` is never drawn. Checked with marin-levanter 0.2.20; ``configs`` is what the older
stanford-crfm tree calls ``components``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from reweightviz.core.errors import ReweightvizError, listed, unknown_name
from reweightviz.exporters import yaml_text
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Config, Exporter, Numbers, Plan, number

BLOCK, LARGEST_BLOCK = 2048, 2**15
STRATEGIES = ("restart", "first_exhausted", "all_exhausted")
FILES = (".json", ".jsonl", ".parquet", ".txt", ".gz", ".zst", ".zstd", ".bz2", ".xz")


class Levanter(Exporter):
    """Levanter, Marin: `data.train_weights` of the training YAML, with the components that it names; takes a schedule."""

    name = "levanter"
    aliases = ("marin", "marin-levanter")
    title = "Levanter"
    holds = r"(?!.*\.(/|$))[\w.-]{1,60}(/[\w.-]{1,60}){0,3}"
    schedules = True
    merges = True
    traps = ("with stop_strategy: restart or all_exhausted Levanter repeats a component that is used up, and says nothing.",)

    def render(self, plan: Plan, old: Document | None, *, tokenizer: str | None = None, cache_dir: str = "cache/",
               stop_strategy: str | None = None, mixture_block_size: int | None = None, batch_size: int | None = None) -> dict[str, str]:
        """The YAML with ``data``.

        Args:
            plan: what to write.
            old: a training config to merge into, or the file that holds its ``data``.
            tokenizer: name of the tokenizer in a new file, else Levanter's own default, gpt2.
            cache_dir: where Levanter keeps the tokenised components, in a new file.
            stop_strategy: "restart", what Levanter does by itself, or "first_exhausted" or "all_exhausted", where training ends.
            mixture_block_size: sequences in a block; what the config says, else 2048, or as many more as the smallest weight needs.
            batch_size: sequences in a batch, to check that the stages of a schedule begin on blocks; a config tells it itself.
        """
        if stop_strategy is not None and stop_strategy not in STRATEGIES:
            raise unknown_name("stop_strategy", stop_strategy, STRATEGIES)
        keys, data = _data(old) if old is not None else (["data"], {})
        block = mixture_block_size or data.get("mixture_block_size") or _block(plan.stages.values())
        _check(plan, block, batch_size if batch_size is not None or old is None else _batches(old))
        stages: list[Any] = [[start, dict(numbers)] for start, numbers in plan.stages.items()]
        weights = plan.numbers | idle(data.get("train_weights"), plan)
        components = "configs" if "configs" in data else "components"
        there = data.get(components) if isinstance(data.get(components), Mapping) else {}

        def fill(root: Any) -> None:
            if old is None:
                yaml_text.put(root, [*keys, "tokenizer"], tokenizer or "gpt2")
                yaml_text.put(root, [*keys, "cache_dir"], cache_dir)
            for name in plan.entries:
                if name not in there:
                    yaml_text.put(root, [*keys, components, name], _component(plan.entries[name].paths, components))
            yaml_text.put(root, [*keys, "train_weights"], weights if len(stages) == 1 else stages)
            if old is None or stop_strategy:
                yaml_text.put(root, [*keys, "stop_strategy"], stop_strategy or STRATEGIES[0])
            if block != data.get("mixture_block_size", BLOCK if old is not None else None):
                yaml_text.put(root, [*keys, "mixture_block_size"], block)

        return {"": self.filled(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``data.train_weights``; without it every component has weight 1."""
        data = _data(document)[1]
        given = data.get("components") or data.get("configs")
        components = given if isinstance(given, Mapping) else {}
        weights = data.get("train_weights")
        if weights is None:
            weights = dict.fromkeys(components, 1.0)
        try:
            pairs = [(0, weights)] if isinstance(weights, Mapping) else [(int(step), table) for step, table in weights or ()]
            stages = {step: {str(name): number(weight) for name, weight in table.items()} for step, table in pairs}
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ReweightvizError(f"data.train_weights in {document.path} must map components to weights, or list "
                                   f"[step, weights] pairs: {error}.") from error
        if not stages.get(0):
            raise ReweightvizError(f"{document.path} has no data.train_weights from step 0 on, so Levanter does not train on a mixture.")
        steps = [step for step, _ in pairs]
        refused = list(_faults(stages, components))
        if any(late <= early for early, late in itertools.pairwise(steps)):
            refused.append(f"the steps of train_weights must rise from 0; they are {steps}.")
        block = data.get("mixture_block_size") or BLOCK
        if not _is_block(block):
            refused.append(f"mixture_block_size must be a whole number below {2**16}; it is {block!r}.")
            block = BLOCK
        strategy = data.get("stop_strategy", STRATEGIES[0])
        if strategy not in STRATEGIES:
            refused.append(f"stop_strategy must be one of {listed(STRATEGIES)}; it is {strategy!r}.")
        paths = {name: [str(path) for path in _paths(components.get(name))] for name in stages[0]}
        return Config(stages, paths=paths, refused=(*refused, *_late(stages, _batches(document), block)),
                      traps=(*_vanishing(stages, block), *_coarse(stages, block), *_strategy_traps(strategy)))

    def recognises(self, document: Document) -> bool:
        """``train_weights`` or ``components``, in ``data`` or in a file of its own."""
        data = _data(document)[1]
        return "train_weights" in data or (isinstance(data.get("components"), Mapping) and bool({"tokenizer", "cache_dir"} & set(data)))


def idle(before: Any, plan: Plan) -> dict[str, Any]:
    """The entries of weight 0 in a mapping that a merge leaves as they are: the mixture does not name them."""
    table = before if isinstance(before, Mapping) else {}
    return {name: value for name, value in table.items() if number(value) == 0 and name not in {*plan.entries, *plan.gone}}


def _data(document: Document) -> tuple[list[str], Mapping[str, Any]]:
    """Where ``data`` is, and what it holds; a file that others include as their ``data`` is one itself."""
    content = document.mapping
    if "train_weights" in content and {"components", "configs"} & set(content):
        return [], content
    data = content.get("data")
    return ["data"], data if isinstance(data, Mapping) else {}


def _component(paths: tuple[str, ...], key: str) -> dict[str, Any]:
    hub = len(paths) == 1 and "://" not in paths[0] and not paths[0].startswith((".", "/", "~")) and not paths[0].lower().endswith(FILES)
    source = {"id": paths[0]} if hub else {"train_urls": list(paths)}
    return source if key == "configs" else {"type": "cached", "source": {"type": "hf" if hub else "url"} | source}


def _paths(component: Any) -> list[Any]:
    source = component.get("source", component) if isinstance(component, Mapping) else {}
    if not isinstance(source, Mapping):
        return []
    return [source["id"]] if source.get("id") else list(source.get("train_urls") or ())


def _block(stages: Iterable[Numbers]) -> int:
    """The smallest block of 2048 times a power of 2 that has a place for every weight."""
    least = min((value / sum(numbers.values()) for numbers in stages for value in numbers.values() if value), default=1.0)
    return min(max(BLOCK, 2 ** math.ceil(math.log2(1 / least))), LARGEST_BLOCK)


def _check(plan: Plan, block: Any, batches: Any) -> None:
    if not _is_block(block):
        raise ReweightvizError(f"mixture_block_size must be a whole number below {2**16}; got {block!r}.")
    lost, late = _vanishing(plan.stages, block), _late(plan.stages, batches, block)
    if lost:
        raise ReweightvizError(lost[0].rstrip(".") + ": raise mixture_block_size= or the weight, or set it to 0.")
    if late:
        raise ReweightvizError(late[0])


def _is_block(block: object) -> bool:
    return isinstance(block, int) and not isinstance(block, bool) and 0 < block < 2**16


def _batches(document: Document) -> Any:
    trainer = document.mapping.get("trainer")
    return trainer.get("train_batch_size") if isinstance(trainer, Mapping) else None


def _late(stages: Iterable[int], batches: Any, block: int) -> tuple[str, ...]:
    """A sentence where a stage begins inside a block; ``batches`` is Levanter's batch size, a number or a list of starts and values."""
    try:
        rows = [(0, int(batches))] if not isinstance(batches, list) else [(int(row["start"]), int(row["value"])) for row in batches]
    except (TypeError, ValueError, KeyError, OverflowError):
        return ()
    if not rows:
        return ()
    ends = [start for start, _ in rows[1:]] + [math.inf]
    for step in stages:
        begin = sum(int(min(end, step) - start) * value for (start, value), end in zip(rows, ends, strict=True) if start < step)
        if begin % block:
            every = f", at a step that is a multiple of {block // math.gcd(block, rows[0][1])}" if len(rows) == 1 else ""
            return (f"a stage of Levanter begins on a block of {block} sequences{every}; step {step} is sequence {begin}.",)
    return ()


def _coarse(stages: Mapping[int, Numbers], block: int) -> tuple[str, ...]:
    off = {name: share for numbers in stages.values() for name, value in numbers.items()
           if (share := value / (sum(numbers.values()) or 1)) * block >= 1 and int(share * block) < 0.95 * share * block}
    return (f"the share of {listed(off)} is rounded down by more than a twentieth, to a whole number of {block} sequences.",) if off else ()


def _vanishing(stages: Mapping[int, Numbers], block: int) -> tuple[str, ...]:
    lost = {name: value for numbers in stages.values() for name, value in numbers.items()
            if 0 < value / (sum(numbers.values()) or 1) < 1 / block}
    return (f"{listed(lost)} would never be drawn: a share below 1/{block} has no place in a block of {block} sequences.",) if lost else ()


def _strategy_traps(strategy: object) -> tuple[str, ...]:
    return ("with stop_strategy: first_exhausted Levanter ends when the first component is used up.",) if strategy == STRATEGIES[1] else ()


def _faults(stages: Mapping[int, Numbers], components: Mapping[str, Any]) -> tuple[str, ...]:
    for numbers in stages.values():
        bad = [name for name, value in numbers.items() if not value >= 0]
        if bad or not sum(numbers.values()):
            return (f"train_weights must be numbers >= 0; those of {listed(bad)} are not." if bad else "train_weights sum to 0.",)
        absent = [name for name in numbers if components and name not in components]
        if absent:
            return (f"train_weights names {listed(absent)}, which data.components does not hold.",)
    return ()
