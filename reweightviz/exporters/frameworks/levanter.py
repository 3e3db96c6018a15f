"""Levanter and Marin: ``data.train_weights``, one mapping or a list of [step, mapping].

Levanter mixes sequences of one fixed length in blocks of ``mixture_block_size`` with whole counts,
so a weight below 1 / ``mixture_block_size`` is never drawn. Checked with marin-levanter 0.2.20;
``configs`` is what the older stanford-crfm tree calls ``components``, which marin-levanter
refuses.

A merge keeps the comments beside the weights, but for a mixture that takes the place of a
schedule, or a schedule that of one with other steps: then the list is written anew.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from reweightviz.core.errors import (
    ReweightvizError,
    UnknownName,
    UnreadableFile,
    WrongContent,
    listed,
    warn,
)
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import endings, yaml_edit, yaml_write

BLOCK, LARGEST_BLOCK = 2048, 2**15
STRATEGIES = ("restart", "first_exhausted", "all_exhausted")
FILE = re.compile(r"[^$]*\.(json|jsonl|parquet|txt)(\.\w+)?")
"""What Levanter reads, which goes by the last two endings and fills in no variables."""
HUB = re.compile(r"(\w[\w.-]*(?:/[\w.-]+)?)(?::([\w.-]+))?")
"""A dataset of the Hub and its configuration, ``org/name:en``; Levanter takes its train split."""


class Levanter(Exporter):
    """Levanter, Marin: `data.train_weights` of the training YAML, with the components that it names; takes a schedule."""

    name = "levanter"
    aliases = ("marin", "marin-levanter")
    title = "Levanter"
    name_pattern = r"(?!.*\.(/|$))[\w.-]{1,60}(/[\w.-]{1,60}){0,3}"
    takes_schedules = True
    merges = True
    traps = (
        "with stop_strategy: restart or all_exhausted Levanter repeats a component that "
        "is used up, and says nothing.",
    )

    def render(
        self,
        plan: Plan,
        old: Document | None,
        *,
        tokenizer: str | None = None,
        cache_dir: str = "cache/",
        stop_strategy: str | None = None,
        mixture_block_size: int | None = None,
        batch_size: int | None = None,
    ) -> dict[str, str]:
        """The YAML with ``data``.

        Args:
            plan: what to write.
            old: a training config to merge into, or the file that holds its ``data``.
            tokenizer: name of the tokenizer in a new file; Levanter's own default without it.
            cache_dir: where Levanter keeps the tokenised components, in a new file.
            stop_strategy: "restart", what Levanter does by itself, or "first_exhausted" or
                "all_exhausted", where training ends.
            mixture_block_size: sequences in a block; what the config says, else 2048, or as many
                more as the smallest weight needs.
            batch_size: sequences in a batch, to check that the stages of a schedule begin on
                blocks; a config tells it itself.
        """
        if stop_strategy is not None and stop_strategy not in STRATEGIES:
            raise UnknownName(kind="stop_strategy", name=stop_strategy, known=STRATEGIES)
        keys, data = _data(old) if old is not None else (["data"], {})
        block = mixture_block_size or data.get("mixture_block_size") or _block(plan.stages.values())
        block = whole_number("mixture_block_size", block, 1, 2**16 - 1)
        _check(plan, block, batch_size if batch_size is not None or old is None else _batches(old))
        key = "configs" if "configs" in data else "components"
        there = set(map(str, old.at(*keys, key))) if old is not None else set()
        new = {name: entry.paths for name, entry in plan.entries.items() if name not in there}
        _warn_of_places(new)

        def fill(root: Any) -> None:
            if old is None:
                yaml_edit.put_all(
                    root,
                    {
                        "data": ({"tokenizer": tokenizer} if tokenizer else {})
                        | {"cache_dir": cache_dir}
                    },
                )
            for name, paths in new.items():
                yaml_edit.put(root, [*keys, key, name], _component(paths, key))
            _enter(root, keys, plan, data.get("train_weights"))
            if old is None or stop_strategy:
                yaml_edit.put(root, [*keys, "stop_strategy"], stop_strategy or STRATEGIES[0])
            if block != data.get("mixture_block_size", BLOCK if old is not None else None):
                yaml_edit.put(root, [*keys, "mixture_block_size"], block)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """``data.train_weights``; without it every component has weight 1."""
        data = _data(document)[1]
        given = data.get("components") or data.get("configs")
        components = (
            {str(name): one for name, one in given.items()} if isinstance(given, Mapping) else {}
        )
        weights = data.get("train_weights")
        if weights is None:
            weights = dict.fromkeys(components, 1.0)
        try:
            pairs = (
                [(0, weights)]
                if isinstance(weights, Mapping)
                else [(step, table) for step, table in weights or ()]
            )
            stages = {
                int(step): {str(name): to_number(weight) for name, weight in table.items()}
                for step, table in pairs
            }
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UnreadableFile(
                path=document.path,
                reason="data.train_weights must map components to weights, or list "
                f"[step, weights] pairs: {error}",
            ) from error
        if not stages.get(0):
            raise WrongContent(
                path=document.path,
                reason="has no data.train_weights from step 0 on, so Levanter does not train "
                "on a mixture",
            )
        refused = list(_faults(stages, components))
        odd = [step for step, _ in pairs if isinstance(step, bool | float)]
        if odd:
            refused.append(
                f"the steps of train_weights must be whole numbers; {listed(odd)} is none."
            )
        elif any(int(late) <= int(early) for (early, _), (late, _) in itertools.pairwise(pairs)):
            refused.append(
                "the steps of train_weights must rise from 0; they are "
                f"{[step for step, _ in pairs]}."
            )
        block = data.get("mixture_block_size") or BLOCK
        if not _is_block(block):
            refused.append(
                f"mixture_block_size must be a whole number below {2**16}; it is {block!r}."
            )
            block = BLOCK
        strategy = data.get("stop_strategy", STRATEGIES[0])
        if strategy not in STRATEGIES:
            refused.append(
                f"stop_strategy must be one of {listed(STRATEGIES)}; it is {strategy!r}."
            )
        paths = {
            name: _paths(components.get(name)) for numbers in stages.values() for name in numbers
        }
        steps = document.at("trainer").get("num_train_steps")
        return Config(
            stages,
            paths=paths,
            steps=steps if isinstance(steps, int) and steps > max(stages) else None,
            refused=(*refused, *_late(stages, _batches(document), block)),
            traps=(
                *_vanishing(stages, block),
                *_coarse(stages, block),
                *_surprises(stages, data, components),
            ),
        )

    def recognises(self, document: Document) -> bool:
        """``train_weights`` or ``components``, in ``data`` or in a file of its own."""
        data = _data(document)[1]
        components = data.get("components")
        made = (
            isinstance(components, Mapping)
            and bool(components)
            and all(isinstance(one, Mapping) for one in components.values())
        )
        return "train_weights" in data or (made and bool({"tokenizer", "cache_dir"} & set(data)))


def idle(before: Any, plan: Plan) -> dict[str, Any]:
    """The entries of weight 0 in a mapping that a merge leaves as they are: the mixture does not name them."""
    table = (
        {str(name): value for name, value in before.items()} if isinstance(before, Mapping) else {}
    )
    return {
        name: value
        for name, value in table.items()
        if to_number(value) == 0 and name not in {*plan.entries, *plan.dropped_names}
    }


def _data(document: Document) -> tuple[list[str], Mapping[str, Any]]:
    """Where ``data`` is, and what it holds; a file that others include as their ``data`` is one itself."""
    content = document.mapping
    whole = "train_weights" in content and {"components", "configs"} & set(content)
    return ([], content) if whole else (["data"], document.at("data"))


def _enter(root: Any, keys: Sequence[str], plan: Plan, before: Any) -> None:
    """Put the weights where they belong, beside the comments that stand there."""
    place, stages = [*keys, "train_weights"], plan.stages
    rows: list[Any] = [[start, dict(numbers)] for start, numbers in stages.items()]
    if isinstance(before, list) and [_start(row) for row in before] == list(stages):
        yaml_edit.put(root, place, before)
        for row, numbers in zip(
            (root[keys[0]] if keys else root)["train_weights"], stages.values(), strict=True
        ):
            if row[1].anchor.value:
                row[1] = yaml_write.quote(numbers)
            else:
                yaml_edit.put(CommentedMap(weights=row[1]), ["weights"], numbers)
    elif len(rows) == 1 or not isinstance(before, Mapping):
        yaml_edit.put(root, place, plan.numbers | idle(before, plan) if len(rows) == 1 else rows)
    else:
        yaml_edit.put(root, place, plan.numbers)
        data = root[keys[0]] if keys else root
        first = data["train_weights"]
        first.ca.comment = None
        data["train_weights"] = CommentedSeq(
            [CommentedSeq([0, first]), *map(yaml_write.quote, rows[1:])]
        )


def _start(row: Any) -> Any:
    return (
        row[0] if isinstance(row, list) and len(row) == 2 and isinstance(row[1], Mapping) else None
    )


def _component(paths: Sequence[str], key: str) -> dict[str, Any]:
    hub = _hub(paths)
    source = (
        {part: value for part, value in zip(("id", "name"), hub, strict=True) if value}
        if hub
        else {"train_urls": list(paths)}
    )
    return (
        source
        if key == "configs"
        else {"type": "cached", "source": {"type": "hf" if hub else "url"} | source}
    )


def _hub(paths: Sequence[str]) -> tuple[str, str | None] | None:
    """Name and configuration of a domain's only path, where that is a dataset of the Hub."""
    found = (
        HUB.fullmatch(paths[0]) if len(paths) == 1 and not endings.is_data_file(paths[0]) else None
    )
    return (found[1], found[2]) if found else None


