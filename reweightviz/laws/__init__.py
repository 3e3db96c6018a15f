"""Mixing laws: the loss that a mixture would reach, fitted to the runs of a swarm."""

from __future__ import annotations

from reweightviz.laws.bimix import BiMix
from reweightviz.laws.data_filtering import DataFiltering
from reweightviz.laws.data_mixing import DataMixing
from reweightviz.laws.double_power_law import DoublePowerLaw
from reweightviz.laws.gaussian_process import GaussianProcess
from reweightviz.laws.loss_to_loss import LossToLoss
from reweightviz.laws.mixmin import MixMin
from reweightviz.laws.olmix import Olmix
from reweightviz.laws.projektor import Projektor
from reweightviz.laws.regmix import RegMix
from reweightviz.laws.repetition import Repeated
from reweightviz.laws.scaling_mixtures import ScalingMixtures

__all__ = [
    "BiMix",
    "DataFiltering",
    "DataMixing",
    "DoublePowerLaw",
    "GaussianProcess",
    "LossToLoss",
    "MixMin",
    "Olmix",
    "Projektor",
    "RegMix",
    "Repeated",
    "ScalingMixtures",
]
