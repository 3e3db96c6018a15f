"""One question to a law: which mixtures may be proposed, what pulls on them, and how the best is found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import (
    InvalidValue,
    ReweightvizError,
    UnmetNeed,
    WrongDomains,
    listed,
)
from reweightviz.core.protocols import ConvexLaw, ExponentialLaw, Law, LawSpec
from reweightviz.core.swarm import Swarm
from reweightviz.core.token_counts import parse_budget
from reweightviz.core.types import Array
from reweightviz.core.validation import mapping, whole_number
from reweightviz.evaluation.law_inputs import law_inputs
from reweightviz.numerics.contrast import draw_losses
from reweightviz.numerics.convex import Ceilings, minimise_exponentials
from reweightviz.numerics.programs import Optimum
from reweightviz.numerics.simplex_search import Best, Region, moved, region, search, tangent_gap
from reweightviz.proposals.aim import Aim, place
from reweightviz.proposals.limits import Limit, Space, space_of

EVALUATIONS = 20_000
"""Mixtures that a global search scores."""
REFIT_POOL, REFIT_ROUNDS = 600, 4
"""Mixtures among which every draw of a law without convexity chooses at first, and rounds that add half as many."""


@dataclass(frozen=True)
class Found:
    """Free weights (Z,), how they were found, and the search's pool where there was one."""

    free: Array
    certificate: dict[str, Any]
    pool: Best | None = None


