"""Fit a law to proxy runs, and warn of what it did not learn."""

from __future__ import annotations

from typing import Any

from reweightviz.core.errors import InvalidArgument, warn
from reweightviz.core.protocols import Law, LawSpec, check_method, check_options, needs
from reweightviz.core.swarm import Swarm
from reweightviz.evaluation.doubts import find_doubts
from reweightviz.evaluation.held_out import fit_law
from reweightviz.numerics.threads import one_thread

__all__ = ["fit"]


@one_thread
def fit(swarm: Swarm, spec: LawSpec, **signals: Any) -> Law:
    """Fit a mixing law to proxy runs.

    Args:
        swarm: the runs. Their ``runs`` table gives ``size`` and ``run_tokens``, their ``tokens``
            what was ``available``.
        spec: one of ``rv.laws``, with its hyperparameters.
        **signals: what else the law names, such as ``law=`` and ``proxy_losses=`` of LossToLoss.

    Warns:
        ReweightvizWarning: of targets that never change, that the law predicts no better than the
            mean does, or whose fit is degenerate.
    """
    check_method(spec, LawSpec, "rv.fit", "rv.laws.Olmix()")
    if not isinstance(swarm, Swarm):
        raise InvalidArgument(
            name="rv.fit", value=swarm, expected="a swarm, as rv.read_swarm returns one"
        )
    check_options(fit, signals, needs(spec.fit))
    law = fit_law(swarm, spec, signals)
    for sentence in find_doubts(law, type(spec).__name__):
        warn(sentence)
    return law
