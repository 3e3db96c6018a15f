"""Projektor: losses from the transport distance between a mixture and the target, projected to more training data.

Feiyang Kang, Hoang Anh Just, Anit Kumar Sahu and Ruoxi Jia, "Performance Scaling via Optimal
Transport: Enabling Data Selection from Partially Revealed Sources", NeurIPS 2023,
https://arxiv.org/abs/2307.02460. Followed: the authors' public notebook (least squares on the
distance OT, the weights p, p OT and p^2 OT at two small scales; then a line in the logarithm of
the data through the two predictions). Ours: no domain is left out of the features, so that their
order does not matter; distances are the largest of some dual cuts, so that no transport is solved
for a prediction; more than two scales give the least-squares line; the intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, UnmetNeed, listed
from reweightviz.core.types import Array
from reweightviz.laws._projektor_law import ProjektorLaw, features
from reweightviz.laws._runs import (
    checked_directions,
    checked_given,
    checked_runs,
    fit_diagnostics,
    held_out_diagnostics,
    whole_runs,
)
from reweightviz.numerics.transport import Distances, cuts


@dataclass(frozen=True)
class Projektor:
    """Loss of a target at each scale: ``sum_i p_i (a_i + b_i OT(p) + c_i p_i OT(p))``, then a line in log(run_tokens).

    OT(p) is the transport distance between the documents of the mixture and those of the target.
    Runs of one scale give a law for that scale. The line has no floor: far beyond the runs it
    leaves what a target can be, which ``beyond`` tells.

    Args:
        documents: of a domain and of a target, at most, whose transport is solved.
        cuts: mixtures whose transport is solved.
        entropy: 0 for the exact distance, or Sinkhorn's, as a share of the mean cost.
        draws: bootstrap resamples of the runs, B; 0 for no intervals.
        seed: of the resamples, of the documents and of the cuts.

    Example:
        >>> mixtures = np.random.default_rng(0).dirichlet(np.ones(2), 20)
        >>> losses = 2 + mixtures @ [[1.0], [3.0]]
        >>> law = Projektor().fit(domains=("web", "code"), targets=("loss",), mixtures=mixtures, losses=losses, domain_distances=[1, 3])
        >>> law.predict([[0.5, 0.5]]).round(6).tolist()
        [[4.0]]
    """

    documents: int = 64
    cuts: int = 96
    entropy: float = 0.0
    draws: int = 200
    seed: int = 0

    paper: ClassVar[str] = "https://arxiv.org/abs/2307.02460"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if self.documents < 1 or self.cuts < 1 or not self.entropy >= 0 or self.draws < 0:
            raise UnmetNeed(
                name="Projektor",
                value=(self.documents, self.cuts, self.entropy, self.draws),
                expected="documents and cuts of at least 1, entropy and draws of at least 0",
                got=f"{self.documents}, {self.cuts}, {self.entropy}, {self.draws}",
            )

    def fit(
        self,
        *,
        domains: Sequence[str],
        targets: Sequence[str],
        mixtures: ArrayLike,
        losses: ArrayLike,
        embedding: Mapping[str, ArrayLike] | Sequence[ArrayLike] | None = None,
        target_embedding: Mapping[str, ArrayLike] | ArrayLike | None = None,
        domain_distances: ArrayLike | None = None,
        run_tokens: ArrayLike | None = None,
        lower_is_better: ArrayLike | None = None,
    ) -> ProjektorLaw:
        """Solve the transports, and fit every target at every scale.

        Args:
            domains: names (K,).
            targets: names (M,).
            mixtures: (R, K) weights of the runs, as read.
            losses: (R, M).
            embedding: of documents of each domain, a mapping of domain to (X, D), or K arrays.
            target_embedding: of documents of the targets, (Y, D) for all, or a mapping of target
                to such an array.
            domain_distances: (K,) or (M, K), instead of embeddings: how far each domain lies from
                the target. A mixture's distance is then taken to be the mean of those, which it is
                at most.
            run_tokens: (R,) training tokens of the runs; two different ones or more make a law
                that projects.
            lower_is_better: (M,); all true when not given.

        Raises:
            ReweightvizError: fewer than 3K runs at a scale, no documents, or losses that are
                missing.
        """
        names, goals = tuple(domains), tuple(targets)
        needed = 3 * len(names)
        w, y = checked_runs(
            "Projektor",
            names,
            goals,
            mixtures,
            losses,
            needed=needed,
            positive=False,
            spanning=False,
        )
        w = w / w.sum(1, keepdims=True)
        tokens = (
            np.ones(len(w))
            if run_tokens is None
            else checked_given("Projektor", "run_tokens", run_tokens, len(w))
        )
        scales, scale = np.unique(tokens, return_inverse=True)
        fewest = int(np.bincount(scale).argmin())
        if np.bincount(scale)[fewest] < needed:
            raise ReweightvizError(
                f"Projektor fits {needed} numbers at each scale and needs as many runs there; "
                f"at {scales[fewest]:g} tokens there are {np.bincount(scale)[fewest]}."
            )
        distances = self._distances(names, goals, w, embedding, target_embedding, domain_distances)
        better = checked_directions(lower_is_better, goals)
        plain = ProjektorLaw(
            names, goals, better, distances, scales, np.empty((len(scales), len(goals), needed))
        )
        return self._fitted(plain, w, y, scale)

    def _fitted(
        self, law: ProjektorLaw, w: Array, y: Array, scale: NDArray[np.int64]
    ) -> ProjektorLaw:
        rng, shape = np.random.default_rng(self.seed), law.coef.shape
        coef, draws = np.empty(shape), np.empty((self.draws, *shape))
        fitted, pulled = np.empty_like(y), np.empty_like(y)
        for one in range(shape[0]):
            rows = np.flatnonzero(scale == one)
            counts = rng.multinomial(
                len(rows), np.full(len(rows), 1 / len(rows)), self.draws
            ).astype(np.float64)
            for m, distance in enumerate(law.distances):
                table = features(w[rows], distance)
                coef[one, m], draws[:, one, m], fitted[rows, m], pulled[rows, m] = _least_squares(
                    table, y[rows, m], counts
                )
        noise = whole_runs((y - fitted) / np.sqrt(1 - pulled), self.draws, rng)
        said = fit_diagnostics(y, fitted, np.zeros(shape[1], bool)) | held_out_diagnostics(
            y, y - (y - fitted) / (1 - pulled)
        )
        said["degenerate"] = [r2 is not None and r2 <= 0 for r2 in said["r2"]]
        shares = (~law.lower_is_better) & (y.min(0) >= 0) & (y.max(0) <= 1)
        return ProjektorLaw(
            law.domains,
            law.targets,
            law.lower_is_better,
            law.distances,
            law.scales,
            coef,
            draws.astype(np.float32),
            noise.astype(np.float32),
            shares,
            said,
        )

    def _distances(
        self,
        names: tuple[str, ...],
        goals: tuple[str, ...],
        w: Array,
        embedding: Any,
        target_embedding: Any,
        domain_distances: ArrayLike | None,
    ) -> tuple[Distances, ...]:
        """The distance to each target."""
        if domain_distances is not None:
            told = np.asarray(domain_distances, np.float64)
            if (
                told.shape not in ((len(names),), (len(goals), len(names)))
                or not np.isfinite(told).all()
            ):
                raise InvalidValue(
                    name="domain_distances",
                    value=told.shape,
                    expected=f"({len(names)},) or ({len(goals)}, {len(names)}) numbers",
                    got=f"shape {told.shape}",
                )
            found = [Distances(row[None], np.zeros(1)) for row in np.atleast_2d(told)]
            return tuple(found * len(goals) if told.ndim == 1 else found)
        if embedding is None or target_embedding is None:
            raise ReweightvizError(
                "Projektor needs embedding (documents of each domain) and "
                "target_embedding, or domain_distances."
            )
        rng = np.random.default_rng(self.seed)
        sources = [
            self._some(part, rng) for part in _by_name("embedding", names, embedding).values()
        ]
        own = isinstance(target_embedding, Mapping)
        ends = (
            _by_name("target_embedding", goals, target_embedding) if own else {"": target_embedding}
        )
        others = rng.permutation(np.concatenate([w, rng.dirichlet(np.ones(len(names)), len(w))]))
        mixtures = np.concatenate(
            [np.eye(len(names)), np.full((1, len(names)), 1 / len(names)), others]
        )[: max(self.cuts, len(names))]
        solved = [
            cuts(sources, self._some(part, rng), mixtures, entropy=self.entropy)
            for part in ends.values()
        ]
        return tuple(solved if own else solved * len(goals))

    def _some(self, given: ArrayLike, rng: np.random.Generator) -> Array:
        """At most so many documents, unit length left as it is."""
        rows = np.asarray(given, np.float64)
        if rows.ndim != 2 or not len(rows) or not np.isfinite(rows).all():
            raise InvalidValue(
                name="embeddings",
                value=rows.shape,
                expected="(X, D) finite numbers, one row a document",
                got=f"shape {rows.shape}",
            )
        return rows[np.sort(rng.permutation(len(rows))[: self.documents])]


def _least_squares(table: Array, y: Array, counts: Array) -> tuple[Array, Array, Array, Array]:
    """Coefficients (P,), those of B resamples (B, P), fitted values (R,) and the pull of each run on its own (R,)."""
    size = np.maximum(np.sqrt((table**2).mean(0)), 1e-300)
    scaled = table / size
    left, values, right = np.linalg.svd(scaled, full_matrices=False)
    kept = values > 1e-9 * values.max()
    left, values, right = left[:, kept], values[kept], right[kept]
    fitted = left @ (left.T @ y)
    coef = right.T @ ((left.T @ y) / values)
    # A resample moves the fit in the kept directions; a little ridge holds those that it leaves
    # open.
    normal = np.einsum("br,rp,rq->bpq", counts, left, left, optimize=True) + 1e-3 * np.eye(
        len(values)
    )
    moved = np.linalg.solve(normal, ((counts * (y - fitted)) @ left)[:, :, None])[:, :, 0]
    return (
        coef / size,
        (coef + (moved / values) @ right) / size,
        fitted,
        np.minimum((left**2).sum(1), 0.9),
    )


def _by_name(what: str, names: tuple[str, ...], given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping):
        if absent := [name for name in names if name not in given]:
            raise ReweightvizError(f"{what} lacks {listed(absent)}; it has {listed(given)}.")
        return {name: given[name] for name in names}
    if len(given) != len(names):
        raise ReweightvizError(
            f"{what} must hold an array for each of {len(names)}, as a mapping or in "
            f"their order; got {len(given)}."
        )
    return dict(zip(names, given, strict=True))
