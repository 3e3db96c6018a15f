"""Any law from its record, by the kind that stands there."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from reweightviz.core.errors import UnknownName
from reweightviz.core.protocols import Law
from reweightviz.laws._curves import CURVES

__all__ = ["HOMES", "restore_law"]


HOMES = {
    "ensemble": ("_ensemble_law", "EnsembleLaw"),
    "gaussian-process": ("_gaussian_process_law", "GaussianProcessLaw"),
    "log-linear": ("_log_linear_law", "LogLinearLaw"),
    "loss-to-loss": ("_loss_to_loss_law", "LossToLossLaw"),
    "mixmin": ("_mixmin_law", "MixMinLaw"),
    "projektor": ("_projektor_law", "ProjektorLaw"),
    "repeated": ("_repeated_law", "RepeatedLaw"),
}
"""Kind to the module and class of its law, imported when it is met.

Every other kind is a curve, which its own file enters in CURVES.
"""


def restore_law(record: Mapping[str, Any]) -> Law:
    """Return the law whose ``to_dict`` made a record.

    Raises:
        ReweightvizError: a kind that is not known here, or a damaged record.
    """
    kind = record.get("kind") if isinstance(record, Mapping) else None
    # A module by its name in this table alone, never by one in a file.
    homes = HOMES | dict.fromkeys(CURVES, ("_curve_law", "CurveLaw"))
    if kind not in homes:
        raise UnknownName(kind="kind of law", name=str(kind), known=homes)
    module, name = homes[kind]
    law: Law = getattr(import_module(f"reweightviz.laws.{module}"), name).from_dict(record)
    return law
