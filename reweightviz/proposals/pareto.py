"""The front between targets: mixtures where none gets better without another getting worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from reweightviz.core.errors import ReweightvizError, UnmetNeed, listed
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Law
from reweightviz.core.types import Array
from reweightviz.core.validation import whole_number
from reweightviz.numerics.quantiles import between
from reweightviz.numerics.simplex_search import moved
from reweightviz.numerics.threads import one_thread
from reweightviz.proposals.aim import Aim, importance_of
from reweightviz.proposals.evidence import outside_hull
from reweightviz.proposals.task import EVALUATIONS, Found, Task, some_of, task_of

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
ROUNDS, MOVES = 6, 1500
"""Of a front that is not convex: rounds of ever shorter moves away from its mixtures, and how many each."""


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
    """Mixtures between which no target gets better without another getting worse.

    Each is what :func:`reweightviz.proposals.optimize.optimize` proposes for one importance of the
    targets; importances are added where neighbours lie furthest apart. Where higher is better for
    a target, or the law has steps, the front may bend inwards, where no importance leads: then it
    is searched as a whole, and ``importance`` is NaN. With ``kl`` above 0 every target carries the
    pull, and the front is that of both; 0 gives the bare front.

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
        ("importance", target), and ("outside", "hull") where the runs are known. ``.attrs`` says
        how it was found, which targets are better high, and what is predicted for the references.

    Example:
        >>> from reweightviz.laws._log_linear import LogLinearLaw
        >>> law = LogLinearLaw(("web", "code"), ("a", "b"), np.ones(2, bool), np.array([[0, -1.0, -3.0], [0, -2.0, 0.0]]))
        >>> front = pareto(law, ["a", "b"], points=5, kl=0)
        >>> front["predicted"].round(2).values.tolist()
        [[1.05, 2.0], [1.08, 1.59], [1.13, 1.39], [1.22, 1.22], [1.37, 1.14]]
    """
    strange = [name for name in constraints if name not in CONSTRAINTS]
    if strange:
        why = ": the targets are the objective" if "objective" in strange else ""
        raise ReweightvizError(
            f"rv.pareto takes no {listed(strange)}{why}; beside law, targets, points, kl, "
            "references and seed there is "
            f"{listed(CONSTRAINTS)}."
        )
    task = task_of(law, kl=kl, seed=seed, **constraints)
    axes = _axes(law, targets)
    points = whole_number(f"points of a front of {len(axes)} targets", points, len(axes))
    names, importance = list(axes), np.array(list(axes.values()))
    sign = np.array([1.0 if law.lower_is_better[row > 0].all() else -1.0 for row in importance])
    free, share, found = _swept(task, importance, sign, points)
    values = task.predict(free) @ importance.T
    kept = _best_of_their_kind(values * sign + task.pull(free)[:, None])
    kept = kept[np.argsort(values[kept, 0], kind="stable")]
    table = _front_table(task, names, importance, free[kept], share[kept])
    known = {task.reference_name: task.space.mixture(task.reference, {})} | dict(references or {})
    table.attrs = {
        "method": "pareto",
        "law": repr(law),
        "kl": kl,
        "certificate": found.certificate,
        "domains": list(task.space.domains),
        "higher_is_better": [name for name, way in zip(names, sign, strict=True) if way < 0],
        "references": _references(task, known, names, importance),
    }
    return table


def _axes(law: Law, targets: Sequence[str] | Mapping[str, Any]) -> dict[str, Array]:
    """Name to importance (M,), which sums to 1."""
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
    named = targets if isinstance(targets, Mapping) else {name: name for name in targets}
    axes = {}
    for name, what in named.items():
        members = (
            what
            if isinstance(what, Mapping)
            else dict.fromkeys([what] if isinstance(what, str) else what, 1.0)
        )
        axes[name] = importance_of(law.targets, members)
        ways = set(np.asarray(law.lower_is_better)[axes[name] > 0].tolist())
        if len(ways) > 1:
            raise ReweightvizError(
                f"{name!r} holds targets where lower and targets where higher is better: "
                "keep one kind."
            )
    if len(axes) < len(targets):
        raise ReweightvizError(f"the targets of a front must differ; got {listed(targets)}.")
    return axes


def _swept(task: Task, importance: Array, sign: Array, points: int) -> tuple[Array, Array, Found]:
    """Proposals (n, Z) for shares (n, axes) of importance, added between the neighbours that are furthest apart."""
    axes, tried = len(importance), None
    share = (1 - 1e-4) * np.eye(axes) + 1e-4 / axes

    def proposed(part: Array, pool: Array | None) -> Found:
        aim = _aim(task, part @ importance)
        return task.solve(
            aim, evaluations=EVALUATIONS if pool is None else EVALUATIONS // 8, tried=pool
        )

    corners = [proposed(part, None) for part in share]
    free = [corner.free for corner in corners]
    if corners[0].pool is not None:
        tried = np.concatenate(
            [some_of(corner.pool.pool, 1000) for corner in corners if corner.pool is not None]
        )
        if not corners[0].pool.smooth or (sign < 0).any():
            return *_pooled(task, importance, sign, points, tried), corners[0]
    shares = list(share)
    while len(free) < points:
        pair = _widest(np.array(shares), task.predict(np.array(free)) @ importance.T)
        if pair is None:
            break
        shares.append((shares[pair[0]] + shares[pair[1]]) / 2)
        free.append(proposed(shares[-1], tried).free)
    return np.array(free), np.array(shares), corners[0]


def _pooled(
    task: Task, importance: Array, sign: Array, points: int, tried: Array
) -> tuple[Array, Array]:
    """The front of everything that a few searches between the targets have tried, and of moves away from it, evenly thinned."""
    between = np.concatenate(
        [
            np.full((1, len(importance)), 1 / len(importance)),
            0.5 * np.eye(len(importance)) + 0.5 / len(importance),
        ]
    )
    for part in between:
        found = task.solve(
            _aim(task, part @ importance), evaluations=EVALUATIONS // 4, tried=tried[:2000]
        )
        tried = np.concatenate(
            [found.free[None], tried]
            + ([some_of(found.pool.pool, 1000)] if found.pool is not None else [])
        )
    tried, scores = _front_of(task, tried, importance, sign)
    rng, where, pool = np.random.default_rng(task.seed), task.region(), tried
    for turn in range(ROUNDS):
        fresh = where.within(moved(tried, pool, MOVES, 0.5**turn, rng))
        tried, scores = _front_of(task, np.concatenate([tried, fresh]), importance, sign)
    scores = scores / np.maximum(np.ptp(scores, axis=0), 1e-12)
    chosen = list(dict.fromkeys(scores.argmin(0).tolist()))
    while len(chosen) < min(points, len(tried)):
        chosen.append(
            int(np.linalg.norm(scores[:, None] - scores[chosen][None], axis=2).min(1).argmax())
        )
    return tried[chosen], np.full((len(chosen), len(importance)), np.nan)


def _front_of(task: Task, free: Array, importance: Array, sign: Array) -> tuple[Array, Array]:
    """Those of the free weights (n, Z) that meet the caps and that none beats, and their scores (n, axes)."""
    free = free[task.allowed(free)]
    scores = task.predict(free) @ importance.T * sign + task.pull(free)[:, None]
    kept = _best_of_their_kind(scores)
    return free[kept], scores[kept]


def _aim(task: Task, importance: Array) -> Aim:
    sign = np.where(task.law.lower_is_better, 1.0, -1.0)
    return Aim(importance, sign, np.ones(len(importance)))


def _widest(shares: Array, values: Array) -> tuple[int, int] | None:
    """The neighbours by importance whose predictions are furthest apart; None where all are close."""
    if shares.shape[1] == 2:
        order = np.argsort(shares[:, 0])
        edges = np.stack([order[:-1], order[1:]], 1)
    else:
        corners = Delaunay(shares[:, :2]).simplices if len(shares) > 3 else np.array([[0, 1, 2]])
        edges = np.unique(
            np.sort(
                np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]]), 1
            ),
            axis=0,
        )
    span = np.maximum(np.ptp(values, axis=0), 1e-12)
    width = np.linalg.norm((values[edges[:, 0]] - values[edges[:, 1]]) / span, axis=1)
    width[np.abs(shares[edges[:, 0]] - shares[edges[:, 1]]).max(1) < 1e-4] = 0
    best = int(width.argmax())
    return (int(edges[best, 0]), int(edges[best, 1])) if width[best] > 1e-6 else None


def _best_of_their_kind(scores: Array) -> NDArray[np.int64]:
    """Rows that no other row beats or equals in every column."""
    span = np.maximum(np.ptp(scores, axis=0), 1e-12)
    _, left = np.unique(np.round(scores / span, 6), axis=0, return_index=True)
    left = left[np.argsort((scores[left] / span).sum(1), kind="stable")]
    kept = []
    while len(left):  # of those that are left, none beats the first
        kept.append(left[0])
        left = left[(scores[left] < scores[left[0]]).any(1)]
    return np.sort(np.array(kept, np.int64))


def _front_table(
    task: Task, names: Sequence[str], importance: Array, free: Array, share: Array
) -> pd.DataFrame:
    low, high = _interval(task, free, importance)
    parts = {"weight": pd.DataFrame(free @ task.space.spread.T, columns=list(task.space.domains))}
    for title, values in (
        ("predicted", task.predict(free) @ importance.T),
        ("low", low),
        ("high", high),
        ("importance", share),
    ):
        parts[title] = pd.DataFrame(values, columns=list(names))
    away = outside_hull(task, free)
    if away is not None:
        parts["outside"] = pd.DataFrame({"hull": away})
    return pd.concat(parts, axis=1)


def _interval(task: Task, free: Array, importance: Array) -> tuple[Array, Array]:
    drawn = task.samples(free)
    if not len(drawn):
        return np.full((len(free), len(importance)), np.nan), np.full(
            (len(free), len(importance)), np.nan
        )
    return between(drawn @ importance.T)


def _references(
    task: Task, known: Mapping[str, Mapping[str, float]], names: Sequence[str], importance: Array
) -> dict[str, Any]:
    found = {}
    for name, mixture in known.items():
        weights = Mixture(mixture).aligned(task.space.domains)
        free = np.asarray(np.linalg.lstsq(task.space.spread, weights, rcond=None)[0], np.float64)
        if float(np.abs(task.space.spread @ free - weights).max()) > 1e-6:
            continue  # it breaks a fixed part, so the law of the free weights cannot say
        low, high = _interval(task, free[None], importance)
        predicted = task.predict(free[None]) @ importance.T
        found[name] = {
            "weight": dict(Mixture(mixture)),
            "predicted": dict(zip(names, predicted[0].tolist(), strict=True)),
            "low": dict(zip(names, low[0].tolist(), strict=True)),
            "high": dict(zip(names, high[0].tolist(), strict=True)),
        }
    return found
