"""Fitting laws to some of the runs: which belong together, and what a law must be told beside the mixtures."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.protocols import Law, supply
from reweightviz.core.swarm import Swarm
from reweightviz.core.types import SIGNALS

Signals = Mapping[str, Any]


def part_of(signals: Signals, rows: NDArray[np.int64], runs: int) -> dict[str, Any]:
    """The signals of some of the runs: those with a value a run are cut, the others stay."""
    return {
        name: np.asarray(value)[rows] if _is_by_run(name, value, runs) else value
        for name, value in signals.items()
    }


def _is_by_run(name: str, value: Any, runs: int) -> bool:
    if name not in SIGNALS or not SIGNALS[name].shape.startswith("(R"):
        return False
    shape = np.shape(value)
    return len(shape) > 0 and shape[0] == runs


def fit_law(swarm: Swarm, spec: Any, signals: Signals | None = None) -> Law:
    """A law fitted to the runs, told what it names of the swarm and of ``signals``."""
    law: Law = spec.fit(
        **supply(type(spec).__name__, spec.fit, swarm.signals() | dict(signals or {}))
    )
    return law


def fit_law_quietly(swarm: Swarm, spec: Any, signals: Signals | None = None) -> Law:
    """A law fitted to a part of the runs, without the warnings, which that of all runs gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReweightvizWarning)
        return fit_law(swarm, spec, signals)


def without_intervals(spec: Any) -> Any:
    """The same spec without draws or folds, which only its intervals need."""
    extra: dict[str, Any] = (
        {each.name: 0 for each in fields(spec) if each.name in ("draws", "folds")}
        if is_dataclass(spec)
        else {}
    )
    try:
        return replace(spec, **extra) if extra else spec
    except ReweightvizError:  # one of them is more to this law
        return spec
