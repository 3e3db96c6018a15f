"""Exporters: a mixture as the config of the framework that trains on it, and back. One file a framework."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reweightviz.core.errors import unknown_name
from reweightviz.core.files import write_atomically
from reweightviz.core.mixture import FORMAT, Mixture
from reweightviz.exporters import huggingface, megatron, provenance
from reweightviz.exporters.provenance import PathLike, SourcesLike


class Json:
    """The house's own file: what ``Mixture.save`` writes, and the provenance; ``Mixture.load`` reads it."""

    UNIT = "a weight is a share of training tokens"

    @staticmethod
    def write(mixture: Mixture, path: PathLike, *, sources: SourcesLike = None,
              tokens: float | None = None, overwrite: bool = False,
              max_epochs: float = provenance.MAX_EPOCHS) -> Path:
        """Write the JSON file ``path``; arguments as for every exporter."""
        table = provenance.as_sources(sources)
        found = provenance.record("json", Json.UNIT, mixture, sources=table, tokens=tokens,
                                  max_epochs=max_epochs)
        content = {"format": FORMAT, "unit": "share of training tokens", "weights": dict(mixture),
                   "source": found["source"],
                   "provenance": {k: v for k, v in found.items() if k not in ("source", "domains", "dropped")}}
        return write_atomically(path, json.dumps(content, indent=2) + "\n", overwrite=overwrite)

    @staticmethod
    def read(path: PathLike) -> Mixture:
        """The mixture of a JSON file."""
        return Mixture.load(path)


FRAMEWORKS: dict[str, Any] = {"huggingface": huggingface, "json": Json, "megatron": megatron}
"""Name of a format to what has ``UNIT``, ``write`` and ``read``."""

ALIASES = {"hf": "huggingface", "datasets": "huggingface", "hugging face": "huggingface", "mixture": "json",
           "megatron-core": "megatron", "megatron-lm": "megatron", "mcore": "megatron"}


def find(framework: str) -> Any:
    """The exporter of a framework by name or alias, in any case.

    >>> find("HF").UNIT
    'a probability is a share of examples (documents)'
    """
    name = str(framework).strip().lower().replace("_", "-")
    name = ALIASES.get(name, name)
    if name not in FRAMEWORKS:
        raise unknown_name("framework", framework, FRAMEWORKS)
    return FRAMEWORKS[name]


__all__ = ["ALIASES", "FRAMEWORKS", "find", "huggingface", "megatron"]
