"""Exporters: a mixture as the config of the framework that trains on it, and back. One file a framework."""

from __future__ import annotations

from reweightviz.core.errors import UnknownName
from reweightviz.exporters.alignment_handbook import AlignmentHandbook
from reweightviz.exporters.axolotl import Axolotl
from reweightviz.exporters.dataflex import DataFlex
from reweightviz.exporters.dclm import Dclm
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.fairseq2 import Fairseq2
from reweightviz.exporters.fms import FmsHfTuning
from reweightviz.exporters.gpt_neox import GptNeox
from reweightviz.exporters.huggingface import HuggingFace
from reweightviz.exporters.levanter import Levanter
from reweightviz.exporters.lingua import Lingua
from reweightviz.exporters.litdata import LitData
from reweightviz.exporters.llama_factory import LlamaFactory
from reweightviz.exporters.llm_foundry import LlmFoundry
from reweightviz.exporters.megatron import Megatron
from reweightviz.exporters.nanotron import Nanotron
from reweightviz.exporters.nemo import Nemo
from reweightviz.exporters.olmix import Olmix
from reweightviz.exporters.olmo_core import OlmoCore
from reweightviz.exporters.plain_csv import PlainCsv
from reweightviz.exporters.plain_json import PlainJson
from reweightviz.exporters.plain_yaml import PlainYaml
from reweightviz.exporters.premixdb import Premixdb
from reweightviz.exporters.ray_data import RayData
from reweightviz.exporters.streaming import Streaming
from reweightviz.exporters.torchtitan import TorchTitan
from reweightviz.exporters.torchtune import Torchtune
from reweightviz.exporters.trl import Trl
from reweightviz.exporters.webdataset import WebDataset

FRAMEWORKS: dict[str, Exporter] = {exporter.name: exporter for exporter in (
    AlignmentHandbook(), Axolotl(), DataFlex(), Dclm(), Fairseq2(), FmsHfTuning(), GptNeox(), HuggingFace(), Levanter(), Lingua(),
    LitData(), LlamaFactory(), LlmFoundry(), Megatron(), Nanotron(), Nemo(), Olmix(), OlmoCore(), PlainCsv(), PlainJson(), PlainYaml(),
    Premixdb(), RayData(), Streaming(), TorchTitan(), Torchtune(), Trl(), WebDataset(),
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
    raise UnknownName(kind="framework", name=framework, known=FRAMEWORKS)


__all__ = ["FRAMEWORKS", "Exporter", "find"]
