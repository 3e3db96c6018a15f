"""Projektor: losses from transport distances of mixtures, projected to more training data.

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
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import ReweightvizError, UnmetNeed
from reweightviz.core.types import Array
from reweightviz.laws._bootstrap import draw_counts, draw_whole_runs
from reweightviz.laws._diagnostics import measure_fit, measure_held_out
from reweightviz.laws._inputs import check_given
from reweightviz.laws._projektor_distances import average_distances, solve_distances
from reweightviz.laws._projektor_law import ProjektorLaw, tabulate
from reweightviz.laws._runs import ProxyRuns, check_runs
from reweightviz.numerics.transport import Distances

__all__ = ["Projektor"]


@dataclass(frozen=True)
class Projektor:
    """Fit ``sum_i p_i (a_i + b_i OT(p) + c_i p_i OT(p))`` at each scale, then a line over scales.

    The line is in log(run_tokens). OT(p) is the transport distance between the documents of the
    mixture and those of the target. Runs of one scale give a law for that scale. The line has no
    floor: far beyond the runs it leaves what a target can be; ``beyond`` finds where.

    Args:
        documents: of a domain and of a target, at most, whose transport is solved.
        cuts: mixtures whose transport is solved.
        entropy: 0 for the exact distance, or Sinkhorn's, as a share of the mean cost.
        draws: bootstrap resamples of the runs, B; 0 for no intervals.
        seed: of the resamples, of the documents and of the cuts.

    Example:
        >>> mixtures = np.random.default_rng(0).dirichlet(np.ones(2), 20)
        >>> losses = 2 + mixtures @ [[1.0], [3.0]]
        >>> law = Projektor().fit(
        ...     domains=("web", "code"), targets=("loss",), mixtures=mixtures, losses=losses,
        ...     domain_distances=[1, 3],
        ... )
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
        needed = 3 * len(tuple(domains))
        runs = check_runs(
            "Projektor",
            domains,
            targets,
            mixtures,
            losses,
            lower_is_better,
            needed=needed,
            positive=False,
            spanning=False,
        )
        w = runs.mixtures
        tokens = np.ones(len(w))
        if run_tokens is not None:
            tokens = check_given("Projektor", "run_tokens", run_tokens, w.shape)
        scales, scale = np.unique(tokens, return_inverse=True)
        counts = np.bincount(scale)
        fewest = int(counts.argmin())
        if counts[fewest] < needed:
            raise ReweightvizError(
                f"Projektor fits {needed} numbers at each scale and needs as many runs there; "
                f"at {scales[fewest]:g} tokens there are {counts[fewest]}."
            )
        # Weights as read may sum to a little more or less than 1.
        runs = runs._replace(mixtures=w / w.sum(1, keepdims=True))
        if domain_distances is None:
            distances = solve_distances(
                runs,
                embedding,
                target_embedding,
                documents=self.documents,
                mixtures=self.cuts,
                entropy=self.entropy,
                rng=np.random.default_rng(self.seed),
            )
        else:
            distances = average_distances(runs, domain_distances)
        return self._fit_scales(runs, distances, scales, scale)

    def _fit_scales(
        self,
        runs: ProxyRuns,
        distances: tuple[Distances, ...],
        scales: Array,
        scale: NDArray[np.int64],
    ) -> ProjektorLaw:
        """Fit the runs of each scale by themselves; ``scale`` (R,) is the number of a run's."""
        rng = np.random.default_rng(self.seed)
        w = runs.mixtures
        y = runs.losses
        shape = (len(scales), len(runs.targets), 3 * len(runs.domains))
        coef = np.empty(shape)
        refits = np.empty((self.draws, *shape))
        predicted = np.empty_like(y)
        leverage = np.empty_like(y)
        for s in range(len(scales)):
            rows = np.flatnonzero(scale == s)
            counts = draw_counts(len(rows), self.draws, rng)
            for m, distance in enumerate(distances):
                fit = _fit_least_squares(tabulate(w[rows], distance), y[rows, m], counts)
                coef[s, m] = fit.coef
                refits[:, s, m] = fit.refits
                predicted[rows, m] = fit.predicted
                leverage[rows, m] = fit.leverage
        missed = y - predicted
        noise = draw_whole_runs(missed / np.sqrt(1 - leverage), self.draws, rng)
        held_out = measure_held_out(y, y - missed / (1 - leverage))
        diagnostics = measure_fit(y, predicted, np.zeros(shape[1], bool))
        diagnostics["degenerate"] = [r2 is not None and r2 <= 0 for r2 in diagnostics["r2"]]
        is_share = ~runs.lower_is_better & (y.min(0) >= 0) & (y.max(0) <= 1)
        return ProjektorLaw(
            runs.domains,
            runs.targets,
            runs.lower_is_better,
            distances,
            scales,
            coef,
            refits.astype(np.float32),
            noise.astype(np.float32),
            is_share,
            diagnostics | held_out,
        )


class _LeastSquares(NamedTuple):
    """Coefficients (P,), those of B resamples (B, P), predictions (R,) and leverages (R,)."""

    coef: Array
    refits: Array
    predicted: Array
    leverage: Array


def _fit_least_squares(table: Array, y: Array, counts: Array) -> _LeastSquares:
    """Fit y (R,) to a table (R, P), and again for the resamples' counts (B, R)."""
    # Columns of one size, so that the cut below is fair to all of them.
    size = np.maximum(np.sqrt((table**2).mean(0)), 1e-300)
    # The weights sum to 1, so that columns may depend on each other: some directions are open.
    left, values, right = np.linalg.svd(table / size, full_matrices=False)
    usable = values > 1e-9 * values.max()
    left = left[:, usable]
    values = values[usable]
    right = right[usable]
    along = left.T @ y
    predicted = left @ along
    coef = right.T @ (along / values)
    # A resample moves the fit in the usable directions; a little ridge holds those that it leaves
    # open.
    ridge = 1e-3 * np.eye(len(values))
    normal = np.einsum("br,rp,rq->bpq", counts, left, left, optimize=True) + ridge
    pushed = (counts * (y - predicted)) @ left
    moved = np.linalg.solve(normal, pushed[:, :, None])[:, :, 0]
    return _LeastSquares(
        coef=coef / size,
        refits=(coef + (moved / values) @ right) / size,
        predicted=predicted,
        # Below 1, or few runs would seem all noise.
        leverage=np.minimum((left**2).sum(1), 0.9),
    )
