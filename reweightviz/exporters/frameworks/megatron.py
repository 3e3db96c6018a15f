"""Megatron-LM and megatron-core: the blend, in every form that the command line takes.

Megatron blends sequences of one fixed length, so its weights are shares of tokens and are written
in full. Checked with megatron-core 0.16.1; the phases are read from the source of 0.20.
"""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reweightviz.core.errors import (
    RefusedByFramework,
    ReweightvizError,
    UnknownName,
    WrongContent,
    listed,
)
from reweightviz.core.sources import Sources
from reweightviz.exporters import provenance
from reweightviz.exporters.document import Document
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.plan import Config, Entry, Numbers, Plan
from reweightviz.exporters.text import shell

FORMS = ("text", "per_split", "arguments")
MOST = 32766
SUFFIX = "_text_document"
"""What Megatron's preprocess_data.py appends to an output prefix."""
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
"""What tells a script that runs Megatron from others that have a --data-path."""


class Megatron(Exporter):
    """Megatron-LM: a file for `--data-args-path`, the JSON of `--per-split-data-args-path`, or the words of `--data-path`; phases."""

    name = "megatron"
    aliases = ("megatron-core", "megatron-lm", "mcore")
    title = "Megatron"
    by_path = True
    prepared_data = "indexed datasets (.bin and .idx) by their prefix"
    takes_schedules = True
    main_file = "phases.txt"
    traps = (
        "Megatron repeats a source that is used up, as often as its weight asks, and says nothing.",
    )

    def render(
        self, plan: Plan, old: Document | None, *, form: str = "text", prefix_dir: str | None = None
    ) -> dict[str, str]:
        """The blend, or for a schedule a folder: one blend a phase, and the arguments in ``phases.txt``.

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
            return {"": _blend_text(plan.numbers, form)}
        starts = list(plan.stages)
        names = {
            start: f"phase-{phase}.{'json' if form == 'per_split' else 'txt'}"
            for phase, start in enumerate(starts)
        }
        flag = {"text": "--data-args-path", "per_split": "--per-split-data-args-path"}.get(form)
        if flag is None:
            raise ReweightvizError(
                "the phases of a schedule are files: form='text' or 'per_split'."
            )
        lines = [
            plan.comment(
                "Megatron phases; training saves and exits at each transition, start it "
                "again with the next blend"
            ),
            f"{PHASES} {','.join(map(str, starts[1:]))}\n",
            *(f"{flag} {name}\n" for name in names.values()),
        ]
        return {self.main_file: "".join(lines)} | {
            names[start]: _blend_text(numbers, form) for start, numbers in plan.stages.items()
        }

    def parse(self, document: Document) -> Config:
        """The blend as ``megatron.core.datasets.utils.get_blend_from_list`` reads it."""
        if PHASES not in document.text:
            numbers, refused = _read_blend(_words(document))
            return Config({0: numbers}, refused=refused)
        lines = [line.split() for line in document.text.splitlines() if line.startswith("--")]
        try:
            starts = [0, *(int(step) for word in lines[0][1:] for step in word.split(","))]
            blends = [_read_blend(_words(document.sibling(name))) for _, name in lines[1:]]
            stages = {start: numbers for start, (numbers, _) in zip(starts, blends, strict=True)}
        except (IndexError, ValueError) as error:
            raise WrongContent(
                path=document.path,
                reason=f"must name the transitions and one blend for each phase: {error}",
            ) from error
        return Config(stages, refused=tuple(sentence for _, found in blends for sentence in found))

    def recognises(self, document: Document) -> bool:
        """Weights and prefixes in turn: as words, behind ``--data-path``, or in the JSON with three splits; or the phases."""
        if document.path.suffix.lower() in {".py", ".csv", ".tsv"}:
            return False
        if document.mapping:
            train = document.mapping.get("train")
            words = (
                train.split()
                if isinstance(train, str)
                else train
                if isinstance(train, list)
                else []
            )
            return set(document.mapping) <= {"train", "valid", "test"} and _in_turn(words)
        words = shell.read_option(document.text, OPTION)
        if words is not None:
            return _in_turn(words) or (
                shell.find_unknown(words) is not None
                and any(mark in document.text for mark in MARKS)
            )
        words = document.text.split()
        return PHASES in words or (
            document.path.suffix not in {".yaml", ".yml"}
            and _in_turn(words)
            and all(_is_path(word, document.path.parent) for word in words[1::2])
        )

    def guess_domain(self, name: str) -> str:
        """The last part of a prefix, without what preprocess_data.py appends."""
        return Path(name).name.removesuffix(SUFFIX)

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Prefix to domain; a domain with several is shared out by the sizes of their .bin files."""
        prefixes = {domain: _prefixes(domain, sources) for domain in domains}
        if options.get("prefix_dir") is not None:
            taken: set[str] = set()
            for domain in [domain for domain, found in prefixes.items() if not found]:
                short = provenance.slug(domain, taken)
                taken.add(short.lower())
                prefixes[domain] = [f"{options['prefix_dir']}/{short}{SUFFIX}"]
        absent = [domain for domain, found in prefixes.items() if not found]
        if absent:
            raise RefusedByFramework(
                framework=self.title,
                reason="needs a prefix for each indexed dataset: sources= has no paths for "
                f"{listed(absent)} (Sources.with_paths sets them, prefix_dir= makes "
                "them)",
            )
        if sum(map(len, prefixes.values())) > MOST:
            raise RefusedByFramework(
                framework=self.title,
                reason=f"blends at most {MOST:,} datasets; got "
                f"{sum(map(len, prefixes.values())):,}",
            )
        entries: dict[str, Entry] = {}
        for domain, found in prefixes.items():
            for prefix, part in zip(found, _parts(domain, found), strict=True):
                _check_prefix(prefix, domain, options.get("form", "text"))
                if prefix in entries:
                    raise ReweightvizError(
                        f"{listed([entries[prefix].domain, domain])} have one prefix, {prefix!r}; "
                        "each needs its own."
                    )
                entries[prefix] = Entry(domain, part, (prefix,))
        return entries


