"""Mixers: weights of domains, by ``init``, ``update`` where they learn, ``weights``, ``result``."""

from __future__ import annotations

from reweightviz.mixers.active_multi_task import ActiveMultiTask
from reweightviz.mixers.ado import ADO
from reweightviz.mixers.aioli import Aioli
from reweightviz.mixers.cooldown import Cooldown
from reweightviz.mixers.data_mixing_agent import DataMixingAgent
from reweightviz.mixers.difficulty_flip import DifficultyFlip
from reweightviz.mixers.doge import DoGE
from reweightviz.mixers.doremi import DoReMi
from reweightviz.mixers.dreamprm import DreamPRM
from reweightviz.mixers.equitable import EquitableAllocation
from reweightviz.mixers.max_cap import MaxCap
from reweightviz.mixers.meta_rater import MetaRater
from reweightviz.mixers.mixmin_weights import MixMinWeights
from reweightviz.mixers.natural import Natural
from reweightviz.mixers.odm import ODM
from reweightviz.mixers.scalebio import ScaleBiO
from reweightviz.mixers.skill_it import SkillIt
from reweightviz.mixers.temperature import Temperature
from reweightviz.mixers.two_phase import TwoPhase
from reweightviz.mixers.uniform import Uniform
from reweightviz.mixers.unimax import UniMax

__all__ = [  # noqa: RUF022 -- plainly sorted, as every family's
    "ADO",
    "ActiveMultiTask",
    "Aioli",
    "Cooldown",
    "DataMixingAgent",
    "DifficultyFlip",
    "DoGE",
    "DoReMi",
    "DreamPRM",
    "EquitableAllocation",
    "MaxCap",
    "MetaRater",
    "MixMinWeights",
    "Natural",
    "ODM",
    "ScaleBiO",
    "SkillIt",
    "Temperature",
    "TwoPhase",
    "UniMax",
    "Uniform",
]
