"""The predictions of a law for the mixtures of a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from reweightviz.core.lineage import Lineage
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Law
from reweightviz.core.sources import Sources
from reweightviz.core.types import Array
from reweightviz.core.validation import mapping
from reweightviz.decision.decision import Estimate, TargetPrediction
from reweightviz.evaluation.law_inputs import law_inputs
from reweightviz.numerics.contrast import Contrast, forecast_mixtures

__all__ = ["LEVEL", "Predictions", "Predictor", "build_predictor"]


LEVEL = 0.9


class Predictions(NamedTuple):
    """What a law predicts: the mean, every target, how many it is over, and the draws shared.

    Without a law there is nothing of it.
    """

    mean: TargetPrediction | None = None
    targets: tuple[TargetPrediction, ...] = ()
    averaged: int = 0
    draws: int = 0


class Predictor(NamedTuple):
    """A law, what it predicts from beside the weights, and how its domains were split."""

    law: Law
    inputs: Mapping[str, Any]
    lineage: Lineage

    def align(self, mixtures: Sequence[Mixture]) -> Array:
        """Return weights (n, K) of the law's domains, of mixtures over them or their parts."""
        domains = self.law.domains
        known = [self.lineage.mixture_onto(mixture, domains) for mixture in mixtures]
        return np.stack([mixture.aligned(domains) for mixture in known])

    def predict(self, chosen: Mixture, reference: Mixture | None) -> Predictions:
        """Return the mean over targets and each target, under one mixture beside another."""
        mixtures = [chosen]
        if reference is not None:
            mixtures.append(reference)
        forecast = forecast_mixtures(self.law, self.align(mixtures), level=LEVEL, given=self.inputs)
        averaged = int((forecast.shares > 0).sum())
        mean = self.law.targets[int(np.argmax(forecast.shares))]
        if averaged > 1:
            mean = f"mean of {averaged}"
        names = [mean, *self.law.targets]
        estimates = np.stack([forecast.figures, *forecast.bounds], -1).tolist()
        contrasts: list[Contrast | None] = [None] * len(names)
        if reference is not None:
            of_mean, of_targets = forecast.contrast(0, 1)
            contrasts = [of_mean, *of_targets]
        found = []
        for m, name in enumerate(names):
            one, *others = (Estimate(*row[m]) for row in estimates)
            contrast = contrasts[m]
            change = None
            if contrast is not None:
                change = Estimate(contrast.change, contrast.low, contrast.high)
            verdict = _judge(one, contrast)
            other = others[0] if others else None
            lower_is_better = forecast.downwards[m]
            found.append(TargetPrediction(name, lower_is_better, one, other, change, verdict))
        return Predictions(found[0], tuple(found[1:]), averaged, len(forecast.draws))


def build_predictor(
    law: Law,
    mixture: Mixture,
    *,
    given: Mapping[str, Any] | None,
    tokens: float | None,
    budget: float | None,
    sources: Sources | None,
) -> Predictor:
    """Return a law with its inputs.

    They are what was given; else what the mixture was proposed with; else the budget and sources.

    Args:
        law: predicts.
        mixture: may hold in its source what it was proposed with.
        given: what the law predicts from beside the weights.
        tokens: the budget that was asked for, before which that of the proposal steps back.
        budget: the one that holds.
        sources: what there is of each domain.
    """
    taken = getattr(law, "takes", getattr(law, "given", ()))
    proposed = mixture.source.get("given")
    inputs: dict[str, Any] = {}
    if isinstance(proposed, Mapping):
        inputs = {name: value for name, value in proposed.items() if name in taken}
    if tokens is not None:
        # Else the length of the proposal's run would stand above the budget asked for.
        inputs.pop("run_tokens", None)
    inputs |= mapping("given", given, "name to what the law takes")
    lineage = Lineage()
    if sources is not None:
        lineage = sources.lineage
    return Predictor(law, law_inputs(law, inputs, budget, sources), lineage)


def _judge(chosen: Estimate, contrast: Contrast | None) -> str:
    if contrast is None:
        return "unknown"
    # Where there is no interval it is NaN, which no change is below.
    one_run = (chosen.high - chosen.low) / 2
    if contrast.verdict in ("better", "worse") and abs(contrast.change) <= one_run:
        return f"{contrast.verdict} on average"
    return contrast.verdict
