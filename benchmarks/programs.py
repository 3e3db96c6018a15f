"""Time the best mixture of a log-linear law: Clarabel beside scipy's SLSQP, processor seconds.

.venv/bin/python benchmarks/programs.py    two aims, 5, 17, 60 domains, 10 random laws (a minute)

BEFORE are stored medians of the interior point of version 0.3.0, in milliseconds on two cores of a
busy x86 machine, from one run with Clarabel's, stored beside them: only their ratio says something
here.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from time import process_time

import numpy as np
from scipy.optimize import minimize

from reweightviz.core.errors import ReweightvizError
from reweightviz.numerics.convex import Ceilings, minimise_exponentials

SIZES = ((5, 5), (17, 13), (60, 30))
LAWS = 10
PULL = 0.05
BEFORE = {
    ("mean", 5): (5.40, 2.08),
    ("mean", 17): (4.77, 2.84),
    ("mean", 60): (6.22, 8.29),
    ("worst", 5): (6.66, 1.92),
    ("worst", 17): (8.30, 3.11),
    ("worst", 60): (10.69, 9.09),
}


def draw_law(seed, domains, targets):
    """Floors (M,), slopes (M, K) and caps (K,) that leave room."""
    rng = np.random.default_rng(seed)
    slopes = rng.normal(0, 1.5, (targets, domains))
    caps = np.clip(np.maximum(rng.random(domains) * 4 / domains, 1.5 / domains), 0, 1)
    return rng.uniform(1, 2, targets), slopes, caps


def by_clarabel(aim, floors, slopes, caps):
    targets = len(floors)
    if aim == "mean":
        found = minimise_exponentials(slopes, np.full(targets, 1 / targets), kl=PULL, upper=caps)
        return found.value + floors.mean()
    ceilings = Ceilings(np.eye(targets), floors, np.ones(targets, bool))
    return minimise_exponentials(
        slopes, np.zeros(targets), kl=PULL, upper=caps, ceilings=ceilings
    ).value


def by_slsqp(aim, floors, slopes, caps):
    """The worst target is one more variable; gradients are given."""
    domains = len(caps)
    uniform = np.full(domains, 1 / domains)

    def pull(x):
        safe = np.maximum(x, 1e-12)
        return PULL * (safe * np.log(safe * domains)).sum(), PULL * (np.log(safe * domains) + 1)

    def cost(z):
        value, slope = pull(z[:domains])
        if aim == "worst":
            return value + z[-1], np.append(slope, 1.0)
        heights = np.exp(slopes @ z)
        return value + (floors + heights).mean(), slope + heights @ slopes / len(floors)

    rules = [{"type": "eq", "fun": lambda z: z[:domains].sum() - 1}]
    start, bounds = uniform, [(0.0, cap) for cap in caps]
    if aim == "worst":
        start = np.append(uniform, (floors + np.exp(slopes @ uniform)).max())
        bounds = [*bounds, (None, None)]
        under = lambda z: z[-1] - floors - np.exp(slopes @ z[:domains])  # noqa: E731
        rules.append({"type": "ineq", "fun": under})
    options = {"maxiter": 500, "ftol": 1e-10}
    return minimize(
        cost, start, jac=True, method="SLSQP", bounds=bounds, constraints=rules, options=options
    ).fun


def main():
    print("aim    domains targets  Clarabel    SLSQP  SLSQP above by   0.3.0 / Clarabel, stored")
    for aim in ("mean", "worst"):
        for domains, targets in SIZES:
            spent = {by_clarabel: [], by_slsqp: []}
            above = []
            for seed in range(LAWS):
                values = []
                for solve, times in spent.items():
                    start = process_time()
                    values.append(solve(aim, *draw_law(seed, domains, targets)))
                    times.append(1e3 * (process_time() - start))
                above.append((values[1] - values[0]) / abs(values[0]))
            ours, theirs = (np.median(times) for times in spent.values())
            before, then = BEFORE[aim, domains]
            print(
                f"{aim:6s} {domains:7d} {targets:7d} {ours:6.1f} ms {theirs:6.1f} ms "
                f"{max(above):15.0e}"
                f"   {before:.1f} / {then:.1f} ms = {before / then:.1f}"
            )
    refused = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        coef = np.column_stack([rng.uniform(0, 1, 5), rng.normal(0, 10, (5, 5))])
        try:
            by_hand = Ceilings(np.eye(5), np.exp(coef[:, 0]), np.ones(5, bool))
            minimise_exponentials(coef[:, 1:], np.zeros(5), ceilings=by_hand)
        except ReweightvizError:
            refused += 1
    print(f"hard targets, slopes N(0, 10): {refused} of 40 refused (0.3.0: 11)")


if __name__ == "__main__":
    main()