def _warn_of_places(new: Mapping[str, Sequence[str]]) -> None:
    bare = [name for name, paths in new.items() if not paths]
    if bare:
        warn(
            f"this config of Levanter has no files yet for {listed(bare)}: give paths in "
            "sources=, or fill train_urls."
        )
    odd = [
        path
        for paths in new.values()
        if not _hub(paths)
        for path in paths
        if not FILE.fullmatch(path)
    ]
    if odd:
        warn(
            "Levanter reads files that end in .json, .jsonl, .parquet or .txt, and "
            "datasets of the Hub as org/name or org/name:config; "
            f"{listed(odd, 4)} is neither: name the files, such as /data/web/*.jsonl.gz."
        )


def _paths(component: Any) -> list[str]:
    source = component.get("source", component) if isinstance(component, Mapping) else {}
    if not isinstance(source, Mapping):
        return []
    if source.get("id"):
        return [":".join(str(source[part]) for part in ("id", "name") if source.get(part))]
    urls = source.get("train_urls")
    return [str(url) for url in urls] if isinstance(urls, list) else []


def _block(stages: Iterable[Numbers]) -> int:
    """The smallest block of 2048 times a power of 2 that has a place for every weight."""
    least = min(
        (
            value / sum(numbers.values())
            for numbers in stages
            for value in numbers.values()
            if value
        ),
        default=1.0,
    )
    return max(BLOCK, 2 ** math.ceil(-math.log2(max(least, 1 / LARGEST_BLOCK))))


