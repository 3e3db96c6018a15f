"""Levanter and Marin: ``data.train_weights``, one mapping or a list of [step, mapping].

Levanter mixes sequences of one fixed length in blocks of ``mixture_block_size`` with whole counts,
so a weight below 1 / ``mixture_block_size`` is never drawn. Checked with marin-levanter 0.2.20;
``configs`` is what the older stanford-crfm tree calls ``components``, which marin-levanter
refuses. What ``data: !include file`` names is read too; the ``mixture_weights`` of sft_mixture.py
(stanford-crfm 9263f81) and Marin's Python are read, but not written.

A merge keeps the comments beside the weights, but for a mixture that takes the place of a
schedule, or a schedule that of one with other steps: then the list is written anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from reweightviz.core.errors import (
    RefusedByFramework,
    ReweightvizError,
    UnknownName,
    UnreadableFile,
    WrongContent,
    list_names,
    warn,
)
from reweightviz.core.validation import whole_number
from reweightviz.exporters.document import Document
from reweightviz.exporters.epochs import Stop
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks._foreign import as_mapping, walk
from reweightviz.exporters.frameworks._levanter_blocks import (
    BLOCK,
    choose_block,
    find_coarse,
    find_late,
    find_never_drawn,
    find_partly_drawn,
    is_block,
    name_stage,
)
from reweightviz.exporters.frameworks._levanter_components import (
    lacks_files,
    make_component,
    read_paths,
    warn_of_places,
)
from reweightviz.exporters.frameworks._levanter_data import Data, find_data, includes_data
from reweightviz.exporters.frameworks._marin import calls_marin
from reweightviz.exporters.frameworks._weights import find_idle, find_invalid
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit, yaml_write
from reweightviz.exporters.units import EXAMPLES, TOKENS

__all__ = ["STRATEGIES", "Levanter"]


STRATEGIES = ("restart", "first_exhausted", "all_exhausted")


class Levanter(Exporter):
    """Levanter, Marin: `data.train_weights` of the training YAML, with their components.

    A schedule becomes a list of steps with the weights from there on.
    """

    name = "levanter"
    aliases = ("marin", "marin-levanter")
    title = "Levanter"
    units = (TOKENS,)
    read_only_units = (EXAMPLES,)
    # Levanter keeps each component in a folder of its name, which must not climb.
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
        """Return the YAML with ``data``.

        Args:
            plan: what to write.
            old: a training config to merge into, or the file that holds its ``data``.
            tokenizer: name of the tokenizer in a new file; Levanter's own default without it.
            cache_dir: where Levanter keeps the tokenised components, in a new file.
            stop_strategy: "restart", what Levanter does by itself, or "first_exhausted" or
                "all_exhausted", where training ends.
            mixture_block_size: sequences in a block; that of the config, else 2048, or as many
                more as the smallest weight needs.
            batch_size: sequences in a batch, to check that the stages of a schedule begin on
                blocks; a config has its own.
        """
        if stop_strategy is not None and stop_strategy not in STRATEGIES:
            raise UnknownName(kind="stop_strategy", name=stop_strategy, known=STRATEGIES)
        there = find_data(old)
        if there.is_read_only:
            raise RefusedByFramework(
                framework=self.title,
                reason="gets a YAML with train_weights, which count sequences; Marin's Python, and "
                "the mixture_weights of sft_mixture.py, which count examples, are read but not "
                "written",
            )
        block = mixture_block_size or there.fields.get("mixture_block_size")
        block = block or choose_block(plan.stages)
        # Levanter keeps the places in a block in 16 bits.
        block = whole_number("mixture_block_size", block, 1, 2**16 - 1)
        batches: Any = batch_size
        if batches is None and old is not None:
            batches = _read_batches(old)
        _check_stages(plan, block, batches)
        key = there.components
        known = set(map(str, as_mapping(there.fields.get(key))))
        new = {name: entry.paths for name, entry in plan.entries.items() if name not in known}
        warn_of_places(new)

        def fill(root: Any) -> None:
            if old is None:
                head = {"tokenizer": tokenizer, "cache_dir": cache_dir}
                if not tokenizer:
                    del head["tokenizer"]
                yaml_edit.put(root, ["data"], head)
            for name, paths in new.items():
                yaml_edit.put(root, [*there.keys, key, name], make_component(paths, key))
            _put_weights(root, there, plan)
            if old is None or stop_strategy:
                strategy = stop_strategy or STRATEGIES[0]
                yaml_edit.put(root, [*there.keys, "stop_strategy"], strategy)
            # A new file has its block written out; an old one keeps the default unwritten.
            usual = None if old is None else BLOCK
            if block != there.fields.get("mixture_block_size", usual):
                yaml_edit.put(root, [*there.keys, "mixture_block_size"], block)

        return {"": self.render_yaml(plan, old, fill)}

    def parse(self, document: Document) -> Config:
        """Read ``data.train_weights``; without it every component has weight 1."""
        there = find_data(document)
        data = there.fields
        given = as_mapping(data.get(there.components))
        components = {str(name): component for name, component in given.items()}
        pairs = _read_pairs(document, there, components)
        stages = {int(step): numbers for step, numbers in pairs}
        if not stages.get(0):
            where = ".".join([*there.keys, there.weights])
            raise WrongContent(
                path=document.path,
                reason=f"has no {where} from step 0 on, so Levanter does not train on a mixture",
            )
        block = data.get("mixture_block_size") or BLOCK
        refused = [
            *_find_weight_faults(stages, there, components),
            *_find_step_faults([step for step, _ in pairs]),
            *_find_option_faults(data, block),
        ]
        if not is_block(block):
            block = BLOCK
        refused += find_late(stages, _read_batches(document), block)
        steps = document.at("trainer").get("num_train_steps")
        names = dict.fromkeys(name for numbers in stages.values() for name in numbers)
        return Config(
            stages,
            unit=EXAMPLES.key if there.is_sft else None,
            paths={name: read_paths(components.get(name)) for name in names},
            steps=steps if isinstance(steps, int) and steps > max(stages) else None,
            stop=_find_stop(data),
            refused=tuple(refused),
            traps=(
                *there.faults,
                *find_never_drawn(stages, block),
                *find_partly_drawn(stages, block),
                *find_coarse(stages, block),
                *_find_traps(stages, there, components),
            ),
        )

    def recognises(self, document: Document) -> bool:
        """Return whether ``data`` has weights or components, is included, or Marin's Python."""
        if document.path.suffix == ".py":
            return calls_marin(document)
        if includes_data(document):
            return True
        there = find_data(document)
        if there.weights in there.fields:
            return True
        components = as_mapping(there.fields.get("components"))
        made = bool(components) and all(isinstance(one, Mapping) for one in components.values())
        return made and bool({"tokenizer", "cache_dir"} & set(there.fields))


