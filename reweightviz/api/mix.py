"""Step 3, mix: proxy runs, a law of their losses, and the mixtures proposed."""

from __future__ import annotations

from reweightviz.core.swarm import Swarm
from reweightviz.evaluation.compare import compare
from reweightviz.evaluation.fit import fit
from reweightviz.proposals.design_swarm import design_swarm
from reweightviz.proposals.mix import mix
from reweightviz.proposals.optimize import optimize
from reweightviz.proposals.pareto import pareto
from reweightviz.readers.read_swarm import read_swarm

__all__ = [  # noqa: RUF022  in the order of the journey
    "demo_swarm",
    "read_swarm",
    "fit",
    "mix",
    "compare",
    "design_swarm",
    "optimize",
    "pareto",
]


def demo_swarm() -> Swarm:
    """Read real proxy runs on the demo corpus: 96 mixtures and 6 repeats of one.

    The targets are the domains' held-out losses.
    """
    from reweightviz.readers.demo import runs

    return runs.read_swarm()
