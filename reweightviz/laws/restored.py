"""Any law from its record, by the kind that stands there."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from reweightviz.core.errors import unknown_name
from reweightviz.core.protocols import Law
from reweightviz.laws.curves import CURVES

HOMES = {
    "ensemble": ("ensemble_law", "EnsembleLaw"), "gaussian-process": ("gaussian_process_law", "GaussianProcessLaw"),
    "log-linear": ("log_linear", "LogLinearLaw"), "loss-to-loss": ("loss_to_loss_law", "LossToLossLaw"),
    "mixmin": ("mixmin_law", "MixMinLaw"), "projektor": ("projektor_law", "ProjektorLaw"), "repeated": ("repetition", "RepeatedLaw"),
} | dict.fromkeys(CURVES, ("curve_law", "CurveLaw"))
"""Kind to the module and class of its law; a module is imported when its kind is met."""


def restored(record: Mapping[str, Any]) -> Law:
    """The law whose ``to_dict`` gave a record.

    Raises:
        ReweightvizError: a kind that is not known here, or a damaged record.
    """
    kind = record.get("kind") if isinstance(record, Mapping) else None
    if kind not in HOMES:
        raise unknown_name("kind of law", str(kind), HOMES)
    module, name = HOMES[kind]
    law: Law = getattr(import_module(f"reweightviz.laws.{module}"), name).from_dict(record)
    return law
