"""Step 3, mix: proxy runs, a law of their losses, and the mixtures proposed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from reweightviz.core.swarm import Swarm
from reweightviz.evaluation.compare import compare
from reweightviz.evaluation.fit import fit
from reweightviz.proposals.design_swarm import design_swarm
from reweightviz.proposals.mix import mix
from reweightviz.proposals.optimize import optimize
from reweightviz.proposals.pareto import pareto

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


def read_swarm(ratios: Any, metrics: Any = None, **options: Any) -> Swarm:
    """Read proxy runs: two tables, one table of a tracker, or a folder of run logs.

    Args:
        ratios: the mixtures, a CSV file or table, in the layouts of RegMix and Olmix as they are;
            or one exported table of W&B, Aim or MLflow with a row a run; or a folder of run logs.
        metrics: what the runs reached, the second of two tables, joined on their run columns.
        **options: those of :func:`reweightviz.readers.swarms.two_tables.read`,
            :func:`reweightviz.readers.swarms.tracker_table.read` or
            :func:`reweightviz.readers.swarms.run_folder.read`.
    """
    from reweightviz.readers.swarms import run_folder, tracker_table, two_tables

    if metrics is not None:
        return two_tables.read(ratios, metrics, **options)
    if isinstance(ratios, str | os.PathLike) and Path(ratios).is_dir():
        return run_folder.read(ratios, **options)
    return tracker_table.read(ratios, **options)
