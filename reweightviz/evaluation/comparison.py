"""The comparison of laws: a table of errors, the ranking, and a verdict in words."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from reweightviz.core.errors import ReweightvizError, UnknownName, list_names
from reweightviz.core.protocols import LawSpec
from reweightviz.core.repeats import group_equal_mixtures
from reweightviz.core.swarm import MEAN_OF_TARGETS, Swarm
from reweightviz.evaluation.held_out import Signals
from reweightviz.evaluation.learning_curve import LearningCurve, learning_curve
from reweightviz.evaluation.swarm_cost import H100, swarm_cost
from reweightviz.evaluation.trial import Trial
from reweightviz.figures.comparison import comparison_figure
from reweightviz.figures.figure import Figure
from reweightviz.numerics.quantiles import between

__all__ = ["BASELINE", "Comparison"]


BASELINE = "mean of the runs"


@dataclass(frozen=True)
class Comparison:
    """Hold which law to trust on these runs.

    Args:
        swarm: the runs.
        trials: name to what a law predicted.
        skipped: name to why a spec could not be compared.
        folds: how many parts the runs were left out in.
        seed: of the parts.
        table: a row a law and target; see :func:`reweightviz.evaluation.compare.compare`.
        signals: what else the laws were fitted from.
    """

    swarm: Swarm
    trials: Mapping[str, Trial]
    skipped: Mapping[str, str]
    folds: int
    seed: int
    table: pd.DataFrame = field(repr=False)
    signals: Signals = field(default_factory=dict, repr=False)

    @property
    def ranking(self) -> list[str]:
        """The laws, the most accurate first; the baseline among them."""
        return list(dict.fromkeys(self.table.index.get_level_values("law")))

    @property
    def best(self) -> LawSpec | None:
        """The spec that predicts unseen runs best; None where none beats the mean of the runs."""
        first = self.ranking[0]
        if first == BASELINE:
            return None
        return self.trials[first].spec

    @property
    def verdict(self) -> str:
        """The best law, its lead, and whether that is more than chance."""
        first, *others = self.ranking
        if not others and self.skipped:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.skipped.items())
            return f"no law could be fitted: {reasons}"
        if first == BASELINE:
            return (
                "no law predicts a run it has not seen better than the mean of the runs does: do "
                "not trust any of them here."
            )
        rivals = [name for name in others if name != BASELINE]
        return (
            self._praise_of(first)
            + self._lead_over(first, rivals)
            + self._doubts_about(first)
            + "."
        )

    def _praise_of(self, law: str) -> str:
        row = self.table.loc[(law, MEAN_OF_TARGETS)]
        sentence = (
            f"{law} predicts runs it has not seen best: its mean error is "
            f"{100 * row['relative']:.0f} % of that of predicting the "
            f"mean (R2 {row['r2']:.3f}, Spearman {row['spearman']:.3f})"
        )
        if np.isfinite(row["over_noise"]):
            sentence += f", {row['over_noise']:.1f} times what the noise between repeats explains"
        return sentence

    def _lead_over(self, law: str, rivals: Sequence[str]) -> str:
        if not rivals:
            return ""
        low, high = self.difference(law, rivals[0])
        chance = "more than chance"
        if low <= 0:
            chance = "that may be chance"
        return (
            f". {rivals[0]} comes next; its error is larger by {100 * low:.1f} to "
            f"{100 * high:.1f} % of that of the mean (90 %), {chance}"
        )

    def _doubts_about(self, law: str) -> str:
        targets = self.table.loc[law].drop(index=MEAN_OF_TARGETS)
        weak = targets.index[targets["degenerate"].astype(bool)]
        if not len(weak):
            return ""
        return f". Its fit is degenerate for {list_names(weak, 3)}: look at those targets' rows"

    def difference(self, one: str, other: str, draws: int = 2000) -> tuple[float, float]:
        """Return how much larger the relative error of ``other`` is than that of ``one``.

        It is a 90 % interval over resampled mixtures, with all runs of each.
        """
        for name in (one, other):
            if name not in self.trials:
                raise UnknownName(kind="law in this comparison", name=name, known=self.trials)
        errors = {
            name: np.abs(self.swarm.losses - self.trials[name].predicted)
            for name in (one, other, BASELINE)
        }
        # A target that never changes has a baseline without error.
        scale = np.maximum(errors[BASELINE].mean(0), 1e-300)
        excess = (errors[other] / scale).mean(1) - (errors[one] / scale).mean(1)
        # Repeats of a mixture are no independent evidence, so mixtures are drawn, not runs.
        group = group_equal_mixtures(self.swarm.mixtures)
        each = np.bincount(group, excess)
        counts = np.bincount(group)
        chosen = np.random.default_rng(self.seed).integers(0, len(each), (draws, len(each)))
        low, high = between(each[chosen].sum(1) / counts[chosen].sum(1))
        return float(low), float(high)

    def figure(self, target: str | None = None, *, height: int = 320) -> Figure:
        """Draw predicted against observed losses of runs held out, a panel a law.

        Args:
            target: the one that is drawn; all, a colour each, when not given.
            height: pixels of a panel.
        """
        targets = self.swarm.targets
        if target is not None and target not in targets:
            raise UnknownName(kind="target", name=target, known=targets)
        laws = [name for name in self.ranking if name != BASELINE] or [BASELINE]
        return comparison_figure(
            self.swarm.losses,
            {name: self.trials[name].predicted for name in laws},
            targets=targets,
            drawn=[m for m, each in enumerate(targets) if target in (None, each)],
            r2={name: self.table.loc[(name, target or MEAN_OF_TARGETS), "r2"] for name in laws},
            height=height,
        )

    def learning_curve(
        self,
        spec: LawSpec | str | None = None,
        sizes: Sequence[int] | None = None,
        *,
        repeats: int = 4,
    ) -> LearningCurve:
        """Measure how the error falls with the number of runs, and what more would bring.

        Args:
            spec: a spec, or the name of a law in this comparison; the best when not given.
            sizes: numbers of runs to fit to; six between a fifth and all but the held-out fifth
                when not given.
            repeats: random choices of runs a size; a fifth of the runs is held out in each.
        """
        return learning_curve(
            self.swarm,
            self._find_spec(spec),
            sizes,
            repeats=repeats,
            seed=self.seed,
            signals=self.signals,
        )

    def _find_spec(self, spec: LawSpec | str | None) -> LawSpec:
        if isinstance(spec, str):
            specs = {name: trial.spec for name, trial in self.trials.items()}
            found = specs.get(spec)
            if found is None:
                known = set(specs) - {BASELINE}
                raise UnknownName(kind="law in this comparison", name=spec, known=known)
            return found
        chosen = spec
        if chosen is None:
            chosen = self.best
        if chosen is None:
            raise ReweightvizError(
                "no law here beats the mean of the runs, so there is none to draw a "
                "curve of: name a spec."
            )
        return chosen

    def cost(
        self,
        size: float | str | None = None,
        tokens: float | str | None = None,
        flops_per_second: float = H100,
    ) -> dict[str, float]:
        """Return what the swarm costs: runs, FLOPs (6 a parameter and token) and GPU-hours.

        Args:
            size: model parameters of a run; the runs' column ``size`` when not given.
            tokens: training tokens of a run; the runs' column ``run_tokens`` when not given.
            flops_per_second: what one GPU really does; that of an H100 at 40 % utilisation when
                not given.
        """
        return swarm_cost(self.swarm, size, tokens, flops_per_second)

    def __repr__(self) -> str:
        return f"Comparison({len(self.swarm)} runs, {self.folds} folds: {self.verdict})"

    def _repr_html_(self) -> str:
        means = self.table.xs(MEAN_OF_TARGETS, level="target").drop(columns=["constant"])
        each = self.table.drop(index=MEAN_OF_TARGETS, level="target")
        skipped = "".join(
            f"<li>{html.escape(name)}: {html.escape(why)}</li>"
            for name, why in self.skipped.items()
        )
        page = (
            f"<p>{html.escape(self.verdict)}</p>{_table_html(means)}<details><summary>every "
            f"target</summary>{_table_html(each)}</details>"
        )
        if skipped:
            page += f"<p>Not compared:</p><ul>{skipped}</ul>"
        return page


def _table_html(table: pd.DataFrame) -> Any:
    return table.to_html(
        float_format=lambda value: f"{value:.3g}", na_rep="", border=0, index_names=False
    )
