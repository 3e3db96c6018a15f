"""Fits of a law to some of the runs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, ReweightvizWarning
from reweightviz.core.protocols import Law, LawSpec, supply
from reweightviz.core.swarm import Swarm
from reweightviz.core.types import SIGNALS, Array
from reweightviz.evaluation.law_inputs import law_inputs_of_runs

__all__ = ["Prediction", "Signals", "drop_intervals", "fit_law", "predict_held_out", "take_signals"]


Signals = Mapping[str, Any]


class Prediction(NamedTuple):
    """Losses (n, M) of runs held out, with low and high of their interval."""

    losses: Array
    low: Array
    high: Array


def fit_law(swarm: Swarm, spec: LawSpec, signals: Signals | None = None) -> Law:
    """Return a law fitted to the runs, from what it names of the swarm and of ``signals``."""
    known = swarm.signals() | dict(signals or {})
    return spec.fit(**supply(type(spec).__name__, spec.fit, known))


def predict_held_out(
    swarm: Swarm,
    spec: LawSpec,
    signals: Signals,
    *,
    known: NDArray[np.int64],
    held: NDArray[np.int64],
    level: float = 0.9,
) -> Prediction:
    """Return what a law predicts of the runs ``held``, fitted to the runs ``known`` alone."""
    with warnings.catch_warnings():
        # The fit to all runs gives the same warnings.
        warnings.simplefilter("ignore", ReweightvizWarning)
        law = fit_law(swarm.take(known), spec, take_signals(signals, known, len(swarm)))
    out = swarm.take(held)
    inputs = law_inputs_of_runs(law, out, take_signals(signals, held, len(swarm)))
    losses = np.asarray(law.predict(out.mixtures, **inputs), np.float64)
    return Prediction(losses, *law.interval(out.mixtures, level, **inputs))


def take_signals(signals: Signals, rows: NDArray[np.int64], runs: int) -> dict[str, Any]:
    """Return the signals of some of the runs: those with a value a run are cut, others stay."""
    taken = dict(signals)
    for name, value in signals.items():
        if _is_by_run(name, value, runs):
            taken[name] = np.asarray(value)[rows]
    return taken


def _is_by_run(name: str, value: Any, runs: int) -> bool:
    # By its name, not its length alone: there may be as many domains as runs.
    if name not in SIGNALS or not SIGNALS[name].shape.startswith("(R"):
        return False
    shape = np.shape(value)
    return len(shape) > 0 and shape[0] == runs


def drop_intervals(spec: Any) -> Any:
    """Return the same spec without draws or folds, which only its intervals need."""
    if not is_dataclass(spec):
        return spec
    none: dict[str, Any] = {
        each.name: 0 for each in fields(spec) if each.name in ("draws", "folds")
    }
    try:
        return replace(spec, **none)  # type: ignore[type-var]
    except ReweightvizError:  # one of them is more to this law
        return spec
