"""Exporters: a mixture as the config of the framework that trains on it, and back."""

from __future__ import annotations

from reweightviz.core.errors import UnknownName
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.frameworks.alignment_handbook import AlignmentHandbook
from reweightviz.exporters.frameworks.automodel import Automodel
from reweightviz.exporters.frameworks.axolotl import Axolotl
from reweightviz.exporters.frameworks.dataflex import DataFlex
from reweightviz.exporters.frameworks.dclm import Dclm
from reweightviz.exporters.frameworks.fairseq2 import Fairseq2
from reweightviz.exporters.frameworks.fms import FmsHfTuning
from reweightviz.exporters.frameworks.gpt_neox import GptNeox
from reweightviz.exporters.frameworks.grain import Grain
from reweightviz.exporters.frameworks.huggingface import HuggingFace
from reweightviz.exporters.frameworks.levanter import Levanter
from reweightviz.exporters.frameworks.lingua import Lingua
from reweightviz.exporters.frameworks.litdata import LitData
from reweightviz.exporters.frameworks.llama_factory import LlamaFactory
from reweightviz.exporters.frameworks.llm_foundry import LlmFoundry
from reweightviz.exporters.frameworks.maxtext import MaxText
from reweightviz.exporters.frameworks.megatron import Megatron
from reweightviz.exporters.frameworks.ms_swift import MsSwift
from reweightviz.exporters.frameworks.nanotron import Nanotron
from reweightviz.exporters.frameworks.nemo import Nemo
from reweightviz.exporters.frameworks.olmix import Olmix
from reweightviz.exporters.frameworks.olmo_core import OlmoCore
from reweightviz.exporters.frameworks.open_instruct import OpenInstruct
from reweightviz.exporters.frameworks.oumi import Oumi
from reweightviz.exporters.frameworks.plain_csv import PlainCsv
from reweightviz.exporters.frameworks.plain_json import PlainJson
from reweightviz.exporters.frameworks.plain_python import PlainPython
from reweightviz.exporters.frameworks.plain_yaml import PlainYaml
from reweightviz.exporters.frameworks.premixdb import Premixdb
from reweightviz.exporters.frameworks.ray_data import RayData
from reweightviz.exporters.frameworks.streaming import Streaming
from reweightviz.exporters.frameworks.torchtitan import TorchTitan
from reweightviz.exporters.frameworks.torchtune import Torchtune
from reweightviz.exporters.frameworks.trl import Trl
from reweightviz.exporters.frameworks.webdataset import WebDataset

FRAMEWORKS: dict[str, Exporter] = {
    exporter.name: exporter
    for exporter in (
        AlignmentHandbook(),
        Automodel(),
        Axolotl(),
        DataFlex(),
        Dclm(),
        Fairseq2(),
        FmsHfTuning(),
        GptNeox(),
        Grain(),
        HuggingFace(),
        Levanter(),
        Lingua(),
        LitData(),
        LlamaFactory(),
        LlmFoundry(),
        MaxText(),
        Megatron(),
        MsSwift(),
        Nanotron(),
        Nemo(),
        Olmix(),
        OlmoCore(),
        OpenInstruct(),
        Oumi(),
        PlainCsv(),
        PlainJson(),
        PlainPython(),
        PlainYaml(),
        Premixdb(),
        RayData(),
        Streaming(),
        TorchTitan(),
        Torchtune(),
        Trl(),
        WebDataset(),
    )
}
"""Name of a format to its exporter."""


def find(framework: str) -> Exporter:
    """Return the exporter of a framework by name or alias, in any case.

    >>> find("HF").units[0].sentence
    'a weight is a share of examples (documents)'
    """
    name = str(framework).strip().lower().replace("_", "-")
    for exporter in FRAMEWORKS.values():
        if name == exporter.name or name in exporter.aliases:
            return exporter
    raise UnknownName(kind="framework", name=framework, known=FRAMEWORKS)


__all__ = ["FRAMEWORKS", "Exporter", "find"]
