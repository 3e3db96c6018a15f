"""Megatron-LM and megatron-core: the blend, in every form that the command line takes.

Megatron blends sequences of one fixed length, so its weights are shares of tokens and are written
in full. Checked with megatron-core 0.16.1; the phases are read from the source of 0.20.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reweightviz.core.errors import ReweightvizError, UnknownName, WrongContent
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._foreign import as_list
from reweightviz.exporters.frameworks._megatron import IndexedBlend
from reweightviz.exporters.frameworks._megatron_blend import (
    blend_words,
    is_prefix,
    read_weight,
)
from reweightviz.exporters.frameworks._megatron_splits import FLAG, is_group_file, read_splits
from reweightviz.exporters.plan import Config, Numbers, Plan
from reweightviz.exporters.text import shell
from reweightviz.exporters.units import COPIES

__all__ = ["FORMS", "MARKS", "OPTION", "PHASES", "PHASE_FLAGS", "Megatron"]


FORMS = ("text", "per_split", "arguments")
PHASE_FLAGS = {"text": "--data-args-path", "per_split": "--per-split-data-args-path"}
"""The options that name the file of a phase, by its form."""
PHASES = "--phase-transition-iterations"
OPTION = "--(?:train-)?data-path"
MARKS = (
    "megatron",
    "Megatron",
    "MEGATRON",
    "pretrain_",
    "--micro-batch-size",
    "--seq-length",
    "--tokenizer-type",
)
"""Words by which a script that runs Megatron is known from others that have a --data-path."""


class Megatron(IndexedBlend):
    """Megatron-LM: the file of `--data-args-path`, its JSON per split, or `--data-path`; phases.

    A schedule becomes a folder, with one such file for each phase.
    """

    name = "megatron"
    aliases = ("megatron-core", "megatron-lm", "mcore")
    title = "Megatron"
    # A blend without weights goes by size.
    read_only_units = (COPIES,)
    takes_schedules = True
    on_command_line = True
    reads_options = False
    main_file = "phases.txt"
    traps = (
        "Megatron repeats a source that is used up, as often as its weight asks, and says nothing.",
    )

    def render(
        self, plan: Plan, old: Document | None, *, form: str = "text", prefix_dir: str | None = None
    ) -> dict[str, str]:
        """Return the blend, or for a schedule one blend a phase, and the arguments beside them.

        Args:
            plan: what to write.
            old: not used; a blend is written whole.
            form: "text" for ``--data-args-path``, "per_split" for ``--per-split-data-args-path``
                (train only), "arguments" for a line with ``--data-path``.
            prefix_dir: where domains without paths lie, as ``<prefix_dir>/<name>_text_document``.
        """
        if form not in FORMS:
            raise UnknownName(kind=f"form of a {self.title} blend", name=form, known=FORMS)
        if len(plan.stages) == 1:
            return {"": _render_blend(plan.numbers, form)}
        if form not in PHASE_FLAGS:
            raise ReweightvizError(
                "the phases of a schedule are files: form='text' or 'per_split'."
            )
        comment = plan.comment(
            "Megatron phases; training saves and exits at each transition, start it "
            "again with the next blend"
        )
        # The first phase begins at 0, which is no transition.
        transitions = ",".join(map(str, list(plan.stages)[1:]))
        ending = "json" if form == "per_split" else "txt"
        names = [f"phase-{phase}.{ending}" for phase in range(len(plan.stages))]
        lines = [f"{PHASES} {transitions}\n", *(f"{PHASE_FLAGS[form]} {name}\n" for name in names)]
        blends = [_render_blend(numbers, form) for numbers in plan.stages.values()]
        return {self.main_file: comment + "".join(lines), **dict(zip(names, blends, strict=True))}

    def parse(self, document: Document) -> Config:
        """Read the blend as ``megatron.core.datasets.utils.get_blend_from_list`` does."""
        if PHASES not in document.text:
            splits = read_splits(document)
            return (splits or blend_words(_read_words(document))).to_config()
        lines = [line.split() for line in document.text.splitlines() if line.startswith("--")]
        try:
            starts = [0]
            for word in lines[0][1:]:
                starts += map(int, word.split(","))
            blends = [blend_words(_read_words(document.sibling(name))) for _, name in lines[1:]]
            stages = {start: blend.numbers for start, blend in zip(starts, blends, strict=True)}
        except (IndexError, ValueError) as error:
            raise WrongContent(
                path=document.path,
                reason=f"must name the transitions and one blend for each phase: {error}",
            ) from error
        faults: list[str] = []
        traps: list[str] = []
        for blend in blends:
            faults += blend.refused
            traps += blend.traps
        if len({blend.unit for blend in blends}) > 1:
            faults.append("the phases must all have weights, or none of them.")
        return Config(
            stages,
            unit=blends[0].unit,
            refused=tuple(faults),
            traps=tuple(dict.fromkeys(traps)),
        )

    def recognises(self, document: Document) -> bool:
        """Return whether there are weights and prefixes in turn, in one of the forms, or phases."""
        if document.path.suffix.lower() in {".py", ".csv", ".tsv"}:
            return False
        # Before the mapping, which a script with a colon may be taken for.
        if is_group_file(document) or FLAG in document.text:
            return True
        if document.mapping and not document.has_commands:
            splits = {"train", "valid", "test"}
            return set(document.mapping) <= splits and _are_in_turn(_read_train(document.mapping))
        words = shell.read_option(document.text, OPTION)
        if words is not None:
            # The blend of a script may come from a variable, and one dataset has no weight, so its
            # other words have to do.
            return _are_in_turn(words) or any(mark in document.text for mark in MARKS)
        words = document.text.split()
        return PHASES in words or _is_blend_file(words, document.path)

    def holds_spaces(self, options: Mapping[str, Any]) -> bool:
        """Return whether a prefix may have white space in it: where words are quoted."""
        return bool(options.get("form", "text") != "text")


def _render_blend(numbers: Numbers, form: str) -> str:
    if form == "text":
        return "".join(f"{weight!r} {prefix}\n" for prefix, weight in numbers.items())
    words: list[str] = []
    for prefix, weight in numbers.items():
        words += (repr(weight), prefix)
    if form == "arguments":
        return f"--data-path {shlex.join(words)}\n"
    # Megatron stops without all three keys; null is a split without data.
    return json.dumps({"train": words, "valid": None, "test": None}, indent=1) + "\n"


def _are_in_turn(words: Sequence[Any]) -> bool:
    """Return whether words are weights and prefixes as far as they go."""
    if len(words) < 2 or not all(read_weight(word) is not None for word in words[::2]):
        return False
    return all(isinstance(word, str) and read_weight(word) is None for word in words[1::2])


def _is_blend_file(words: Sequence[str], path: Path) -> bool:
    if path.suffix in {".yaml", ".yml"} or not _are_in_turn(words):
        return False
    # Any numbers and words in turn look like a blend, so the words must be places.
    return all(_is_path(word, path.parent) for word in words[1::2])


def _is_path(word: str, folder: Path) -> bool:
    if is_prefix(word):
        return True
    return os.path.exists(folder / f"{word}.idx")  # noqa: PTH110  Path.exists may raise


def _read_words(document: Document) -> list[Any]:
    """Return weights and prefixes in turn, from a script, a text or the JSON."""
    text = document.text
    if not text.lstrip().startswith("{"):
        words = shell.read_option(text, OPTION)
        if words is None:
            return text.split()
        _check_known(words, document)
        return words
    try:
        return _read_train({"train": json.loads(text)["train"]})
    except (ValueError, KeyError, RecursionError) as error:
        raise WrongContent(
            path=document.path,
            reason="is no Megatron blend, neither weights and prefixes nor JSON with "
            f"'train': {error}",
        ) from error


def _read_train(splits: Mapping[str, Any]) -> list[Any]:
    # A split is a list of words, or one string of them.
    train = splits.get("train")
    return train.split() if isinstance(train, str) else as_list(train)


def _check_known(words: Sequence[str], document: Document) -> None:
    variables = [word for word in words[::2] if "$" in word]
    unknown = shell.find_unknown(list(words)) or next(iter(variables), None)
    if unknown is not None:
        raise WrongContent(
            path=document.path,
            reason=f"takes the words of --data-path from {unknown[:60]!r}, which it does "
            "not set by plain assignments: write the weights and prefixes out, or "
            "put them into a file for --data-args-path",
        )
