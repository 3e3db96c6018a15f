"""The data blends of Nemotron's recipes: a JSON of datasets, each with its weight.

Its data preparation tokenises the datasets and hands weights and prefixes to Megatron-Bridge, so a
weight is a share of sequences; one of weight 0 is left out, and one without a weight has 1. Read
from the source of NVIDIA-NeMo/Nemotron at e27b371, its ``data_prep/blend.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._foreign import as_entries
from reweightviz.exporters.frameworks._weights import add_up, is_mixture, mention_again
from reweightviz.exporters.plan import Config, to_number

__all__ = ["ENTRY", "SPLITS", "is_nemotron", "read_nemotron"]


SPLITS = ("datasets", "train", "valid", "test")
"""Keys of a blend: one list for all splits, or one for each."""
ENTRY = {"name", "path", "weight", "split", "subset", "text_field", "category"}
"""Keys of a dataset; others begin with _ and are comments."""


def is_nemotron(document: Document) -> bool:
    """Return whether a file is a JSON of nothing but lists of named datasets."""
    content = document.mapping
    if document.path.suffix.lower() != ".json" or not _keys(content):
        return False
    lists = [as_entries(content[key]) for key in _keys(content)]
    return _keys(content) <= set(SPLITS) and all(
        {"name", "path"} <= _keys(entry) <= ENTRY for entries in lists for entry in entries or [{}]
    )


def read_nemotron(document: Document) -> Config:
    """Read the training datasets of a blend, each by its name."""
    content = document.mapping
    entries = as_entries(content.get("datasets", content.get("train")))
    names = [str(entry["name"]) for entry in entries]
    numbers = add_up(
        (name, to_number(entry.get("weight", 1.0)))
        for name, entry in zip(names, entries, strict=True)
    )
    refused = []
    if not is_mixture(numbers):
        refused.append("the weights of a Nemotron blend must be numbers >= 0, one above 0.")
    if "datasets" in content and {"train", "valid", "test"} & set(content):
        refused.append(
            "datasets stands beside train, valid or test: Nemotron takes one of the two."
        )
    return Config(
        {0: numbers},
        paths={name: [str(entry["path"])] for name, entry in zip(names, entries, strict=True)},
        refused=tuple(refused),
        traps=mention_again(names, "Nemotron"),
    )


def _keys(content: Mapping[str, Any]) -> set[str]:
    return {str(key) for key in content if not str(key).startswith("_")}
