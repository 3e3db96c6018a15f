"""Compare laws: each is fitted without some runs and scored on what they reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd

from reweightviz.core.errors import InvalidArgument, ReweightvizError, UnmetNeed
from reweightviz.core.protocols import LawSpec, check_method, check_options, needs
from reweightviz.core.repeats import group_equal_mixtures
from reweightviz.core.swarm import MEAN_OF_TARGETS, Swarm, check_targets
from reweightviz.core.validation import whole_number
from reweightviz.evaluation.comparison import BASELINE, Comparison
from reweightviz.evaluation.trial import Trial, score_trial, try_law, try_mean
from reweightviz.numerics.threads import one_thread

__all__ = ["FOLDS", "compare", "name_specs"]


FOLDS = 5
"""Parts that the runs are left out in, where there are as many different mixtures."""


@one_thread
def compare(
    swarm: Swarm,
    specs: Sequence[LawSpec] | Mapping[str, LawSpec],
    *,
    folds: int | None = None,
    seed: int = 0,
    **signals: Any,
) -> Comparison:
    """Fit every spec without a part of the runs in turn, and score what it predicts of them.

    Repeats of one mixture are left out together. The mean of the runs is compared too: a law that
    does not beat it knows nothing.

    Args:
        swarm: the proxy runs.
        specs: laws' specs, or name to spec; named by their class when not named.
        folds: parts of the runs; 5, or as many as there are different mixtures, when not given.
        seed: of the parts.
        **signals: what else the laws name, as in ``rv.fit``; those with a value a run are cut as
            the runs are.

    Returns:
        A Comparison. Its ``table`` has a row a law and target, and one of their mean, the most
        accurate law first: ``mae`` and ``mre`` (mean absolute and relative error), ``r2``,
        ``spearman``, ``relative`` (mae over that of predicting the mean of the runs),
        ``over_noise`` (mae over what repeats of a run differ by), ``coverage`` and ``width`` of
        the 90 % interval, all of left-out runs; ``r2_within`` of the fit to all runs; ``seconds``
        that fit took; ``degenerate`` and ``constant``, the flags of that fit.

    Raises:
        ReweightvizError: no spec, or fewer different mixtures than folds. A spec that cannot be
            fitted is listed in ``skipped`` with the reason.
    """
    if not isinstance(swarm, Swarm):
        raise InvalidArgument(
            name="compare",
            value=swarm,
            expected="a Swarm and laws",
            got=f"{swarm!r:.80} as the swarm",
        )
    check_targets(swarm.targets)
    named = name_specs(specs)
    check_options(compare, signals, {name for spec in named.values() for name in needs(spec.fit)})
    # Folds are of mixtures: a repeat among the known runs would give the held-out one away.
    group = group_equal_mixtures(swarm.mixtures)
    mixtures = int(group.max()) + 1
    folds = _choose_folds(folds, mixtures)
    part = (np.random.default_rng(seed).permutation(mixtures) % folds)[group]
    trials: dict[str, Trial] = {BASELINE: try_mean(swarm, part)}
    skipped: dict[str, str] = {}
    for name, spec in named.items():
        try:
            trials[name] = try_law(swarm, spec, part, signals)
        # A law whose package is not installed is skipped too.
        except (ReweightvizError, ImportError) as reason:
            skipped[name] = str(reason)
    scores = {name: score_trial(swarm, trial, trials[BASELINE]) for name, trial in trials.items()}
    table = pd.concat(scores, names=["law", "target"])
    means = table.xs(MEAN_OF_TARGETS, level="target")["relative"]
    order = sorted(trials, key=lambda name: (means[name], name == BASELINE))
    return Comparison(swarm, trials, skipped, folds, seed, table.loc[order], signals)


def _choose_folds(folds: int | None, mixtures: int) -> int:
    if mixtures < 2:
        raise UnmetNeed(
            name="compare", value=mixtures, expected="runs of 2 different mixtures or more"
        )
    if folds is None:
        return min(FOLDS, mixtures)
    chosen = whole_number("folds", folds, 2)
    if chosen > mixtures:
        raise UnmetNeed(
            name="compare",
            value=chosen,
            expected=f"2 folds or more, and no more than there are different mixtures ({mixtures})",
        )
    return chosen


def name_specs(specs: Sequence[LawSpec] | Mapping[str, LawSpec]) -> dict[str, LawSpec]:
    """Return name to spec; a class that comes more than once is named by its settings.

    Raises:
        ReweightvizError: no spec at all, something else than a spec, or the baseline's name.
    """
    if isinstance(specs, Mapping):
        named = dict(specs)
    elif isinstance(specs, list | tuple):
        named = _name_by_class(specs)
    else:
        named = _name_by_class([specs])
    for spec in named.values():
        check_method(spec, LawSpec, "compare", "rv.laws.Olmix()", "laws' settings")
    if not named:
        raise UnmetNeed(
            name="compare",
            value=None,
            expected="at least one spec, such as rv.laws.Olmix()",
            got="none",
        )
    if BASELINE in named:
        raise ReweightvizError(f"{BASELINE!r} is the baseline's name; give your law another.")
    return named


def _name_by_class(specs: Iterable[Any]) -> dict[str, Any]:
    specs = list(specs)
    names = [type(spec).__name__ for spec in specs]
    named: dict[str, Any] = {}
    for name, spec in zip(names, specs, strict=True):
        unique = name
        if names.count(name) > 1:
            unique = _describe_spec(spec)
        while unique in named:
            unique += " again"
        named[unique] = spec
    return named


def _describe_spec(spec: Any) -> str:
    """Return a spec as its class and the settings that are not its defaults."""
    if not is_dataclass(spec):
        return repr(spec)
    own = []
    for each in fields(spec):
        value = getattr(spec, each.name)
        if each.init and value != each.default:
            own.append(f"{each.name}={value!r}")
    return f"{type(spec).__name__}({', '.join(own)})"
