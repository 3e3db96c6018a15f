"""The cost of a swarm: runs, FLOPs and GPU-hours."""

from __future__ import annotations

import numpy as np

from reweightviz.core.errors import InvalidValue, MissingColumn
from reweightviz.core.swarm import Swarm
from reweightviz.core.token_counts import parse_count
from reweightviz.core.types import Array

__all__ = ["FLOPS_A_TOKEN", "H100", "swarm_cost"]


H100 = 4e14
"""Floating-point operations a second of one H100 at some 40 % of its bf16 peak of 989e12."""
FLOPS_A_TOKEN = 6
"""Operations a parameter and token, forwards and backwards."""


def swarm_cost(
    swarm: Swarm,
    size: float | str | None = None,
    tokens: float | str | None = None,
    flops_per_second: float = H100,
) -> dict[str, float]:
    """Return what the runs cost: ``runs``, ``flops``, ``gpu_hours`` and ``gpu_hours_a_run``.

    Args:
        swarm: the runs.
        size: model parameters of a run; the runs' column ``size`` when not given.
        tokens: training tokens of a run; the runs' column ``run_tokens`` when not given.
        flops_per_second: what one GPU really does.

    Raises:
        ReweightvizError: a column that is needed and not there, or a number that is not above 0.
    """
    parameters = _numbers_of_runs(swarm, "size", "size", size)
    trained = _numbers_of_runs(swarm, "tokens", "run_tokens", tokens)
    if not flops_per_second > 0:
        raise InvalidValue(name="flops_per_second", value=flops_per_second, expected="above 0")
    flops = float(FLOPS_A_TOKEN * (parameters * trained).sum())
    hours = flops / flops_per_second / 3600
    return {
        "runs": len(swarm),
        "flops": flops,
        "gpu_hours": hours,
        "gpu_hours_a_run": hours / len(swarm),
    }


def _numbers_of_runs(swarm: Swarm, argument: str, column: str, value: float | str | None) -> Array:
    """Return one number a run (R,): the argument, else the column."""
    if value is not None:
        numbers = np.full(len(swarm), parse_count(value, argument, positive=True))
    elif column in swarm.signals():
        numbers = np.asarray(swarm.signals()[column], np.float64)
    else:
        raise MissingColumn(
            column=column,
            available=swarm.runs.columns,
            who="the cost of a swarm",
            hint=f"{argument}= would do too.",
        )
    if not np.isfinite(numbers).all() or (numbers <= 0).any():
        raise InvalidValue(
            name=argument,
            value=numbers.min(),
            expected="numbers above 0, parameters and tokens of a run",
            got=f"{numbers.min():.4g}",
        )
    return numbers
