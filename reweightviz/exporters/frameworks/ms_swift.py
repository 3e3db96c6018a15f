"""ms-swift: ``dataset``, ``interleave_prob`` and ``stopping_strategy`` of ``swift sft``.

They stand in a YAML or JSON, ``swift sft train.yaml``, or on the command line. The datasets are
interleaved before they are packed, so a probability is a share of documents. Without
``interleave_prob`` they are put one after another, each whole, or the rows that ``name#500`` asks
for. A dataset is a file, a folder, or ``owner/name:subset``, with ``hf::`` or ``ms::`` before it
for a hub. Checked with ms-swift 4.6.0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reweightviz.core.errors import RefusedByFramework, UnknownName, WrongContent, list_names
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks import _interleave as interleave
from reweightviz.exporters.frameworks._amounts import (
    ROWS,
    Amount,
    AmountExporter,
    count_amounts,
    mention_rows,
)
from reweightviz.exporters.frameworks._hub import guess_from_name
from reweightviz.exporters.frameworks._llama_factory import is_swift
from reweightviz.exporters.frameworks._weights import add_up, find_invalid, order_like
from reweightviz.exporters.plan import Config, Numbers, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import COPIES, EXAMPLES, TOKENS

__all__ = ["COUNT", "HUBS", "MsSwift"]


COUNT = re.compile(r"(.+)#(\d+)", re.DOTALL)
"""A dataset and the rows that are taken of it."""
HUBS = re.compile(r"(?:hf|ms)::", re.IGNORECASE)


class MsSwift(AmountExporter):
    """ms-swift: `interleave_prob` and `dataset` of a YAML or a command line of `swift sft`."""

    name = "ms-swift"
    aliases = ("swift", "msswift", "modelscope-swift")
    title = "ms-swift"
    units = (EXAMPLES, TOKENS)
    read_only_units = (COPIES, ROWS)
    exact = True
    on_command_line = True
    suffix = ".yaml"
    other_suffixes = (".yml", ".json")
    traps = (
        "'first_exhausted', the default, ends with the first dataset that is used up; "
        "'all_exhausted' repeats it and says nothing.",
    )
    unweighted_traps = ()

    def render(
        self, plan: Plan, old: Document | None, *, stopping_strategy: str | None = None
    ) -> dict[str, str]:
        """Return the YAML with ``dataset``, ``interleave_prob`` and ``stopping_strategy``.

        Args:
            plan: what to write.
            old: a training YAML to merge into.
            stopping_strategy: "first_exhausted" ends with the first dataset that is used up,
                "all_exhausted" repeats it; without it that of the YAML, else the first, or the
                second where the budget asks for more than one epoch of something.
        """
        before: Mapping[str, Any] = old.mapping if old is not None else {}
        strategy = stopping_strategy or before.get("stopping_strategy")
        if strategy not in (None, *interleave.STRATEGIES):
            raise UnknownName(
                kind="stopping_strategy", name=str(strategy), known=interleave.STRATEGIES
            )
        # A count stays beside its dataset.
        words = {_name(word): word for word in _read_words(before.get("dataset"))}
        numbers = order_like(plan.numbers, words)
        values = {
            "dataset": [words.get(name, name) for name in numbers],
            "interleave_prob": list(numbers.values()),
            "stopping_strategy": strategy or interleave.choose_strategy(plan),
        }
        return {"": self.render_yaml(plan, old, lambda root: yaml_edit.put_all(root, values))}

    def parse(self, document: Document) -> Config:
        """Read ``interleave_prob``; without it each dataset whole, or the rows it asks for."""
        content = document.mapping
        words = _read_words(content.get("dataset"))
        if not words:
            raise WrongContent(
                path=document.path,
                reason="is no config of ms-swift: it needs 'dataset', the names of datasets",
            )
        amounts = self.read_amounts(document)
        if content.get("interleave_prob") is None or len(words) == 1:
            numbers, unit = count_amounts(amounts, COPIES)
            traps = []
            if len(words) > 1:
                traps.append(
                    "without interleave_prob ms-swift puts the datasets one after another, each "
                    "once or the rows that stand behind its #."
                )
            return Config({0: numbers}, unit=unit, traps=(*traps, *mention_rows(amounts)))
        shares = [to_number(share) for share in _read_words(content.get("interleave_prob"))]
        numbers = dict.fromkeys([amount.name for amount in amounts], math.nan)
        if len(shares) == len(words):
            numbers = add_up((one.name, share) for one, share in zip(amounts, shares, strict=True))
        strategy = content.get("stopping_strategy", interleave.STRATEGIES[0])
        setting = f"stopping_strategy: {strategy}"
        return Config(
            {0: numbers},
            stop=interleave.find_stop(strategy, setting, interleave.STRATEGIES[1]),
            refused=(
                *_find_faults(content, words, shares, numbers),
                *interleave.find_never_drawn(numbers, strategy, setting),
            ),
            traps=tuple(_find_traps(content, amounts)),
        )

    def read_amounts(self, document: Document) -> list[Amount]:
        """Return the datasets, each once, or the rows that stand behind its ``#``."""
        found = []
        for word in _read_words(document.mapping.get("dataset")):
            count = COUNT.fullmatch(word)
            found.append(Amount(_name(word), float(count[2]) if count else 1.0, bool(count)))
        return found

    def recognises(self, document: Document) -> bool:
        """Return whether there are names in ``dataset``, beside keys of ms-swift's."""
        return is_swift(document.mapping)

    def identify(self, domain: str, paths: Sequence[str], options: Mapping[str, Any]) -> str:
        """Return the one file, folder or dataset of a domain."""
        name = super().identify(domain, paths, options)
        if len(paths) != 1 or "::" in HUBS.sub("", name) or COUNT.fullmatch(name):
            raise RefusedByFramework(
                framework=self.title,
                reason="takes one file, folder or 'owner/name:subset' for each domain; sources= "
                f"has {list_names(paths, 3)} for {list_names([domain])}",
            )
        return paths[0]

    def guess_domain(self, name: str) -> str:
        """Return the domain that a dataset seems to hold, whichever hub it comes from."""
        return guess_from_name(HUBS.sub("", name))


