"""The mixture with the best predicted loss under constraints, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reweightviz.core.errors import warn
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Law
from reweightviz.core.sources import Sources
from reweightviz.core.swarm import Swarm
from reweightviz.core.token_counts import parse_budget
from reweightviz.core.validation import whole_number
from reweightviz.numerics.threads import one_thread
from reweightviz.proposals.aim import MEAN, Objective, build_aim
from reweightviz.proposals.constraints import Epochs
from reweightviz.proposals.evidence import gather_evidence
from reweightviz.proposals.refits import solve_refits
from reweightviz.proposals.solve import solve
from reweightviz.proposals.task import build_task

__all__ = ["DRAWS", "optimize"]


DRAWS = 50
"""Refits of the law that are optimised again for the interval of the weights."""


@one_thread
def optimize(
    law: Law,
    *,
    objective: Objective | None = None,
    tokens: float | str | None = None,
    sources: Sources | Mapping[str, float] | None = None,
    max_epochs: Epochs = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    near: Mapping[str, float] | None = None,
    kl: float = 0.05,
    caps: Mapping[str, float] | None = None,
    groups: Mapping[str, tuple[Sequence[str], float, float]] | None = None,
    fixed: Mapping[str, Mapping[str, float]] | None = None,
    given: Mapping[str, Any] | None = None,
    swarm: Swarm | None = None,
    seed: int = 0,
    draws: int = DRAWS,
) -> Mixture:
    """Find the mixture with the best predicted loss.

    A log-linear law is minimised exactly, by a convex program with a certificate; every other law,
    and targets where higher is better, by a seeded global search. The ``source`` of the
    mixture holds which it was, and how sure the proposal is.

    Args:
        law: what ``rv.fit`` gave.
        objective: "mean" over the targets, as when not given; one target, target to importance,
            "worst" (the largest predicted loss) or "worst ratio" (the largest relative to the
            reference's). A target that is called "mean" or "worst" is meant by its name.
        tokens: training budget; with ``sources`` and ``max_epochs`` no domain is repeated more
            often than that.
        sources: what there is of each domain. Of a corpus in which domains of the law were split,
            the proposal is over the parts, which keep their natural shares of the domain.
        max_epochs: the cap on passes over a domain: one number for all, or domain to number, the
            others free.
        bounds: domain, or fixed part, to (lowest, highest) weight.
        near: prior mixture of the KL term, and the reference that the gain is measured against;
            uniform when not given.
        kl: strength of the KL term in units of the loss; 0 leaves the prior out, inf leaves only
            the prior.
        caps: target to the worst predicted value that is allowed: the largest loss, or the least
            where higher is better.
        groups: name to (domains, lowest, highest) sum of their weights.
        fixed: name to a mixture whose inner ratios stay, as Olmix reuses one: of domains of the
            law, which then move together; or, where the name is itself a domain of the law, what
            that domain is made of.
        given: what else the law predicts from, such as ``{"size": 1e9}``.
        swarm: the runs behind the law: for its noise floor, and for how far the proposal leaves
            their hull.
        seed: of the global search.
        draws: refits that are optimised again for the interval of the weights; 0 for none.

    Returns:
        A Mixture with, in ``source``: ``method``, ``law``, everything asked for, ``certificate``,
        ``predicted`` (target to loss), ``predicted_intervals_90``, ``predicted_objective`` and its
        ``predicted_interval_90``, ``weights_interval_90`` (domain to low and high), ``gain`` over
        the reference, ``outside_hull`` (share of tokens) and ``warnings``.

    Raises:
        ReweightvizError: constraints that no mixture can meet, by name; a prior of 0 for a domain
            that may be used.

    Warns:
        ReweightvizWarning: the proposal leaves the hull of the runs, or its gain is smaller than
            its interval or noise.

    Example:
        >>> import numpy as np
        >>> from reweightviz.laws._log_linear_law import LogLinearLaw
        >>> curves = np.array([[0, -1.0, -3.0], [0, -2.0, 0.0]])
        >>> law = LogLinearLaw(("web", "code"), ("a", "b"), np.ones(2, bool), curves)
        >>> mixture = optimize(law, kl=0, caps={"b": 1.15})
        >>> mixture, mixture.source["certificate"]["method"]
        (Mixture({'web': 0.9486, 'code': 0.05144}), 'convex program')
    """
    draws = whole_number("draws", draws)
    tokens = parse_budget(tokens)
    task = build_task(
        law,
        tokens=tokens,
        sources=sources,
        max_epochs=max_epochs,
        bounds=bounds,
        near=near,
        kl=kl,
        caps=caps,
        groups=groups,
        fixed=fixed,
        given=given,
        swarm=swarm,
        seed=seed,
    )
    # "worst ratio" divides by what is predicted for the reference.
    aim = build_aim(law, objective, task.predict(task.reference[None])[0])
    found = solve(task, aim)
    evidence = gather_evidence(task, aim, found.free, solve_refits(task, aim, found, draws))
    asked = {
        "method": "optimize",
        "law": repr(law),
        "objective": _copy_table(MEAN if objective is None else objective),
        "kl": kl,
        "near": _copy_table(task.reference_name if near is None else near),
        "bounds": {domain: list(pair) for domain, pair in (bounds or {}).items()},
        "max_epochs": _copy_table(max_epochs),
        "budget": tokens,
        "caps": dict(caps or {}),
        "groups": _list_groups(groups or {}),
        "fixed": {name: dict(inner) for name, inner in (fixed or {}).items()},
        "given": to_jsonable(task.given),
        "certificate": found.certificate,
    }
    mixture = task.space.mixture(found.free, asked | evidence.record)
    for sentence in evidence.warnings:
        warn(sentence)
    return mixture


def _copy_table(value: Any) -> Any:
    """Return a mapping as a dict of its own, which a file can hold; anything else as it is."""
    if isinstance(value, Mapping):
        return dict(value)
    return value


def _list_groups(groups: Mapping[str, tuple[Sequence[str], float, float]]) -> dict[str, list[Any]]:
    return {name: [list(members), low, high] for name, (members, low, high) in groups.items()}