def _put_weights(root: Any, there: Data, plan: Plan) -> None:
    """Put the weights where they belong, beside the comments that stand there."""
    keys = [*there.keys, "train_weights"]
    before = there.fields.get("train_weights")
    rows: list[Any] = [[start, dict(numbers)] for start, numbers in plan.stages.items()]
    if isinstance(before, list) and [_read_start(row) for row in before] == list(plan.stages):
        yaml_edit.put(root, keys, before)
        _put_rows(walk(root, keys), plan)
    elif len(rows) == 1:
        yaml_edit.put(root, keys, plan.numbers | find_idle(before, plan))
    elif not isinstance(before, Mapping):
        yaml_edit.put(root, keys, rows)
    else:
        # One mixture becomes a schedule: its mapping, with its comments, is the first stage.
        yaml_edit.put(root, keys, plan.numbers)
        data = walk(root, there.keys)
        first = data["train_weights"]
        first.ca.comment = None
        later = map(yaml_write.quote, rows[1:])
        data["train_weights"] = CommentedSeq([CommentedSeq([0, first]), *later])


def _put_rows(rows: Sequence[Any], plan: Plan) -> None:
    for row, numbers in zip(rows, plan.stages.values(), strict=True):
        if row[1].anchor.value:
            # Another stage is an alias of this one and keeps what it has.
            row[1] = yaml_write.quote(numbers)
        else:
            yaml_edit.put(CommentedMap(weights=row[1]), ["weights"], numbers)


def _read_start(row: Any) -> Any:
    if isinstance(row, list) and len(row) == 2 and isinstance(row[1], Mapping):
        return row[0]
    return None


