"""The learning curve of a law: its error by the number of runs, and what more runs would bring."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, list_names
from reweightviz.core.protocols import LawSpec
from reweightviz.core.repeats import group_equal_mixtures
from reweightviz.core.swarm import Swarm
from reweightviz.evaluation.held_out import Signals, drop_intervals, predict_held_out
from reweightviz.figures.figure import Figure
from reweightviz.figures.learning_curve import learning_curve_figure
from reweightviz.numerics.error_decay import fit_error_decay

__all__ = ["HELD", "HELPS", "SIZES", "LearningCurve", "learning_curve"]


HELD = 5
"""One part of so many is held out."""
SIZES = 6
"""Numbers of runs that are tried where none are named."""
HELPS = 0.93
"""More runs help where twice as many leave less of the error than this."""


@dataclass(frozen=True)
class LearningCurve:
    """Hold the error of a law by the number of runs it was fitted to.

    Args:
        table: a row a number of runs: ``relative`` error (of that of predicting the mean), its
            ``low`` and ``high`` over repeats.
        runs: how many runs there are.
        left: number of runs to why the law could not be fitted to so few.
    """

    table: pd.DataFrame
    runs: int
    left: Mapping[int, str] = field(default_factory=dict)

    @property
    def curve(self) -> tuple[float, float, float] | None:
        """a, b and c of ``error = a + b * runs ** -c``; None with fewer than three sizes."""
        if len(self.table) < 3:
            return None
        sizes = self.table.index.to_numpy(np.float64)
        return fit_error_decay(sizes, self.table["relative"].to_numpy(np.float64))

    def error(self, runs: float) -> float:
        """Return the error on the curve with that many runs; NaN where there is no curve."""
        if self.curve is None:
            return float("nan")
        a, b, c = self.curve
        return float(a + b * runs**-c)

    @property
    def verdict(self) -> str:
        """The error that twice and four times as many runs would bring."""
        if self.curve is None:
            return (
                f"too few sizes ({len(self.table)}) to see how the error falls with the number "
                "of runs."
            )
        now, twice, four = (self.error(factor * self.runs) for factor in (1, 2, 4))
        worth = "hardly"
        if twice < HELPS * now:
            worth = "still"
        return (
            f"with {self.runs} runs the error is some {100 * now:.1f} % of that of "
            f"predicting the mean; {2 * self.runs} runs would bring it to about "
            f"{100 * twice:.1f} %, {4 * self.runs} to {100 * four:.1f} %: more runs would "
            f"{worth} help."
        )

    def figure(self, height: int = 300) -> Figure:
        """Draw the error against the number of runs, with the curve to four times as many."""
        error = None
        if self.curve is not None:
            error = self.error
        return learning_curve_figure(self.table, self.runs, error, height=height)

    def _repr_html_(self) -> str:
        left = "".join(
            f"<li>{runs} runs: {html.escape(why)}</li>" for runs, why in self.left.items()
        )
        table = self.table.to_html(float_format=lambda value: f"{value:.4g}", border=0)
        return f"<p>{html.escape(self.verdict)}</p>{table}<ul>{left}</ul>"


def learning_curve(
    swarm: Swarm,
    spec: LawSpec,
    sizes: Sequence[int] | None = None,
    *,
    repeats: int = 4,
    seed: int = 0,
    signals: Signals | None = None,
) -> LearningCurve:
    """Measure the error of a law by how many runs it is fitted to.

    Args:
        swarm: the runs.
        spec: the law.
        sizes: numbers of different mixtures to fit to; six between a fifth and all but the
            held-out fifth when not given.
        repeats: random choices of mixtures a size; a fifth is held out in each.
        seed: of the choices.
        signals: what else the law is fitted from.

    Raises:
        ReweightvizError: a size beyond the runs; the law can be fitted to none of the sizes.
    """
    group = group_equal_mixtures(swarm.mixtures)
    mixtures = int(group.max()) + 1
    # The same number is held out for every size, so that the errors differ by the size alone.
    held = max(1, round(mixtures / HELD))
    chosen = _choose_sizes(sizes, mixtures, mixtures - held)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(mixtures) for _ in range(repeats)]
    # Errors of the prediction alone are needed, and intervals cost most of a fit.
    quick = drop_intervals(spec)
    rows: dict[int, dict[str, Any]] = {}
    left: dict[int, str] = {}
    for size in chosen:
        parts = [(order[:held], order[held : held + size]) for order in orders]
        try:
            errors = [
                _relative_error(swarm, quick, signals or {}, group, out, known)
                for out, known in parts
            ]
        except (ReweightvizError, ImportError) as reason:
            left[size] = str(reason)
            continue
        rows[size] = {"relative": np.mean(errors), "low": np.min(errors), "high": np.max(errors)}
    if not rows:
        raise ReweightvizError(
            f"the law could be fitted to none of these sizes: {next(iter(left.values()))}"
        )
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("runs")
    return LearningCurve(table, mixtures, left)


def _choose_sizes(sizes: Sequence[int] | None, mixtures: int, most: int) -> list[int]:
    """Return sizes in order, at most ``most``, which leaves a fifth of the mixtures."""
    if sizes is None:
        # Evenly in the logarithm, as the error falls by a power of the number of runs.
        sizes = np.geomspace(max(3, most / HELD), most, SIZES).tolist()
    chosen = sorted({int(size) for size in sizes})
    if not chosen or chosen[0] < 2 or chosen[-1] > most:
        raise InvalidValue(
            name="sizes",
            value=chosen,
            expected=f"between 2 and {most}, as a fifth of the {mixtures} mixtures is held out",
            got=list_names(chosen),
        )
    return chosen


def _relative_error(
    swarm: Swarm,
    spec: LawSpec,
    signals: Signals,
    group: NDArray[np.int64],
    out: NDArray[np.int64],
    known: NDArray[np.int64],
) -> float:
    """Return the mean over targets of a law's error, over that of predicting the mean.

    Args:
        swarm: the runs.
        spec: the law.
        signals: what else it is fitted from.
        group: (R,) the mixture of each run.
        out: the mixtures that are held out.
        known: those that the law is fitted to; the mean is that of all that are not held out.
    """
    is_out = np.isin(group, out)
    held = np.flatnonzero(is_out)
    predicted = predict_held_out(
        swarm, spec, signals, known=np.flatnonzero(np.isin(group, known)), held=held
    ).losses
    observed = swarm.losses[held]
    wrong = np.abs(predicted - observed).mean(0)
    of_mean = np.abs(observed - swarm.losses[~is_out].mean(0)).mean(0)
    return float((wrong / np.maximum(of_mean, 1e-300)).mean())
