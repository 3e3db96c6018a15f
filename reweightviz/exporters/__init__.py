"""Exporters: a mixture as the config of the framework that trains on it, and back. One file a framework."""

from __future__ import annotations

from reweightviz.core.errors import unknown_name
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.huggingface import HuggingFace
from reweightviz.exporters.levanter import Levanter
from reweightviz.exporters.litdata import LitData
from reweightviz.exporters.megatron import Megatron
from reweightviz.exporters.plain_json import PlainJson

FRAMEWORKS: dict[str, Exporter] = {exporter.name: exporter for exporter in (
    HuggingFace(),
    Levanter(),
    LitData(),
    Megatron(),
    PlainJson(),
)}
"""Name of a format to its exporter."""


def find(framework: str) -> Exporter:
    """The exporter of a framework by name or alias, in any case.

    >>> find("HF").units[0].sentence
    'a weight is a share of examples (documents)'
    """
    name = str(framework).strip().lower().replace("_", "-")
    for exporter in FRAMEWORKS.values():
        if name == exporter.name or name in exporter.aliases:
            return exporter
    raise unknown_name("framework", framework, FRAMEWORKS)


__all__ = ["FRAMEWORKS", "Exporter", "find"]
