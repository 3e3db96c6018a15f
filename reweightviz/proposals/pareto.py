"""The front between targets: mixtures where none gets better without another getting worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from reweightviz.core.errors import ReweightvizError, UnmetNeed, list_names
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Law, check_options
from reweightviz.core.types import Array
from reweightviz.core.validation import whole_number
from reweightviz.numerics.fronts import undominated
from reweightviz.numerics.quantiles import between
from reweightviz.numerics.threads import one_thread
from reweightviz.proposals.aim import parse_importance
from reweightviz.proposals.evidence import outside_hull
from reweightviz.proposals.front_search import Axes, score_axes, search_front
from reweightviz.proposals.task import Task, build_task

__all__ = ["CONSTRAINTS", "pareto", "parse_axes"]


CONSTRAINTS = (
    "tokens",
    "sources",
    "max_epochs",
    "bounds",
    "near",
    "caps",
    "groups",
    "fixed",
    "given",
    "swarm",
)


@one_thread
def pareto(
    law: Law,
    targets: Sequence[str] | Mapping[str, Any],
    points: int = 25,
    *,
    kl: float = 0.05,
    references: Mapping[str, Mapping[str, float]] | None = None,
    seed: int = 0,
    **constraints: Any,
) -> pd.DataFrame:
    """Find mixtures between which no target gets better without another getting worse.

    Each is what :func:`reweightviz.proposals.optimize.optimize` proposes for one importance of the
    targets; importances are added where neighbours lie furthest apart. Where higher is better for
    a target, or the law has steps, the front may bend inwards, where no importance leads: then it
    is searched as a whole, and ``importance`` is NaN. With ``kl`` above 0 every target carries the
    penalty, and the front is that of both; 0 gives the bare front.

    Args:
        law: what ``rv.fit`` gave.
        targets: two or three targets; or name to a target, a list of them (their mean) or target
            to importance.
        points: rows at most.
        kl: strength of the pull towards ``near``.
        references: name to mixture, predicted beside the front in ``.attrs["references"]``; the
            prior is always there.
        seed: of a global search, where the law is not convex.
        **constraints: as in :func:`reweightviz.proposals.optimize.optimize`: ``tokens``,
            ``sources``, ``max_epochs``, ``bounds``, ``near``, ``caps``, ``groups``, ``fixed``,
            ``given``, ``swarm``.

    Returns:
        A row a mixture, sorted by the first target. Columns ("weight", domain), ("predicted",
        target), ("low", target) and ("high", target), the 90 % interval of a new run,
        ("importance", target), and ("outside", "hull") where the runs are known. ``.attrs`` holds
        how it was found, which targets are better high, and what is predicted for the references.

    Example:
        >>> from reweightviz.laws._log_linear_law import LogLinearLaw
        >>> curves = np.array([[0, -1.0, -3.0], [0, -2.0, 0.0]])
        >>> law = LogLinearLaw(("web", "code"), ("a", "b"), np.ones(2, bool), curves)
        >>> front = pareto(law, ["a", "b"], points=5, kl=0)
        >>> front["predicted"].round(2).values.tolist()
        [[1.05, 2.0], [1.08, 1.59], [1.13, 1.39], [1.22, 1.22], [1.37, 1.14]]
    """
    if "objective" in constraints:
        raise ReweightvizError("rv.pareto takes no 'objective': the targets are the objective.")
    check_options(pareto, constraints, CONSTRAINTS)
    task = build_task(law, kl=kl, seed=seed, **constraints)
    axes = parse_axes(law, targets)
    count = len(axes.names)
    points = whole_number(f"points of a front of {count} targets", points, count)
    front = search_front(task, axes, points)
    # A search is not exact, so that what one importance finds may be beaten by another's.
    best = undominated(score_axes(task, axes, front.free))
    first = axes.values(task.predict(front.free))[best, 0]
    order = best[np.argsort(first, kind="stable")]
    table = _tabulate_front(task, axes, front.free[order], front.share[order])
    prior = {task.reference_name: task.space.mixture(task.reference, {})}
    table.attrs = {
        "method": "pareto",
        "law": repr(law),
        "kl": kl,
        "certificate": front.certificate,
        "domains": list(task.space.domains),
        "higher_is_better": [
            name for name, sign in zip(axes.names, axes.sign, strict=True) if sign < 0
        ],
        "references": _predict_references(task, axes, prior | dict(references or {})),
    }
    return table


def parse_axes(law: Law, targets: Sequence[str] | Mapping[str, Any]) -> Axes:
    """Return the axes of a front, from two or three targets or named groups of them.

    Raises:
        ReweightvizError: another number of them, an unknown target, or a group of targets that
            differ in direction.
    """
    if (
        isinstance(targets, str)
        or not isinstance(targets, Sequence | Mapping)
        or len(targets) not in (2, 3)
    ):
        raise UnmetNeed(
            name="a front",
            value=targets,
            expected="two or three targets, or names of groups of them, as in ['a', 'b'] or "
            "{'code': ['a', 'b'], 'text': 'c'}",
        )
    named = targets
    if not isinstance(named, Mapping):
        named = {name: name for name in targets}
    if len(named) < len(targets):
        raise ReweightvizError(f"the targets of a front must differ; got {list_names(targets)}.")
    rows = [_parse_group(law, name, group) for name, group in named.items()]
    falls = np.asarray(law.lower_is_better)
    sign = [1.0 if falls[row > 0].all() else -1.0 for row in rows]
    return Axes(tuple(named), np.array(rows), np.array(sign))


def _parse_group(law: Law, name: str, group: Any) -> Array:
    """Return the importance (M,) of one target, the mean of a list, or target to importance."""
    if isinstance(group, str):
        group = [group]
    if not isinstance(group, Mapping):
        group = dict.fromkeys(group, 1.0)
    importance = parse_importance(law.targets, group)
    directions = set(np.asarray(law.lower_is_better)[importance > 0].tolist())
    if len(directions) > 1:
        raise ReweightvizError(
            f"{name!r} holds targets where lower and targets where higher is better: keep one kind."
        )
    return importance


def _tabulate_front(task: Task, axes: Axes, free: Array, share: Array) -> pd.DataFrame:
    low, high = _interval(task, axes, free)
    parts = {"weight": pd.DataFrame(free @ task.space.spread.T, columns=list(task.space.domains))}
    columns = {
        "predicted": axes.values(task.predict(free)),
        "low": low,
        "high": high,
        "importance": share,
    }
    for title, values in columns.items():
        parts[title] = pd.DataFrame(values, columns=list(axes.names))
    away = outside_hull(task, free)
    if away is not None:
        parts["outside"] = pd.DataFrame({"hull": away})
    return pd.concat(parts, axis=1)


def _interval(task: Task, axes: Axes, free: Array) -> tuple[Array, Array]:
    """Return low and high (n, A) of a new run; NaN where the law has no draws."""
    # By draws: errors of targets go together, so their intervals do not average to the mean's.
    drawn = task.samples(free)
    if not len(drawn):
        unknown = np.full((len(free), len(axes.names)), np.nan)
        return unknown, unknown
    return between(axes.values(drawn))


def _predict_references(
    task: Task, axes: Axes, known: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    found = {}
    for name, mixture in known.items():
        weights = Mixture(mixture).aligned(task.space.domains)
        free = np.asarray(np.linalg.lstsq(task.space.spread, weights, rcond=None)[0], np.float64)
        if float(np.abs(task.space.spread @ free - weights).max()) > 1e-6:
            continue  # it breaks a fixed part, so no free weights stand for it
        low, high = _interval(task, axes, free[None])
        predicted = axes.values(task.predict(free[None]))
        found[name] = {
            "weight": dict(Mixture(mixture)),
            "predicted": dict(zip(axes.names, predicted[0].tolist(), strict=True)),
            "low": dict(zip(axes.names, low[0].tolist(), strict=True)),
            "high": dict(zip(axes.names, high[0].tolist(), strict=True)),
        }
    return found
