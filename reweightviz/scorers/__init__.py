"""Scorers: the worth of a document. ``score`` names the columns it needs and returns (N,)."""

from __future__ import annotations

from reweightviz.scorers.datainf import DataInf
from reweightviz.scorers.flyt import FLYT, MFLYT
from reweightviz.scorers.infra import Infra
from reweightviz.scorers.less import LESS
from reweightviz.scorers.loss import Loss
from reweightviz.scorers.mimic import Mimic
from reweightviz.scorers.self_influence import SelfInfluence
from reweightviz.scorers.tracin import TracIn
from reweightviz.scorers.weights_to_data import WeightsToData

__all__ = [  # noqa: RUF022 -- plainly sorted, as every family's
    "DataInf",
    "FLYT",
    "Infra",
    "LESS",
    "Loss",
    "MFLYT",
    "Mimic",
    "SelfInfluence",
    "TracIn",
    "WeightsToData",
]
