"""The exact optimum of a law of exponentials, by a convex program."""

from __future__ import annotations

from functools import partial

import numpy as np

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.types import Array
from reweightviz.numerics.convex import Ceilings, minimise_exponentials
from reweightviz.numerics.programs import Optimum
from reweightviz.proposals.aim import Aim, find_target
from reweightviz.proposals.limit import Limit
from reweightviz.proposals.task import Task

__all__ = ["cap_limits", "is_convex", "minimise_curves"]


def is_convex(aim: Aim, kl: float) -> bool:
    """Return whether an aim makes a convex program of a law of exponentials.

    Losses that should fall are convex. One that should rise is an exponential, whose largest is
    where its exponent is; several of them, or the KL beside one, are not.
    """
    if (aim.sign[aim.counted] > 0).all() or np.isinf(kl):
        return True
    return kl == 0 and int(aim.counted.sum()) == 1


def minimise_curves(task: Task, coef: Array, aim: Aim) -> Optimum:
    """Return the best free weights under curves (M, 1 + K) of rows [log c, t_1..t_K].

    Raises:
        ReweightvizError: no weights meet every limit.
    """
    limits = cap_limits(task, coef)
    lower, upper, compiled = task.space.with_limits(limits).compile()
    rates = coef[:, 1:] @ task.space.law_spread
    floor = np.exp(coef[:, 0])
    shares = np.zeros(len(floor))
    ceilings = None
    kl = task.kl
    if task.only_prior:
        # Any finite strength will do beside losses that count for nothing.
        kl = 1.0
    elif aim.worst:
        everywhere = np.ones(len(floor), bool)
        ceilings = Ceilings(np.diag(1 / aim.scale), floor / aim.scale, everywhere)
    else:
        shares = np.where(aim.counted, aim.importance, 0.0)
    if aim.upwards:
        # One exponential is largest where its exponent is: the least of its inverse.
        rates = -rates
    return minimise_exponentials(
        rates,
        shares,
        kl=kl,
        prior=task.prior,
        lower=lower,
        upper=upper,
        names=task.space.names,
        limits=compiled,
        ceilings=ceilings,
    )


def cap_limits(task: Task, coef: Array) -> list[Limit]:
    """Return the caps on targets as limits: ``c + exp(t.w) <= cap`` is ``t.w <= log(cap - c)``.

    Raises:
        ReweightvizError: a cap at or below the floor c, which no mixture reaches.
    """
    limits = []
    for target, cap in task.caps.items():
        m = find_target(task.law.targets, target)
        floor = float(np.exp(coef[m, 0]))
        falls = bool(task.law.lower_is_better[m])
        if cap <= floor and falls:
            raise ReweightvizError(
                f"the cap on {target!r}, {cap:.4g}, is not above the law's floor {floor:.4g}, "
                "which no mixture reaches."
            )
        if cap <= floor:
            continue  # every value lies above the floor, so the cap is always met
        side = 1.0 if falls else -1.0
        row = side * (coef[m, 1:] @ task.space.law_spread)
        most = side * float(np.log(cap - floor))
        limits.append(Limit("cap on target", target, row, most, partial(_loss, floor, side)))
    return limits


def _loss(floor: float, side: float, value: float) -> float:
    """Return the loss that ``side * t.w`` stands for."""
    return floor + float(np.exp(side * value))
