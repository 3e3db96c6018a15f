"""Distances of Projektor: the transport from a mixture's documents to a target's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import InvalidValue, ReweightvizError, list_names
from reweightviz.core.types import Array
from reweightviz.laws._runs import ProxyRuns
from reweightviz.numerics.transport import Distances, cuts

__all__ = ["average_distances", "solve_distances"]


def solve_distances(
    runs: ProxyRuns,
    embedding: Any,
    target_embedding: Any,
    *,
    documents: int,
    mixtures: int,
    entropy: float,
    rng: np.random.Generator,
) -> tuple[Distances, ...]:
    """Solve the transports of some mixtures, and return the distance to each target.

    Args:
        runs: the runs, whose mixtures are among those solved.
        embedding: of documents of each domain, a mapping of domain to (X, D), or K arrays.
        target_embedding: of documents of the targets, (Y, D) for all, or a mapping of target to
            such an array.
        documents: of a domain and of a target, at most.
        mixtures: how many are solved; each domain alone in any case.
        entropy: 0 for the exact distance, or Sinkhorn's, as a share of the mean cost.
        rng: what picks documents and mixtures.

    Raises:
        ReweightvizError: no documents of a domain or a target, or arrays of another shape.
    """
    if embedding is None or target_embedding is None:
        raise ReweightvizError(
            "Projektor needs embedding (documents of each domain) and target_embedding, or "
            "domain_distances."
        )
    domains = len(runs.domains)
    parts = _by_name("embedding", runs.domains, embedding)
    sources = [_pick_documents(part, documents, rng) for part in parts]
    # The corners and the middle first, then the runs among as many other mixtures.
    corners = [np.eye(domains), np.full((1, domains), 1 / domains)]
    drawn = rng.dirichlet(np.ones(domains), len(runs.mixtures))
    others = rng.permutation(np.concatenate([runs.mixtures, drawn]))
    solved = np.concatenate([*corners, others])[: max(mixtures, domains)]

    def solve(target: Any) -> Distances:
        return cuts(sources, _pick_documents(target, documents, rng), solved, entropy=entropy)

    if isinstance(target_embedding, Mapping):
        return tuple(map(solve, _by_name("target_embedding", runs.targets, target_embedding)))
    # One distance stands for all targets; a record then keeps it once.
    return (solve(target_embedding),) * len(runs.targets)


def average_distances(runs: ProxyRuns, domain_distances: ArrayLike) -> tuple[Distances, ...]:
    """Return the distance to each target as the mean of the domains' distances.

    The transport of a mixture costs at most that.

    Args:
        runs: the runs.
        domain_distances: (K,) or (M, K).

    Raises:
        ReweightvizError: another shape, or numbers that are not finite.
    """
    targets = len(runs.targets)
    domains = len(runs.domains)
    far = np.asarray(domain_distances, np.float64)
    if far.shape not in ((domains,), (targets, domains)) or not np.isfinite(far).all():
        raise InvalidValue(
            name="domain_distances",
            value=far.shape,
            expected=f"({domains},) or ({targets}, {domains}) numbers",
            got=f"shape {far.shape}",
        )
    if far.ndim == 1:
        return (Distances(far[None], np.zeros(1)),) * targets
    return tuple(Distances(row[None], np.zeros(1)) for row in far)


def _pick_documents(given: ArrayLike, most: int, rng: np.random.Generator) -> Array:
    """Return at most so many documents, in their order and of their length."""
    rows = np.asarray(given, np.float64)
    if rows.ndim != 2 or not len(rows) or not np.isfinite(rows).all():
        raise InvalidValue(
            name="embeddings",
            value=rows.shape,
            expected="(X, D) finite numbers, one row a document",
            got=f"shape {rows.shape}",
        )
    return rows[np.sort(rng.permutation(len(rows))[:most])]


def _by_name(what: str, names: tuple[str, ...], given: Any) -> list[Any]:
    """Return the arrays in the order of the names."""
    if isinstance(given, Mapping):
        if absent := [name for name in names if name not in given]:
            raise ReweightvizError(
                f"{what} lacks {list_names(absent)}; it has {list_names(given)}."
            )
        return [given[name] for name in names]
    if len(given) != len(names):
        raise ReweightvizError(
            f"{what} must hold an array for each of {len(names)}, as a mapping or in their order; "
            f"got {len(given)}."
        )
    return list(given)
