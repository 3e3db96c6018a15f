"""The place of a mixture in a config of Levanter: ``data``, a file of its own, or for SFT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from reweightviz.core.errors import WrongContent
from reweightviz.exporters.document import Document
from reweightviz.exporters.frameworks._draccus import follow_includes
from reweightviz.exporters.frameworks._foreign import as_mapping
from reweightviz.exporters.frameworks._marin import find_marin
from reweightviz.exporters.text.yaml_load import Include

__all__ = ["SFT", "Data", "find_data", "includes_data"]


SFT = ("supervised_data", "mixture_weights")
"""The keys of sft_mixture.py, which mixes examples and packs them afterwards."""


class Data(NamedTuple):
    """The keys under which the mixture stands in a file, and what it holds.

    Args:
        keys: path of keys to the mapping.
        fields: the mapping, its includes filled in.
        components: key of the components.
        weights: key of the weights.
        faults: a sentence on each included file that was not read, and on other mixtures.
        in_python: they stand in a call of Marin's Python.
    """

    keys: list[str]
    fields: Mapping[str, Any]
    components: str = "components"
    weights: str = "train_weights"
    faults: tuple[str, ...] = ()
    in_python: bool = False

    @property
    def is_sft(self) -> bool:
        """True for the mixture of sft_mixture.py."""
        return self.weights == SFT[1]

    @property
    def is_read_only(self) -> bool:
        """True for a form that no exporter writes: an SFT mixture, or Python."""
        return self.is_sft or self.in_python


def find_data(document: Document | None) -> Data:
    """Return where a file holds its mixture; a new one holds it under ``data``.

    Raises:
        WrongContent: ``data`` is included from a file that could not be read, or a Python file
            has no mixture that is written out.
    """
    if document is None:
        return Data(["data"], {})
    if document.path.suffix == ".py":
        fields, others = find_marin(document)
        return Data([], fields, faults=others, in_python=True)
    content, faults = follow_includes(document)
    if set(SFT) <= set(content):
        return Data([], content, *SFT, faults)
    # A file that others include as their data is one itself.
    if "train_weights" in content and {"components", "configs"} & set(content):
        return Data([], content, _name_components(content), faults=faults)
    if isinstance(content.get("data"), Include):
        raise WrongContent(path=document.path, reason=f"leaves its mixture open: {faults[0]}")
    fields = as_mapping(content.get("data"))
    return Data(["data"], fields, _name_components(fields), faults=faults)


def includes_data(document: Document) -> bool:
    """Return whether a training config has its data in another file."""
    return isinstance(document.mapping.get("data"), Include) and "trainer" in document.mapping


def _name_components(fields: Mapping[str, Any]) -> str:
    return "configs" if "configs" in fields else "components"