def _read_pairs(
    document: Document, there: Data, components: Mapping[str, Any]
) -> list[tuple[Any, Numbers]]:
    """Return each stage's step, as it is written, and its numbers."""
    weights = there.fields.get(there.weights)
    # The older tree, with its configs, takes no weights for no mixture.
    if weights is None and there.components == "components":
        weights = dict.fromkeys(components, 1.0)
    rows = weights or ()
    if isinstance(weights, Mapping):
        rows = [(0, weights)]
    pairs: list[tuple[Any, Numbers]] = []
    try:
        for step, table in rows:
            # Raises for what is no number; the step itself stays as it is written, for the faults.
            int(step)
            pairs.append((step, {str(name): to_number(value) for name, value in table.items()}))
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnreadableFile(
            path=document.path,
            reason=f"{'.'.join([*there.keys, there.weights])} must map components to weights, or "
            f"list [step, weights] pairs: {error}",
        ) from error
    return pairs


def _read_batches(document: Document) -> Any:
    return document.at("trainer").get("train_batch_size")


def _check_stages(plan: Plan, block: int, batches: Any) -> None:
    for sentence in find_never_drawn(plan.stages, block):
        raise ReweightvizError(
            sentence.rstrip(".") + ": raise mixture_block_size= or the weight, or set it to 0."
        )
    for sentence in find_late(plan.stages, batches, block):
        raise ReweightvizError(sentence)
    for sentence in find_partly_drawn(plan.stages, block):
        warn(sentence)


def _find_weight_faults(
    stages: Mapping[int, Numbers], there: Data, components: Mapping[str, Any]
) -> Iterator[str]:
    """Return a sentence on the first stage that Levanter would refuse."""
    for start, numbers in stages.items():
        weights = f"{there.weights}{name_stage(stages, start)}"
        bad = find_invalid(numbers)
        absent = [name for name in numbers if components and name not in components]
        if bad:
            yield f"{weights} must be numbers >= 0; those of {list_names(bad)} are not."
        elif not sum(numbers.values()):
            yield f"{weights} sum to 0."
        elif absent:
            held = ".".join([*there.keys, there.components])
            yield f"{weights} names {list_names(absent)}, which {held} does not hold."
        else:
            continue
        return


def _find_step_faults(steps: Sequence[Any]) -> Iterator[str]:
    odd = [step for step in steps if isinstance(step, bool | float)]
    if odd:
        yield f"the steps of train_weights must be whole numbers; {list_names(odd)} is none."
    elif any(int(late) <= int(early) for early, late in itertools.pairwise(steps)):
        yield f"the steps of train_weights must rise from 0; they are {list(steps)}."


def _find_option_faults(data: Mapping[str, Any], block: Any) -> Iterator[str]:
    if not is_block(block):
        yield f"mixture_block_size must be a whole number below {2**16}; it is {block!r}."
    strategy = data.get("stop_strategy", STRATEGIES[0])
    if strategy not in STRATEGIES:
        yield f"stop_strategy must be one of {list_names(STRATEGIES)}; it is {strategy!r}."


def _find_stop(data: Mapping[str, Any]) -> Stop | None:
    if data.get("stop_strategy") != "first_exhausted":
        return None
    return Stop("stop_strategy: first_exhausted", "'restart' repeats it")


def _find_traps(
    stages: Mapping[int, Numbers], there: Data, components: Mapping[str, Any]
) -> Iterator[str]:
    data = there.fields
    if data.get(there.weights) is None:
        yield "without train_weights every component has the same weight, whatever its size."
    if data.get("stop_strategy") == "first_exhausted":
        yield (
            "with stop_strategy: first_exhausted Levanter ends when the first component is used up."
        )
    if "configs" in data:
        yield (
            "marin-levanter refuses data.configs, which only the older stanford-crfm tree reads; "
            "its own name for them is components."
        )
    drawn: set[str] = set()
    for numbers in stages.values():
        drawn |= {name for name, value in numbers.items() if value}
    bare = [name for name in components if name in drawn and lacks_files(components[name])]
    if bare:
        names = list_names(bare)
        yield f"Levanter finds nothing to train on for {names}: its train_urls are empty."
