"""open-instruct: ``dataset_mixer_list``, names and amounts in turn: rows, or a part of a dataset.

An amount without a point is how many rows are taken, one with a point how often the dataset is:
"0.5" half of it, "2.0" all of it twice, for what exceeds a dataset is repeated. All amounts are
text, in quotes. The DPO script calls the list ``mixer_list``; configs of 2024 map names to numbers
under ``dataset_mixer``. Written are parts, so sizes are needed in tokens alone. Checked with the
source of August 2026 (e6c3044), which stops at ``dataset_mixer``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reweightviz.core.errors import (
    RefusedByFramework,
    UnknownName,
    WrongContent,
    list_names,
)
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._amounts import (
    ROWS,
    Amount,
    AmountExporter,
    count_amounts,
    mention_rows,
)
from reweightviz.exporters.frameworks._foreign import as_list, as_mapping
from reweightviz.exporters.frameworks._hub import HUB, name_dataset
from reweightviz.exporters.frameworks._weights import find_invalid, order_like
from reweightviz.exporters.plan import Config, Plan, to_number
from reweightviz.exporters.text import yaml_edit
from reweightviz.exporters.units import Unit

__all__ = ["HANDBOOK", "LISTS", "OLD", "PARTS", "OpenInstruct"]


PARTS = Unit(
    "parts",
    "a number with a point is how often a dataset is taken, 0.5 half of it, 2.0 all of it twice",
    size="tokens",
    passes=True,
)
LISTS = ("dataset_mixer_list", "mixer_list")
"""Names of the list in the scripts of open-instruct; the second is that of DPO."""
OLD = "dataset_mixer"
HANDBOOK = {"dataset_splits", "dataset_mixture"}
"""Keys beside ``dataset_mixer`` by which a recipe of alignment-handbook is known."""


class OpenInstruct(AmountExporter):
    """open-instruct: `dataset_mixer_list` of a training YAML, parts of datasets; reads rows too."""

    name = "open-instruct"
    aliases = ("open_instruct", "openinstruct", "tulu")
    title = "open-instruct"
    on_command_line = True
    units = (PARTS,)
    read_only_units = (ROWS,)
    traps = (
        "open-instruct tells rows from parts by the point alone: 1 is one row, 1.0 all of them.",
    )

    def render(
        self, plan: Plan, old: Document | None, *, key: str | None = None, split: str = "train"
    ) -> dict[str, str]:
        """Return the YAML with the list of names and amounts.

        Args:
            plan: what to write.
            old: a training config to merge into.
            key: of the list: "dataset_mixer_list", or "mixer_list" for DPO; without it the one of
                the config, else the first.
            split: of every dataset that does not name its own.
        """
        before = old.mapping if old is not None else {}
        used = key or next((one for one in LISTS if one in before), LISTS[0])
        if used not in LISTS:
            raise UnknownName(kind="list of open-instruct", name=used, known=LISTS)
        there = [pair.name for pair in _read_pairs(before)]
        numbers = order_like(plan.numbers, there)
        amounts: list[str] = []
        splits: list[str] = []
        for name, value in numbers.items():
            dataset, _, own_split = name.partition("::")
            amounts += [dataset, _write_part(value)]
            splits.append(own_split or split)
        values = {used: amounts, f"{used}_splits": splits}
        return {"": self.render_yaml(plan, old, lambda root: yaml_edit.put_all(root, values))}

    def parse(self, document: Document) -> Config:
        """Read the list, or the mapping of older configs."""
        pairs = _read_pairs(document.mapping)
        if not pairs:
            raise WrongContent(
                path=document.path,
                reason="is no mixture for open-instruct: it needs 'dataset_mixer_list', names and "
                'amounts in turn, such as [org/web, "0.5", org/code, "500"]',
            )
        numbers, unit = count_amounts(pairs, PARTS)
        return Config(
            {0: numbers},
            unit=unit,
            refused=tuple(_find_faults(document, pairs)),
            traps=(*_find_traps(document), *mention_rows(pairs)),
        )

    def read_amounts(self, document: Document) -> list[Amount]:
        """Return the datasets with their rows or parts."""
        return _read_pairs(document.mapping)

    def recognises(self, document: Document) -> bool:
        """Return whether there is a list of names and amounts, or its forerunner."""
        content = document.mapping
        if HANDBOOK & set(content):
            return False
        old = as_mapping(content.get(OLD))
        return bool(old) or any(_split_list(content.get(key)) for key in LISTS)

    def identify(self, domain: str, paths: Sequence[str], options: Mapping[str, Any]) -> str:
        """Return the name of the dataset with its split, or the one file."""
        name = super().identify(domain, paths, options)
        hub = HUB.fullmatch(name)
        if len(paths) != 1 or (hub is not None and hub[2]):
            raise RefusedByFramework(
                framework=self.title,
                reason="takes one file or one dataset of the Hub without a configuration for each "
                f"domain; sources= has {list_names(paths, 3)} for {list_names([domain])}",
            )
        return name


def _split_list(value: object) -> list[object]:
    """Return the words of a list, which a command line may hold as one text; [] for all else."""
    if isinstance(value, str):
        return list(value.split())
    return as_list(value)


def _read_pairs(content: Mapping[str, Any]) -> list[Amount]:
    """Return the datasets with their amounts; those of 2024's mapping where there is no list."""
    for key in LISTS:
        words = _split_list(content.get(key))
        if not words:
            continue
        splits = [str(one) for one in _split_list(content.get(f"{key}_splits"))]
        if len(splits) < 2:
            splits = splits * (len(words) // 2)
        # Splits that are missing are refused elsewhere.
        splits += [""] * len(words)
        return [
            _read_amount(name_dataset(name, split=split or None), amount)
            for name, amount, split in zip(words[::2], words[1::2], splits, strict=False)
        ]
    return [_read_amount(str(name), value) for name, value in as_mapping(content.get(OLD)).items()]


def _read_amount(name: str, amount: object) -> Amount:
    """Return rows for a whole number, or a text without a point, as open-instruct tells them."""
    is_rows = isinstance(amount, int) or (isinstance(amount, str) and "." not in amount)
    return Amount(name, to_number(amount), is_rows)


def _write_part(value: float) -> str:
    """Return a number with a point and without an exponent, which would be read as rows."""
    # Rows are cut off, so the last bit of a float counts: 0.37499999999999994 of 600 rows are 224.
    text = f"{value:.15g}"
    if "e" in text:
        text = f"{value:.20f}"
    return text if "." in text else f"{text}.0"


def _find_faults(document: Document, pairs: Sequence[Amount]) -> Iterator[str]:
    content = document.mapping
    bad = find_invalid({pair.name: pair.value for pair in pairs})
    if bad:
        yield f"an amount is a number >= 0 of rows or passes; that of {list_names(bad)} is none."
    for key in LISTS:
        words = _split_list(content.get(key))
        splits = _split_list(content.get(f"{key}_splits"))
        bare = [word for word in words if not isinstance(word, str)]
        if len(words) % 2:
            yield f"{key} holds names and amounts in turn; it has {len(words)} items."
        # The words of a command line are text, whatever they look like.
        if bare and not document.has_commands:
            yield f"open-instruct takes the amounts of {key} as text: put {bare[0]!r} in quotes."
        if len(splits) > 1 and len(splits) != len(words) // 2:
            yield f"{key}_splits has {len(splits)} splits for {len(words) // 2} datasets."
        if words and content.get(OLD) is not None:
            yield f"open-instruct takes {key} or {OLD}, not both: take {OLD} out."
    if not any(pair.value for pair in pairs):
        yield "no dataset is taken at all."


def _find_traps(document: Document) -> tuple[str, ...]:
    if document.mapping.get(OLD) is None:
        return ()
    return (
        f"open-instruct of 2026 reads dataset_mixer_list and stops at {OLD}, which that of 2024 "
        "read: write names and amounts in turn, the amounts in quotes.",
    )
