"""How sure a proposal is: intervals of its prediction and of its weights, its gain against noise, its place outside the runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from reweightviz.core.errors import warn
from reweightviz.core.protocols import Law
from reweightviz.core.repeats import group_equal_mixtures, noise_of_repeats
from reweightviz.core.swarm import Swarm
from reweightviz.core.types import Array
from reweightviz.evaluation.doubts import doubts
from reweightviz.numerics.contrast import Contrast, contrast_figure
from reweightviz.numerics.hull import distance_outside
from reweightviz.numerics.quantiles import between
from reweightviz.proposals.aim import Aim
from reweightviz.proposals.limits import Space

NORMAL_90 = 1.6449
OUTSIDE = 0.01
"""Share of tokens outside the hull that is worth a warning; less is rounding."""


class Question(Protocol):
    """What the evidence is about: a law, the space of proposals, the reference."""

    @property
    def law(self) -> Law:
        """Who predicts."""
        ...

    @property
    def space(self) -> Space:
        """What may be proposed."""
        ...

    @property
    def swarm(self) -> Swarm | None:
        """The runs behind the law."""
        ...

    @property
    def seed(self) -> int:
        """Of what is drawn."""
        ...

    @property
    def reference_name(self) -> str:
        """What the reference is called."""
        ...

    @property
    def reference(self) -> Array:
        """Free weights (Z,) to compare with."""
        ...

    def predict(self, free: Array) -> Array:
        """Losses (n, M) of free weights (n, Z)."""
        ...

    def samples(self, free: Array) -> Array:
        """Losses (B, n, M) that new runs might reach."""
        ...

    def interval(self, free: Array) -> tuple[Array, Array]:
        """Where (n, M) a new run lands nine times in ten."""
        ...


@dataclass(frozen=True)
class Evidence:
    """What is written into a mixture's source, and the sentences a person should read."""

    record: dict[str, Any]
    warnings: tuple[str, ...]


def evidence_of(task: Question, aim: Aim, free: Array, refits: Array) -> Evidence:
    """How sure the proposal ``free`` (Z,) is.

    Args:
        task: what was asked.
        aim: what it is good at.
        free: the proposed free weights.
        refits: (n, Z) the proposals under other draws of the law.
    """
    both = np.stack([free, task.reference])
    predicted, drawn = task.predict(both), task.samples(both)
    scores = aim.score(predicted)
    record: dict[str, Any] = {
        "predicted": dict(zip(task.law.targets, predicted[0].tolist(), strict=True)),
        "predicted_objective": float(aim.shown(scores)[0]),
        "predicted_interval_90": None,
        "predicted_intervals_90": None,
        "weights_interval_90": None,
        "outside_hull": None,
    }
    gain: dict[str, Any] = {
        "over": task.reference_name,
        "reference_objective": float(aim.shown(scores)[1]),
        "predicted": float(scores[1] - scores[0]),
        "interval_90": None,
        "noise": None,
    }
    interval = None if len(drawn) else aim.score_interval(*task.interval(both))
    contrast = contrast_figure(scores, aim.score(drawn), interval)
    if contrast.verdict != "unknown":
        gain["interval_90"] = [-contrast.high, -contrast.low]
    if len(drawn):
        sampled = aim.score(drawn)
        record["predicted_interval_90"] = [float(end) for end in between(aim.shown(sampled[:, 0]))]
        each = np.stack(between(drawn[:, 0]))
        record["predicted_intervals_90"] = dict(zip(task.law.targets, each.T.tolist(), strict=True))
    if len(refits):
        low, high = between(refits @ task.space.spread.T)
        record["weights_interval_90"] = {
            d: [lo, hi]
            for d, lo, hi in zip(task.space.domains, low.tolist(), high.tolist(), strict=True)
        }
        record["refits"] = len(refits)
    gain["noise"] = run_noise(task.swarm, aim)
    record["gain"] = gain
    sentences = [
        *doubts(task.law, "the law"),
        *_gain_sentences(gain, contrast),
        *_hull_sentences(task, free, record),
    ]
    return Evidence(record | {"warnings": sentences}, tuple(sentences))


def run_noise(swarm: Swarm | None, aim: Aim) -> float | None:
    """Standard deviation of the objective over repeats of one mixture, pooled; None without repeats."""
    if swarm is None or len(swarm.targets) != len(aim.importance):
        return None
    scores = aim.score(swarm.losses)
    noise = float(noise_of_repeats(scores[:, None], group_equal_mixtures(swarm.mixtures))[0])
    return noise if np.isfinite(noise) else None


def _gain_sentences(gain: dict[str, Any], contrast: Contrast) -> list[str]:
    won = gain["predicted"]
    noise = gain["noise"]
    found = []
    apart = None if noise is None else NORMAL_90 * np.sqrt(2) * noise
    if apart is not None and won < apart:
        found.append(
            f"gain smaller than noise: the predicted gain over {gain['over']} is {won:.3g}, "
            f"and two runs of one mixture differ by up to {apart:.3g} (90 %)."
        )
    if contrast.verdict == "noise" and won > 0:
        found.append(
            f"the predicted gain over {gain['over']}, {won:.3g}, may be none: its 90 % "
            "interval is "
            f"{-contrast.high:.3g} to {-contrast.low:.3g}."
        )
    return found


def _hull_sentences(task: Question, free: Array, record: dict[str, Any]) -> list[str]:
    sampled = _sampled(task)
    if sampled is None:
        return []
    record["outside_hull"] = away = float(
        distance_outside(task.space.law_spread @ free, sampled)[0]
    )
    if away <= OUTSIDE:
        return []
    usual = usual_distance(sampled, task.seed)
    record["outside_hull_of_a_run"] = usual
    sentence = (
        f"the proposal lies outside the hull of the runs: {100 * away:.1f} % of its "
        "tokens would have to move to make it a blend "
        f"of them; a run itself lies {100 * usual:.1f} % outside the others'"
    )
    return [
        sentence + (", so the law extrapolates." if away > usual else ", so that is usual here.")
    ]


def _sampled(task: Question) -> Array | None:
    """The mixtures (R, K) behind the law, in its order of domains, where they are known."""
    if task.swarm is None:
        return getattr(task.law, "mixtures", None)
    return task.swarm.mixtures[:, [task.swarm.domains.index(domain) for domain in task.law.domains]]


def outside_hull(task: Question, free: Array) -> Array | None:
    """The share of tokens (n,) by which free weights (n, Z) lie outside the runs' hull; None where the runs are not known."""
    sampled = _sampled(task)
    return None if sampled is None else distance_outside(free @ task.space.law_spread.T, sampled)


def usual_distance(sampled: Array, seed: int = 0, count: int = 24) -> float:
    """The median distance of a run from the hull of the others, over ``count`` runs drawn at random."""
    sampled = np.unique(np.asarray(sampled, np.float64), axis=0)
    if len(sampled) < 3:
        return 0.0
    chosen = np.random.default_rng(seed).permutation(len(sampled))[:count]
    return float(
        np.median([distance_outside(sampled[i], np.delete(sampled, i, 0))[0] for i in chosen])
    )


def say(sentences: Sequence[str]) -> None:
    """Warn of each at the line outside reweightviz that asked."""
    for sentence in sentences:
        warn(sentence)
