"""Regressors from weights to losses that a law may be made of: boosted trees, and least squares."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import MissingPackage
from reweightviz.core.types import Array
from reweightviz.laws._parallel import at_once
from reweightviz.laws._sampled_law import packed, unpacked

if TYPE_CHECKING:
    from lightgbm import Booster

TREES_AT_ONCE = 20
"""Trees that stay in the processor's cache while many rows pass: twice as fast as all at once."""
FEW_ROWS = 512
STAGES = (50, 100, 200, 300, 450, 600, 800)
"""After how many trees the mixtures are dropped that can no longer be among the best."""
_PREDICTING = Lock()
"""A booster keeps the range of trees that it predicts with, so two threads must not use one at the same time."""
_UNUSED = re.compile(
    r"^(?:split_gain|leaf_weight|leaf_count|internal_\w+|is_linear|shrinkage|tree_sizes)=.*\n",
    re.MULTILINE,
)
_LEAVES = re.compile(r"^leaf_value=(.*)$", re.MULTILINE)


class Regressor(Protocol):
    """From weights (n, K) to losses (n, M)."""

    kind: ClassVar[str]

    def predict(self, weights: Array) -> Array:
        """Losses (n, M)."""

    def lowest(self, weights: Array, shares: Array, top: int) -> tuple[NDArray[np.int64], Array]:
        """The ``top`` rows with the lowest ``predict(weights) @ shares``, lowest first, and that value."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""


@dataclass(frozen=True, eq=False)
class LinearRegressor:
    """Least squares with an intercept, of the smallest norm where the weights leave it open.

    >>> LinearRegressor.fitted(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[3.0], [1.0]])).predict(np.array([[0.5, 0.5]])).tolist()
    [[2.0]]
    """

    slopes: Array
    intercept: Array

    kind: ClassVar[str] = "linear"

    @classmethod
    def fitted(cls, weights: Array, losses: Array) -> LinearRegressor:
        """Slopes (K, M) and intercept (M,) for runs (R, K) and (R, M)."""
        middle, level = weights.mean(0), losses.mean(0)
        slopes = np.linalg.lstsq(weights - middle, losses - level, rcond=None)[0]
        return cls(slopes, level - middle @ slopes)

    def predict(self, weights: Array) -> Array:
        """Losses (n, M)."""
        return np.asarray(weights @ self.slopes + self.intercept, np.float64)

    def lowest(self, weights: Array, shares: Array, top: int) -> tuple[NDArray[np.int64], Array]:
        """The ``top`` rows with the lowest ``predict(weights) @ shares``, lowest first, and that value."""
        return _lowest(self.predict(weights) @ shares, top)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {
            "kind": self.kind,
            "slopes": packed(self.slopes),
            "intercept": packed(self.intercept),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> LinearRegressor:
        """What :meth:`to_dict` gave."""
        return cls(unpacked(record["slopes"]), unpacked(record["intercept"]))


@dataclass(frozen=True, eq=False)
class TreeRegressor:
    """LightGBM's boosted trees, one booster a target (M of them)."""

    boosters: tuple[Booster, ...]

    kind: ClassVar[str] = "lightgbm"

    def predict(self, weights: Array) -> Array:
        """Losses (n, M)."""
        few = len(weights) < FEW_ROWS

        def one(booster: Booster) -> Array:
            return _sum(booster, weights, 0, booster.num_trees(), None if few else TREES_AT_ONCE)

        with _PREDICTING:
            return np.stack(
                [one(booster) for booster in self.boosters] if few else at_once(one, self.boosters),
                axis=1,
            )

    def lowest(self, weights: Array, shares: Array, top: int) -> tuple[NDArray[np.int64], Array]:
        """The ``top`` rows with the lowest ``predict(weights) @ shares``, lowest first, and that value.

        Exact: a row leaves only when the lowest leaves of the trees to come could not bring it
            back.
        """
        used = [
            (booster, share)
            for booster, share in zip(self.boosters, shares.tolist(), strict=True)
            if share
        ]
        ends = [*STAGES, max((booster.num_trees() for booster, _ in used), default=0)]
        most, least = (
            sum(column)
            for column in zip(
                *(_to_come(booster, share, ends) for booster, share in used), strict=True
            )
        )
        rows, value = np.arange(len(weights)), np.zeros(len(weights))
        for stage, (first, last) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            part = weights[rows]

            def one(
                job: tuple[Booster, float], part: Array = part, first: int = first, last: int = last
            ) -> Array:
                return job[1] * _sum(
                    job[0], part, first, min(last, job[0].num_trees()), TREES_AT_ONCE
                )

            with _PREDICTING:
                value += np.sum(at_once(one, used), axis=0)
            if len(rows) > top:
                enough = np.partition(value, top - 1)[top - 1] + most[stage]
                keep = value + least[stage] <= enough + 1e-9 * max(1.0, abs(enough))
                rows, value = rows[keep], value[keep]
        order, lowest = _lowest(value, top)
        return rows[order], lowest

    def to_dict(self) -> dict[str, Any]:
        """LightGBM's own text without what a prediction does not need, compressed."""
        texts = [
            _UNUSED.sub("", text[: text.index("feature_importances:")])
            for text in (b.model_to_string() for b in self.boosters)
        ]
        return {
            "kind": self.kind,
            "boosters": [
                base64.b64encode(zlib.compress(text.encode(), 6)).decode("ascii") for text in texts
            ],
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> TreeRegressor:
        """What :meth:`to_dict` gave."""
        lightgbm = _lightgbm()
        texts = [zlib.decompress(base64.b64decode(text)).decode() for text in record["boosters"]]
        return cls(tuple(lightgbm.Booster(model_str=text) for text in texts))


def boosted(
    tables: Iterable[tuple[Array, Array]], *, trees: int, settings: Mapping[str, Any]
) -> list[TreeRegressor]:
    """A regressor for each pair of weights (R, K) and losses (R, M); all their boosters grow side by side.

    One thread a booster and a booster a processor: on a few hundred runs, threads within a booster
    mostly wait.
    """
    lightgbm = _lightgbm()
    told = {
        **settings,
        "num_threads": 1,
        "verbosity": -1,
        "force_col_wise": True,
        "deterministic": True,
    }

    def grow(job: tuple[Array, Array]) -> Booster:
        data = lightgbm.Dataset(
            np.ascontiguousarray(job[0]), np.ascontiguousarray(job[1]), params=told
        )
        booster: Booster = lightgbm.Booster(told, data)
        for _ in range(trees):
            if booster.update():
                break
        booster.free_dataset()
        return booster

    pairs = list(tables)
    grown = iter(
        at_once(grow, [(weights, column) for weights, losses in pairs for column in losses.T])
    )
    return [TreeRegressor(tuple(next(grown) for _ in losses.T)) for _, losses in pairs]


def _sum(booster: Booster, weights: Array, first: int, last: int, step: int | None) -> Array:
    """What the trees from ``first`` to ``last`` add up to, (n,), ``step`` of them at once."""
    total = np.zeros(len(weights))
    for start in range(first, last, step or last):
        count = min(step or last, last - start)
        total += np.asarray(
            booster.predict(weights, start_iteration=start, num_iteration=count, num_threads=1)
        )
    return total


def _to_come(booster: Booster, share: float, ends: Sequence[int]) -> tuple[Array, Array]:
    """The most and the least that the trees after each of ``ends`` can add, times ``share``."""
    leaves = [
        np.array(text.split(), np.float64) * share
        for text in _LEAVES.findall(booster.model_to_string())
    ]
    most, least = (np.array([pick(leaf) for leaf in leaves]) for pick in (np.max, np.min))
    return np.array([most[end:].sum() for end in ends]), np.array(
        [least[end:].sum() for end in ends]
    )


def _lowest(values: Array, top: int) -> tuple[NDArray[np.int64], Array]:
    order = np.argsort(values, kind="stable")[:top]
    return order, values[order]


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise MissingPackage(
            package="lightgbm", extra="laws", who="RegMix(model='lightgbm')"
        ) from error
    return lightgbm
