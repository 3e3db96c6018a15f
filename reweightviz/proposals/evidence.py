"""The evidence for a proposal: intervals of its prediction and weights, its gain, its distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from reweightviz.core.repeats import group_equal_mixtures, noise_of_repeats
from reweightviz.core.swarm import Swarm
from reweightviz.core.types import Array
from reweightviz.evaluation.doubts import find_doubts
from reweightviz.numerics.contrast import Contrast, contrast_figure
from reweightviz.numerics.hull import distance_outside
from reweightviz.numerics.quantiles import NORMAL_90, between
from reweightviz.proposals.aim import Aim
from reweightviz.proposals.task import Task

__all__ = [
    "OUTSIDE",
    "Evidence",
    "gather_evidence",
    "outside_hull",
    "run_noise",
    "usual_distance",
]


OUTSIDE = 0.01
"""Share of tokens outside the hull that is worth a warning; less is rounding."""


@dataclass(frozen=True)
class Evidence:
    """Hold what goes into a mixture's source, and the sentences that a person should read."""

    record: dict[str, Any]
    warnings: tuple[str, ...]


def gather_evidence(task: Task, aim: Aim, free: Array, refits: Array) -> Evidence:
    """Return how sure a proposal is.

    Args:
        task: what was asked.
        aim: what the proposal minimises.
        free: (Z,) the proposed free weights.
        refits: (n, Z) the proposals under other draws of the law.
    """
    both = np.stack([free, task.reference])
    # Both in one call: the draws of the law are then paired.
    predicted = task.predict(both)
    drawn = task.samples(both)
    scores = aim.score(predicted)
    interval = None
    if not len(drawn):
        interval = aim.score_interval(*task.interval(both))
    contrast = contrast_figure(scores, aim.score(drawn), interval)
    gain = {
        "over": task.reference_name,
        "reference_objective": float(aim.display(scores)[1]),
        "predicted": float(scores[1] - scores[0]),
        "interval_90": _gain_interval(contrast),
        "noise": run_noise(task.swarm, aim),
    }
    record: dict[str, Any] = {
        "predicted": dict(zip(task.law.targets, predicted[0].tolist(), strict=True)),
        "predicted_objective": float(aim.display(scores)[0]),
        **_intervals_of_draws(task, aim, drawn),
        **_weight_intervals(task, refits),
        "outside_hull": None,
        "gain": gain,
    }
    hull = _place_beside_hull(task, free)
    sentences = [
        *find_doubts(task.law, "the law"),
        *_doubt_gain(gain, contrast),
        *_doubt_place(hull),
    ]
    return Evidence(record | hull | {"warnings": sentences}, tuple(sentences))


def _gain_interval(contrast: Contrast) -> list[float] | None:
    if contrast.verdict == "unknown":
        return None
    return [-contrast.high, -contrast.low]


def _intervals_of_draws(task: Task, aim: Aim, drawn: Array) -> dict[str, Any]:
    """Return the 90 % intervals of a proposal's losses, from draws (B, 2, M)."""
    if not len(drawn):
        return {"predicted_interval_90": None, "predicted_intervals_90": None}
    objective = aim.display(aim.score(drawn)[:, 0])
    each = np.stack(between(drawn[:, 0]))
    return {
        "predicted_interval_90": [float(end) for end in between(objective)],
        "predicted_intervals_90": dict(zip(task.law.targets, each.T.tolist(), strict=True)),
    }


def _weight_intervals(task: Task, refits: Array) -> dict[str, Any]:
    if not len(refits):
        return {"weights_interval_90": None}
    ends = np.stack(between(refits @ task.space.spread.T))
    intervals = dict(zip(task.space.domains, ends.T.tolist(), strict=True))
    return {"weights_interval_90": intervals, "refits": len(refits)}


def run_noise(swarm: Swarm | None, aim: Aim) -> float | None:
    """Return the standard deviation of the objective over repeats of a mixture; None without."""
    if swarm is None or len(swarm.targets) != len(aim.importance):
        return None
    scores = aim.score(swarm.losses)
    noise = float(noise_of_repeats(scores[:, None], group_equal_mixtures(swarm.mixtures))[0])
    # It is NaN where no mixture was run twice.
    if not np.isfinite(noise):
        return None
    return noise


def _doubt_gain(gain: dict[str, Any], contrast: Contrast) -> list[str]:
    won = gain["predicted"]
    noise = gain["noise"]
    sentences = []
    apart = -np.inf
    if noise is not None:
        # Two runs of one mixture differ by a normal error with sqrt(2) times the noise of one.
        apart = NORMAL_90 * np.sqrt(2) * noise
    if won < apart:
        sentences.append(
            f"gain smaller than noise: the predicted gain over {gain['over']} is {won:.3g}, "
            f"and two runs of one mixture differ by up to {apart:.3g} (90 %)."
        )
    if contrast.verdict == "noise" and won > 0:
        sentences.append(
            f"the predicted gain over {gain['over']}, {won:.3g}, may be none: its 90 % "
            f"interval is {-contrast.high:.3g} to {-contrast.low:.3g}."
        )
    return sentences


def _place_beside_hull(task: Task, free: Array) -> dict[str, float]:
    """Return how far a proposal lies outside the runs' hull, and a run itself where that is far."""
    sampled = _mixtures_of_runs(task)
    if sampled is None:
        return {}
    away = float(distance_outside(task.space.law_spread @ free, sampled)[0])
    if away <= OUTSIDE:
        return {"outside_hull": away}
    usual = usual_distance(sampled, task.seed)
    return {"outside_hull": away, "outside_hull_of_a_run": usual}


def _doubt_place(hull: dict[str, float]) -> list[str]:
    if "outside_hull_of_a_run" not in hull:
        return []
    away = hull["outside_hull"]
    usual = hull["outside_hull_of_a_run"]
    # With few runs in many domains even a run lies outside the hull of the others.
    verdict = "so that is usual here"
    if away > usual:
        verdict = "so the law extrapolates"
    return [
        f"the proposal lies outside the hull of the runs: {100 * away:.1f} % of its "
        "tokens would have to move to make it a blend "
        f"of them; a run itself lies {100 * usual:.1f} % outside the others', {verdict}."
    ]


def _mixtures_of_runs(task: Task) -> Array | None:
    """Return the mixtures (R, K) behind the law, in its order of domains, where known."""
    if task.swarm is None:
        return getattr(task.law, "mixtures", None)
    return task.swarm.mixtures[:, [task.swarm.domains.index(domain) for domain in task.law.domains]]


def outside_hull(task: Task, free: Array) -> Array | None:
    """Return the share of tokens (n,) by which free weights (n, Z) lie outside the runs' hull.

    It is None where the runs are not known.
    """
    sampled = _mixtures_of_runs(task)
    if sampled is None:
        return None
    return distance_outside(free @ task.space.law_spread.T, sampled)


def usual_distance(sampled: Array, seed: int = 0, count: int = 24) -> float:
    """Return the median distance of a run from the hull of the others, over ``count`` random runs.

    >>> corners = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    >>> usual_distance(corners)
    0.5
    """
    # A repeat would lie in the hull of the others, at its twin.
    sampled = np.unique(np.asarray(sampled, np.float64), axis=0)
    if len(sampled) < 3:
        return 0.0
    chosen = np.random.default_rng(seed).permutation(len(sampled))[:count]
    distances = [distance_outside(sampled[i], np.delete(sampled, i, 0))[0] for i in chosen]
    return float(np.median(distances))
