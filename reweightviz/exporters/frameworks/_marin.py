"""Marin's Python: calls that hand weights to Levanter's data config, parsed and never run.

Read from marin-community/marin 00d7008, data_configs.py: a component without a weight is for
validation only, and the steps of a varying mixture are those of ``data.train_weights``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from reweightviz.core.errors import WrongContent
from reweightviz.exporters.document import Document
from reweightviz.exporters.text import python_file
from reweightviz.exporters.text.python_file import PythonFile

__all__ = ["CALLS", "MarinCall", "calls_marin", "find_marin"]


CALLS = {
    "lm_mixture_data_config": ("weights", "components"),
    "lm_varying_mixture_data_config": ("weights_list", "components"),
    "LMMixtureDatasetConfig": ("train_weights", "configs"),
    "LmDataConfig": ("train_weights", "components"),
}
"""Callee to the names of its weights and of its components; Marin's take them by place too."""


class MarinCall(NamedTuple):
    """The fields of ``data`` that a call stands for, and a sentence on other calls."""

    fields: Mapping[str, Any]
    others: tuple[str, ...]


def calls_marin(document: Document) -> bool:
    """Return whether a Python file has such a call."""
    return any(_find_calls(document.python))


def find_marin(document: Document) -> MarinCall:
    """Return the first call whose weights are written out.

    Raises:
        WrongContent: there is none.
    """
    python = document.python
    calls = list(_find_calls(python))
    for call in calls:
        given = python.arguments(call)
        weights_name, components_name = CALLS[python_file.callee(call)]
        weights = given.get(weights_name, given.get(1))
        if not isinstance(weights, dict | list | tuple):
            continue
        rows = weights if isinstance(weights, dict) else list(weights)
        components = python.resolve(given.get(components_name, given.get(0)))
        fields = {"train_weights": rows, "components": _read_names(python, components)}
        for key in ("mixture_block_size", "stop_strategy"):
            if isinstance(given.get(key), int | str):
                fields[key] = given[key]
        return MarinCall(fields, python_file.mention_others(calls, call, "mixture of Marin"))
    names = [weights for weights, _ in CALLS.values()]
    raise WrongContent(
        path=document.path,
        reason="has no mixture of Marin or Levanter whose weights can be read without running "
        f"it{python.explain_calls(calls, *dict.fromkeys(names), 1)}",
    )


def _find_calls(python: PythonFile) -> Iterator[ast.Call]:
    for name, (weights, _) in CALLS.items():
        for call in python.calls(name):
            given = python.arguments(call)
            # Levanter's own classes are called without weights too.
            if weights in given or (name.startswith("lm_") and 1 in given):
                yield call


def _read_names(python: PythonFile, components: object) -> dict[str, Any]:
    """Return the components by name, without what they hold; {} where they are not written out."""
    if not isinstance(components, ast.Dict):
        return {}
    names = [python.value(key) for key in components.keys]
    if not all(isinstance(name, str) for name in names):
        return {}
    return {name: {} for name in names}
