"""Configs of Composer: interpolations, durations in tokens, and the stages of a curriculum."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters.frameworks._foreign import as_list, as_mapping, walk
from reweightviz.exporters.plan import Plan, to_number

__all__ = [
    "MOST_JUMPS",
    "count_durations",
    "fill_in",
    "find_value",
    "parse_duration",
    "read_stages",
]


MOST_JUMPS = 5
"""Interpolations that stand for one another; more are a circle."""


def find_value(content: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """Return what stands at a path of keys, None where nothing does; interpolations filled in."""
    return fill_in(content, walk(content, keys))


def fill_in(content: Mapping[str, Any], value: Any) -> Any:
    """Return what an interpolation stands for, and anything else as it is.

    >>> fill_in({"variables": {"length": 2048}}, "${variables.length}")
    2048
    """
    for _ in range(MOST_JUMPS):
        name = isinstance(value, str) and re.fullmatch(r"\$\{([\w.]+)\}", value)
        if not name:
            break
        value = walk(content, name[1].split("."))
    return value


def parse_duration(value: object) -> tuple[float, str]:
    """Return number and unit of a duration; (nan, "") for none. A bare number counts epochs.

    >>> parse_duration("100tok"), parse_duration(2)
    ((100.0, 'tok'), (2.0, 'ep'))
    """
    found = re.fullmatch(r"\s*(.+?)(iter|ep|ba|sp|tok|dur|sec)\s*", str(value), re.IGNORECASE)
    if found:
        return to_number(found[1]), found[2].lower()
    if value is None:
        return math.nan, ""
    return to_number(value), "ep"


def count_durations(plan: Plan, content: Mapping[str, Any]) -> list[int]:
    """Return the tokens of each stage of a schedule.

    Raises:
        ReweightvizError: the tokens of a step or the steps of the run are not known, or
            ``max_duration`` is another.
    """
    size = _count_step(content)
    if plan.steps is None or size is None:
        absent = "global_train_batch_size and max_seq_len in the config"
        if plan.steps is None:
            absent = "Schedule(stages, steps=...)"
        raise ReweightvizError(
            f"LLM-Foundry's curriculum counts the tokens of every stage, which needs {absent}."
        )
    whole = find_value(content, ["max_duration"])
    # A batch is a step, so the length may be written in either unit.
    value, unit = parse_duration(whole)
    if unit and (value, unit) not in {(plan.steps, "ba"), (plan.steps * size, "tok")}:
        raise ReweightvizError(
            f"max_duration of this config is {whole!r}, but the schedule has {plan.steps} steps, "
            f"which are {plan.steps * size}tok: make them agree."
        )
    bounds = [*plan.stages, plan.steps]
    return [(end - start) * size for start, end in itertools.pairwise(bounds)]


def read_stages(
    curriculum: Mapping[str, Any], content: Mapping[str, Any]
) -> tuple[list[int], tuple[str, ...]]:
    """Return the steps of each stage, and what the callback would refuse."""
    later = as_list(curriculum.get("schedule"))
    if not later or not all(map(_is_stage, later)):
        return [], (
            "curriculum_learning.schedule must list stages, each with a duration and a dataset.",
        )
    times = [
        parse_duration(fill_in(content, stage.get("duration"))) for stage in (curriculum, *later)
    ]
    if not all(_is_whole(value) and unit in {"tok", "ep"} for value, unit in times):
        return [], (
            "every stage of curriculum_learning needs a duration in tokens (tok) or "
            "epochs (ep), a whole number above 0.",
        )
    whole = find_value(content, ["max_duration"])
    total = math.fsum(value for value, _ in times)
    # Two units make the left side longer, so they differ as well.
    if (total, *{unit for _, unit in times}) != parse_duration(whole):
        return [], (
            f"the durations of curriculum_learning must sum to max_duration, {whole!r}, "
            "in its unit.",
        )
    size = _count_step(content)
    if times[0][1] == "ep" or size is None:
        return [], (
            "to count the steps of the curriculum takes durations in tok, "
            "global_train_batch_size and max_seq_len.",
        )
    return [math.ceil(value / size) for value, _ in times], ()


def _count_step(content: Mapping[str, Any]) -> int | None:
    """Return the tokens of a step, None where the config does not hold both factors."""
    keys = ("global_train_batch_size", "max_seq_len")
    size = math.prod(to_number(find_value(content, [key])) for key in keys)
    # nan, where a factor is no number, is not above 0 either.
    if not size > 0:
        return None
    return int(size)


def _is_whole(value: float) -> bool:
    return value > 0 and value == int(value)


def _is_stage(stage: Any) -> bool:
    dataset = as_mapping(stage).get("dataset")
    if not isinstance(dataset, Mapping):
        return False
    return isinstance(dataset.get("streams", dataset), Mapping)