def _blend_text(numbers: Numbers, form: str) -> str:
    words = [word for prefix, weight in numbers.items() for word in (repr(weight), prefix)]
    if form == "text":
        return "".join(f"{weight!r} {prefix}\n" for prefix, weight in numbers.items())
    if form == "arguments":
        return f"--data-path {shlex.join(words)}\n"
    return json.dumps({"train": words, "valid": None, "test": None}, indent=1) + "\n"


def _prefixes(domain: str, sources: Sources | None) -> list[str]:
    paths = sources[domain].paths if sources is not None and domain in sources else ()
    return list(dict.fromkeys(path.removesuffix(".bin").removesuffix(".idx") for path in paths))


def _parts(domain: str, prefixes: Sequence[str]) -> list[float]:
    # By bytes, so that no shard of a domain is seen more often than another.
    if len(prefixes) == 1:
        return [1.0]
    try:
        sizes = [Path(prefix + ".bin").stat().st_size for prefix in prefixes]
    except (OSError, ValueError) as error:
        raise ReweightvizError(
            f"{domain[:60]!r} has {len(prefixes)} prefixes, to be shared out by the sizes "
            f"of their .bin files, which cannot be read: {error}."
        ) from error
    if not all(sizes):
        raise ReweightvizError(
            f"{prefixes[sizes.index(0)]}.bin of {domain[:60]!r} is empty; leave it out."
        )
    return [size / sum(sizes) for size in sizes]


def _check_prefix(prefix: str, domain: str, form: str) -> None:
    who = f"the prefix {prefix!r} of {domain[:60]!r}"
    if not prefix.strip() or prefix != prefix.strip():
        raise ReweightvizError(f"{who} begins or ends in white space, which Megatron cuts off.")
    if form == "text" and len(prefix.split()) > 1:
        raise ReweightvizError(
            f"{who} has white space, where Megatron cuts; form='per_split' can hold it."
        )
    if _number(prefix) is not None:
        raise ReweightvizError(
            f"{who} reads as a number, which Megatron may take for a weight; "
            f"give it as {'./' + prefix!r}."
        )
    if prefix.startswith("--"):
        raise ReweightvizError(
            f"{who} reads as an option of the command line; give it as {'./' + prefix!r}."
        )
    try:
        prefix.encode("utf-8")
    except UnicodeEncodeError:
        raise ReweightvizError(
            f"{who} holds half of a surrogate pair, which no UTF-8 file can."
        ) from None


def _number(word: object) -> float | None:
    try:
        return float(word) if isinstance(word, str | int | float) else None
    except ValueError:
        return None


def _read_blend(words: Sequence[Any]) -> tuple[Numbers, tuple[str, ...]]:
    """Prefix to weight, and what Megatron would refuse or misread."""
    weights = [_number(word) for word in words[::2]]
    prefixes = [str(word).strip() for word in words[1::2]]
    if not words or len(words) % 2 or None in weights:
        return {}, (
            "weights and prefixes must stand in turn; as it is, Megatron would take "
            "every word for a dataset.",
        )
    blend = {prefix: float(weight or 0) for prefix, weight in zip(prefixes, weights, strict=True)}
    bad = [prefix for prefix, weight in blend.items() if not 0 < weight < math.inf]
    if bad or len(blend) < len(prefixes):
        fault = f"that of {listed(bad)} is not" if bad else "a prefix stands there twice"
        return blend, (f"each prefix must stand once, with a finite weight above 0; {fault}.",)
    return blend, ()


def _in_turn(words: Sequence[Any]) -> bool:
    """Whether words are weights and prefixes as far as they go."""
    return (
        len(words) > 1
        and all(_number(word) is not None for word in words[::2])
        and not any(_number(word) is not None or not isinstance(word, str) for word in words[1::2])
    )


def _is_path(word: str, folder: Path) -> bool:
    return "/" in word or word.endswith("_document") or os.path.exists(folder / f"{word}.idx")  # noqa: PTH110  Path.exists may raise


def _words(document: Document) -> list[Any]:
    text = document.text
    words = None if text.lstrip().startswith("{") else shell.read_option(text, OPTION)
    if words is not None:
        unknown = shell.find_unknown(words) or next(
            (word for word in words[::2] if "$" in word), None
        )
        if unknown is not None:
            raise WrongContent(
                path=document.path,
                reason=f"takes the words of --data-path from {unknown[:60]!r}, which it does "
                "not set by plain assignments: write the weights and prefixes out, or "
                "put them into a file for --data-args-path",
            )
        return words
    if not text.lstrip().startswith("{"):
        return text.split()
    try:
        train = json.loads(text)["train"]
    except (ValueError, KeyError, RecursionError) as error:
        raise WrongContent(
            path=document.path,
            reason="is no Megatron blend, neither weights and prefixes nor JSON with "
            f"'train': {error}",
        ) from error
    return train.split() if isinstance(train, str) else train if isinstance(train, list) else []