def _read_words(value: object) -> list[str]:
    """Return the items of a list of plain values, or the one value; [] for anything else."""
    items = value if isinstance(value, list) else [value]
    return [str(item) for item in items if isinstance(item, str | int | float)]


def _name(word: str) -> str:
    """Return a dataset without the rows that are taken of it."""
    count = COUNT.fullmatch(word)
    return count[1] if count else word


def _find_faults(
    content: Mapping[str, Any], words: Sequence[str], shares: Sequence[float], numbers: Numbers
) -> Iterator[str]:
    strategy = content.get("stopping_strategy", interleave.STRATEGIES[0])
    validation = _read_words(content.get("val_dataset"))
    bad = find_invalid({str(place): share for place, share in enumerate(shares)})
    if strategy not in interleave.STRATEGIES:
        yield (
            f"ms-swift has no stopping_strategy {strategy!r}; there is "
            f"{list_names(interleave.STRATEGIES)}."
        )
    if len(shares) != len(words):
        yield f"interleave_prob has {len(shares)} probabilities for {len(words)} datasets."
    elif bad or not abs(math.fsum(shares) - 1) <= interleave.ROUNDING:
        yield f"interleave_prob must be numbers >= 0 that sum to 1; got {list(numbers.values())}."
    # The same probabilities mix the datasets of validation.
    if len(validation) > 1 and len(validation) != len(shares):
        yield (
            f"ms-swift mixes val_dataset by interleave_prob too, which has {len(shares)} "
            f"probabilities for its {len(validation)} datasets."
        )


def _find_traps(content: Mapping[str, Any], amounts: Sequence[Amount]) -> Iterator[str]:
    if len(_read_words(content.get("val_dataset"))) > 1:
        yield "the datasets of val_dataset are mixed by interleave_prob too."
    counted = [amount.name for amount in amounts if amount.is_rows]
    if counted:
        yield f"of {list_names(counted)} only the rows that stand behind # are drawn from."
