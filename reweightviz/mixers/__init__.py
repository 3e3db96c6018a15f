"""Mixers: how much of each domain, now? ``init``, ``update`` where they learn, ``weights`` and ``result`` (K,)."""

from __future__ import annotations

from reweightviz.mixers.doremi import DoReMi
from reweightviz.mixers.natural import Natural
from reweightviz.mixers.temperature import Temperature
from reweightviz.mixers.uniform import Uniform
from reweightviz.mixers.unimax import UniMax

__all__ = ["DoReMi", "Natural", "Temperature", "UniMax", "Uniform"]