@dataclass(frozen=True)
class Task:
    """A law, the mixtures that may be proposed, and what pulls on them; solved for one aim after another."""

    law: Law
    space: Space
    prior: Array
    kl: float
    caps: Mapping[str, float]
    given: Mapping[str, Any]
    swarm: Swarm | None
    seed: int
    reference_name: str = "uniform"

    @property
    def reference(self) -> Array:
        """The free weights (Z,) that a proposal is compared with: the prior's."""
        return self.prior

    def predict(self, free: Array) -> Array:
        """Losses (n, M) of free weights (n, Z)."""
        return np.asarray(
            self.law.predict(free @ self.space.law_spread.T, **self.given), np.float64
        )

    def samples(self, free: Array) -> Array:
        """Losses (B, n, M) that new runs at free weights (n, Z) might reach; B is 0 without draws."""
        return draw_losses(self.law, free @ self.space.law_spread.T, self.given)

    def interval(self, free: Array, level: float = 0.9) -> tuple[Array, Array]:
        """Return low and high (n, M) of a new run at free weights (n, Z); NaN where not known."""
        return self.law.interval(free @ self.space.law_spread.T, level, **self.given)

    def pull(self, free: Array) -> Array:
        """``kl * KL(w || prior)`` of free weights (n, Z)."""
        if not self.kl:
            return np.zeros(len(free))
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(free > 0, free * np.log(free / self.prior), 0.0)
        return np.asarray((self.kl if np.isfinite(self.kl) else 1.0) * terms.sum(1), np.float64)

    # ---- solving

    def solve(
        self, aim: Aim, *, evaluations: int = EVALUATIONS, tried: Array | None = None
    ) -> Found:
        """The best free weights for an aim; constraints that contradict each other are named.

        A global search, where one is needed, scores that many ``evaluations`` and begins with
        those ``tried`` (n, Z).
        """
        try:
            if isinstance(self.law, ExponentialLaw) and _is_convex(aim, self.kl):
                best = self.exact(self.law.exponentials(), aim)
                return Found(
                    best.x, {"method": "convex program", "gap": best.gap, "excess": best.excess}
                )
            if self._plain(aim):
                return self._by_the_law(aim)
            return self._searched(aim, evaluations, tried)
        except ReweightvizError:
            self.space.with_limits(
                self._cap_limits(self.law.exponentials())
                if isinstance(self.law, ExponentialLaw)
                else []
            ).refuse_conflict()
            raise

    def exact(self, coef: Array, aim: Aim) -> Optimum:
        """The optimum of log-linear curves (M, 1 + K)."""
        lower, upper, limits = self.space.with_limits(self._cap_limits(coef)).compiled()
        rates, floor = coef[:, 1:] @ self.space.law_spread, np.exp(coef[:, 0])
        shares, ceilings, kl = np.where(aim.counted, aim.importance, 0.0), None, self.kl
        if aim.worst:
            ceilings = Ceilings(
                np.diag(1 / aim.scale), floor / aim.scale, np.ones(len(floor), bool)
            )
            shares = np.zeros(len(floor))
        if np.isinf(kl):
            shares, ceilings, kl = np.zeros(len(floor)), None, 1.0
        if aim.upwards:
            rates = -rates
        return minimise_exponentials(
            rates,
            shares,
            kl=kl,
            prior=self.prior,
            lower=lower,
            upper=upper,
            names=self.space.names,
            limits=limits,
            ceilings=ceilings,
        )

    def _cap_limits(self, coef: Array) -> list[Limit]:
        """``floor + exp(t.w) <= cap`` is ``t.w <= log(cap - floor)``: linear."""
        limits, floors = [], np.exp(coef[:, 0])
        for target, cap in self.caps.items():
            m = place(self.law.targets, target)
            row, floor, lower_wins = (
                coef[m, 1:] @ self.space.law_spread,
                float(floors[m]),
                bool(self.law.lower_is_better[m]),
            )
            if cap <= floor:
                if lower_wins:
                    raise ReweightvizError(
                        f"the cap on {target!r}, {cap:.4g}, is not above the law's floor "
                        f"{floor:.4g}, "
                        "which no mixture reaches."
                    )
                continue
            side = 1.0 if lower_wins else -1.0
            limits.append(
                Limit(
                    "cap on target",
                    target,
                    side * row,
                    side * float(np.log(cap - floor)),
                    partial(_loss, floor, side),
                )
            )
        return limits

    def _plain(self, aim: Aim) -> bool:
        """Whether the law's own ``minimise`` covers all that was asked for."""
        simple = (
            not self.caps
            and not len(self.space.compiled()[2].most)
            and self.space.names == tuple(self.law.domains)
        )
        # Parts that hold tokens of two domains blur the law's weights.
        direct = simple and np.allclose(
            self.space.law_spread, np.eye(len(self.law.domains)), rtol=0, atol=1e-12
        )
        return (
            isinstance(self.law, ConvexLaw) and direct and self._falls(aim) and np.isfinite(self.kl)
        )

    def _by_the_law(self, aim: Aim) -> Found:
        lower, upper, _ = self.space.compiled()
        assert isinstance(self.law, ConvexLaw)
        found = self.law.minimise(
            aim.importance, kl=self.kl, prior=self.prior, lower=lower, upper=upper, **self.given
        )
        free = np.asarray(found, np.float64)
        gap = tangent_gap(lambda w: aim.score(self.predict(w)) + self.pull(w), free, self.region())
        return Found(free, {"method": f"{type(self.law).__name__}.minimise", "gap": gap})

    def _searched(self, aim: Aim, evaluations: int, tried: Array | None) -> Found:
        where, remembered = self.region(), _Remembered(self.predict)
        columns, over = self._over(remembered)

        def score(free: Array) -> Array:
            return (0.0 if np.isinf(self.kl) else aim.score(remembered(free))) + self.pull(free)

        best = search(
            score,
            where,
            prior=self.prior,
            seed=self.seed,
            evaluations=evaluations,
            ceilings=over if columns else None,
            tried=self._tried() if tried is None else tried,
            probe=lambda free: aim.score(self.predict(free)),
        )
        missed = over(best.x[None])[0] if columns else np.zeros(1)
        if missed.max() > 1e-6:
            raise ReweightvizError(
                f"none of {best.evaluations:,} mixtures tried meets all caps; the nearest "
                "misses that on "
                f"{list(self.caps)[int(missed.argmax())]!r} by {missed.max():.3g}."
            )
        gap = tangent_gap(score, best.x, where) if best.smooth else None
        certificate = {
            "method": "global search",
            "seed": self.seed,
            "evaluations": best.evaluations,
            "starts": best.starts,
            "gap": gap,
            "note": "the best of what was tried; nothing proves that there is none better",
        }
        if (
            gap is not None
            and isinstance(self.law, ConvexLaw)
            and not self.caps
            and self._falls(aim)
        ):
            certificate["note"] = (
                f"the law is convex, so no mixture is better by more than {gap:.2g}"
            )
        return Found(best.x, certificate, best)

    def _falls(self, aim: Aim) -> bool:
        """Whether the aim is a mean of losses that should fall: convex and smooth where the law is."""
        return not aim.worst and bool((aim.sign[aim.counted] > 0).all())

    def region(self) -> Region:
        """Where the free weights may be."""
        lower, upper, limits = self.space.compiled()
        return region(
            lower, np.where(self.prior == 0, 0.0, upper) if self.kl > 0 else upper, limits
        )

    def _over(
        self, predict: Callable[[Array], Array]
    ) -> tuple[list[int], Callable[[Array], Array]]:
        """The capped targets, and by how much free weights (n, Z) exceed their caps, (n, J)."""
        columns = [place(self.law.targets, target) for target in self.caps]
        sign, caps = (
            np.where(self.law.lower_is_better, 1.0, -1.0)[columns],
            np.array(list(self.caps.values()), np.float64),
        )
        return columns, lambda free: np.asarray(
            sign * (predict(free)[:, columns] - caps), np.float64
        )

    def allowed(self, free: Array) -> NDArray[np.bool_]:
        """Which free weights (n, Z) meet the caps on targets."""
        return (
            np.asarray((self._over(self.predict)[1](free) <= 1e-6).all(1))
            if self.caps
            else np.ones(len(free), bool)
        )

    def _tried(self) -> Array | None:
        """The runs' mixtures as free weights, where every domain is free."""
        if self.swarm is None or self.space.names != self.swarm.domains:
            return None
        return self.swarm.mixtures

    # ---- refits

    def refits(self, aim: Aim, found: Found, count: int) -> Array:
        """The best free weights (n, Z) under other draws of the law."""
        if not count:
            return np.empty((0, len(found.free)))
        if isinstance(self.law, ExponentialLaw) and found.pool is None:
            draws = self.law.exponential_draws()
            chosen = np.linspace(0, len(draws) - 1, min(count, len(draws))).astype(np.int64)
            refits = []
            for row in chosen:
                try:
                    refits.append(self.exact(draws[row], aim).x)
                except ReweightvizError:  # under this draw the caps cannot be met
                    continue
            return np.array(refits).reshape(-1, len(found.free))
        return self._refits_among(aim, found)

    def _refits_among(self, aim: Aim, found: Found) -> Array:
        """The best for each draw, searched for all draws at once: a draw's noise is the same everywhere, so it does not choose.

        The pool begins with mixtures that the search tried, near and distant ones; moves away from
        what is best for any of the draws are added, ever shorter ones.
        """
        rng, where = np.random.default_rng(self.seed), self.region()
        pool = np.concatenate(
            [
                found.free[None],
                self._pool(found.free)
                if found.pool is None
                else some_of(found.pool.pool, REFIT_POOL),
            ]
        )
        pool, scores = self._drawn_scores(aim, pool)
        for turn in range(REFIT_ROUNDS):
            if not len(scores):
                return np.empty((0, len(found.free)))
            parents = pool[np.unique(scores.argmin(1))]
            fresh, added = self._drawn_scores(
                aim, where.within(moved(parents, pool, REFIT_POOL // 2, 0.3**turn, rng))
            )
            pool, scores = np.concatenate([pool, fresh]), np.concatenate([scores, added], axis=1)
        return np.asarray(pool[scores.argmin(1)], np.float64)

    def _drawn_scores(self, aim: Aim, free: Array) -> tuple[Array, Array]:
        """Those of the free weights (n, Z) that meet the caps, and their scores under every draw (B, n)."""
        free = free[self.allowed(free)]
        weight = 0.0 if np.isinf(self.kl) else 1.0
        parts = [
            weight * aim.score(self.samples(part)) + self.pull(part)
            for part in np.array_split(free, max(1, len(free) // 250))
        ]
        return free, np.concatenate(parts, axis=1)

    def _pool(self, free: Array) -> Array:
        rng = np.random.default_rng(self.seed)
        spread = np.concatenate(
            [
                rng.dirichlet(np.maximum(free, 1e-3) * strength, 300)
                for strength in np.geomspace(3, 300, 5)
            ]
        )
        return self.region().within(spread)


class _Remembered:
    """Predictions, remembered for the array that was asked last: scores and caps ask for the same."""

    def __init__(self, predict: Callable[[Array], Array]) -> None:
        self._predict, self._asked, self._answer = predict, np.empty(0), np.empty(0)

    def __call__(self, free: Array) -> Array:
        if free is not self._asked:
            self._answer, self._asked = self._predict(free), free
        return self._answer


def some_of(pool: Array, count: int) -> Array:
    """About ``count`` rows of a pool, best first: many of the best, ever fewer of the others."""
    return pool[np.unique(np.geomspace(1, len(pool), count).astype(np.int64)) - 1]


def task_of(
    law: Law,
    *,
    near: Mapping[str, float] | None = None,
    kl: float = 0.05,
    caps: Mapping[str, float] | None = None,
    given: Mapping[str, Any] | None = None,
    swarm: Swarm | None = None,
    seed: int = 0,
    tokens: float | str | None = None,
    **constraints: Any,
) -> Task:
    """Check what was asked for; see :func:`reweightviz.proposals.optimize.optimize` for the arguments."""
    fitted_law(law)
    if isinstance(kl, bool) or not isinstance(kl, int | float | np.number) or not kl >= 0:
        raise InvalidValue(name="kl", value=kl, expected="a number >= 0")
    if swarm is not None and not isinstance(swarm, Swarm):
        raise InvalidValue(name="swarm", value=swarm, expected="the Swarm behind the law")
    caps, known = (
        mapping("caps", caps, "target to the worst predicted value"),
        mapping("given", given, "name to what the law takes"),
    )
    budget = parse_budget(tokens)
    space = space_of(law.domains, tokens=budget, **constraints)
    prior = space.prior(near)
    _, upper, _ = space.compiled()
    left_out = (prior == 0) & (upper > 0)
    if kl > 0 and left_out.any():
        raise ReweightvizError(
            f"near gives 0 to {listed(np.array(space.names, object)[left_out])}, so no "
            "proposal could use what "
            "the runs did: give it a small weight, set kl=0, or leave it out by "
            "bounds={...: (0, 0)}."
        )
    for target, cap in caps.items():
        place(law.targets, target)
        if (
            isinstance(cap, bool)
            or not isinstance(cap, int | float | np.number)
            or not np.isfinite(cap)
        ):
            raise InvalidValue(
                name=f"the cap on {target!r}",
                value=cap,
                expected="a number, the worst predicted value that is allowed",
            )
    if swarm is not None and set(swarm.domains) != set(law.domains):
        raise WrongDomains(who="the swarm", asked=swarm.domains, other="the law", there=law.domains)
    return Task(
        law,
        space,
        prior,
        float(kl),
        caps,
        law_inputs(law, known, budget, constraints.get("sources")),
        swarm,
        whole_number("seed", seed),
        "uniform" if near is None else "near",
    )


def fitted_law(law: Any) -> None:
    """Refuse what is no fitted law."""
    if isinstance(law, LawSpec) or (isinstance(law, type) and hasattr(law, "fit")):
        name = law.__name__ if isinstance(law, type) else type(law).__name__
        raise ReweightvizError(
            f"a proposal needs a fitted law, and {name} is only its settings: fit it first, as in "
            f"rv.fit(swarm, rv.laws.{name}())."
        )
    if not isinstance(law, Law):
        raise UnmetNeed(name="a proposal", value=law, expected="a law, which rv.fit gives")


def _loss(floor: float, side: float, value: float) -> float:
    """What ``side * t.w`` stands for."""
    return floor + float(np.exp(side * value))


def _is_convex(aim: Aim, kl: float) -> bool:
    """Losses that should fall are convex; one that should rise is an exponential, whose largest is where its exponent is."""
    if (aim.sign[aim.counted] > 0).all() or np.isinf(kl):
        return True
    return kl == 0 and int(aim.counted.sum()) == 1