def _check(plan: Plan, block: Any, batches: Any) -> None:
    lost, late = _vanishing(plan.stages, block), _late(plan.stages, batches, block)
    if lost:
        raise ReweightvizError(
            lost[0].rstrip(".") + ": raise mixture_block_size= or the weight, or set it to 0."
        )
    if late:
        raise ReweightvizError(late[0])


def _is_block(block: object) -> bool:
    return isinstance(block, int) and not isinstance(block, bool) and 0 < block < 2**16


def _batches(document: Document) -> Any:
    return document.at("trainer").get("train_batch_size")


def _late(stages: Iterable[int], batches: Any, block: int) -> tuple[str, ...]:
    """A sentence where a stage begins inside a block; ``batches`` is Levanter's batch size, a number or a list of starts and values."""
    try:
        rows = (
            [(0, int(batches))]
            if not isinstance(batches, list)
            else [(int(row["start"]), int(row["value"])) for row in batches]
        )
    except (TypeError, ValueError, KeyError, OverflowError):
        return ()
    if not rows:
        return ()
    ends = [start for start, _ in rows[1:]] + [math.inf]
    for step in stages:
        begin = sum(
            int(min(end, step) - start) * value
            for (start, value), end in zip(rows, ends, strict=True)
            if start < step
        )
        if begin % block:
            every = (
                f", at a step that is a multiple of {block // math.gcd(block, rows[0][1])}"
                if len(rows) == 1
                else ""
            )
            return (
                f"a stage of Levanter begins on a block of {block} sequences{every}; step "
                f"{step} is sequence {begin}.",
            )
    return ()


def _coarse(stages: Mapping[int, Numbers], block: int) -> tuple[str, ...]:
    off = {
        name: share
        for numbers in stages.values()
        for name, value in numbers.items()
        if (share := value / (sum(numbers.values()) or 1)) * block >= 1
        and int(share * block) < 0.95 * share * block
    }
    return (
        (
            f"the share of {listed(off)} is rounded down by more than a twentieth, to a "
            f"whole number of {block} sequences.",
        )
        if off
        else ()
    )


def _vanishing(stages: Mapping[int, Numbers], block: int) -> tuple[str, ...]:
    lost = {
        name: value
        for numbers in stages.values()
        for name, value in numbers.items()
        if 0 < value / (sum(numbers.values()) or 1) < 1 / block
    }
    return (
        (
            f"{listed(lost)} would never be drawn: a share below 1/{block} has no place "
            f"in a block of {block} sequences.",
        )
        if lost
        else ()
    )


def _surprises(
    stages: Mapping[int, Numbers], data: Mapping[str, Any], components: Mapping[str, Any]
) -> Iterator[str]:
    if data.get("stop_strategy") == STRATEGIES[1]:
        yield "with stop_strategy: first_exhausted Levanter ends when the first component is used up."
    if "configs" in data:
        yield "marin-levanter refuses data.configs, which only the older stanford-crfm tree reads; its own name for them is components."
    drawn = {name for numbers in stages.values() for name, value in numbers.items() if value}
    bare = [name for name in components if name in drawn and _lacks_files(components[name])]
    if bare:
        yield f"Levanter finds nothing to train on for {listed(bare)}: its train_urls are empty."


def _lacks_files(component: Any) -> bool:
    source = component.get("source", component) if isinstance(component, Mapping) else {}
    urls = isinstance(source, Mapping) and ("train_urls" in source or source.get("type") == "url")
    return urls and not _paths(component) and not component.get("cache_dir")


def _faults(stages: Mapping[int, Numbers], components: Mapping[str, Any]) -> tuple[str, ...]:
    for numbers in stages.values():
        bad = [name for name, value in numbers.items() if not value >= 0]
        if bad or not sum(numbers.values()):
            return (
                f"train_weights must be numbers >= 0; those of {listed(bad)} are not."
                if bad
                else "train_weights sum to 0.",
            )
        absent = [name for name in numbers if components and name not in components]
        if absent:
            return (f"train_weights names {listed(absent)}, which data.components does not hold.",)
    return ()
