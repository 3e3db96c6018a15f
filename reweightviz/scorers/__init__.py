"""Scorers: the worth of a document. ``score`` names the columns it needs and returns (N,)."""

from __future__ import annotations

from reweightviz.scorers.color_filter import CoLoR
from reweightviz.scorers.contamination import Contamination
from reweightviz.scorers.datainf import DataInf
from reweightviz.scorers.deita import DEITA
from reweightviz.scorers.dsdm import DsDm
from reweightviz.scorers.dsir import DSIR
from reweightviz.scorers.flyt import FLYT, MFLYT
from reweightviz.scorers.ifd import IFD
from reweightviz.scorers.infra import Infra
from reweightviz.scorers.less import LESS
from reweightviz.scorers.loss import Loss
from reweightviz.scorers.meta_rater import MetaRater
from reweightviz.scorers.mimic import Mimic
from reweightviz.scorers.preselect import PreSelect
from reweightviz.scorers.qurating import QuRating
from reweightviz.scorers.rds import RDS
from reweightviz.scorers.rho import RHO
from reweightviz.scorers.select2reason import Select2Reason
from reweightviz.scorers.self_influence import SelfInfluence
from reweightviz.scorers.tracin import TracIn
from reweightviz.scorers.weights_to_data import WeightsToData
from reweightviz.scorers.zip_fit import ZIPFIT

__all__ = [  # noqa: RUF022 -- plainly sorted, as every family's
    "CoLoR",
    "Contamination",
    "DEITA",
    "DSIR",
    "DataInf",
    "DsDm",
    "FLYT",
    "IFD",
    "Infra",
    "LESS",
    "Loss",
    "MFLYT",
    "MetaRater",
    "Mimic",
    "PreSelect",
    "QuRating",
    "RDS",
    "RHO",
    "Select2Reason",
    "SelfInfluence",
    "TracIn",
    "WeightsToData",
    "ZIPFIT",
]
