"""Regressors from weights to losses: least squares, and boosted trees."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import MissingPackage
from reweightviz.core.types import Array
from reweightviz.laws._record import decode_array, encode_array
from reweightviz.laws._threads import map_threads

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = [
    "FEW_ROWS",
    "STAGES",
    "TREES_AT_ONCE",
    "LinearRegressor",
    "Regressor",
    "TreeRegressor",
    "fit_trees",
]


TREES_AT_ONCE = 20
"""Trees that stay in the processor's cache while many rows pass: twice as fast as all at once."""
FEW_ROWS = 512
"""Below so many rows one thread is the quickest."""
STAGES = (50, 100, 200, 300, 450, 600, 800)
"""After how many trees the mixtures are dropped that can no longer be among the best."""
_PREDICTING = Lock()
"""A booster keeps the range of trees that it predicts with, so two threads must not share one."""
# What LightGBM writes beside the splits and the values of the leaves.
_UNUSED = re.compile(
    r"^(?:split_gain|leaf_weight|leaf_count|internal_\w+|is_linear|shrinkage|tree_sizes)=.*\n",
    re.MULTILINE,
)
_LEAVES = re.compile(r"^leaf_value=(.*)$", re.MULTILINE)


class Regressor(Protocol):
    """A function from weights (n, K) to losses (n, M)."""

    kind: ClassVar[str]

    def predict(self, weights: Array) -> Array:
        """Return losses (n, M)."""

    def lowest(self, weights: Array, shares: Array, top: int) -> tuple[NDArray[np.int64], Array]:
        """Return the rows of the ``top`` lowest ``predict(weights) @ shares``, and these."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON can hold it."""


@dataclass(frozen=True, eq=False)
class LinearRegressor:
    """Least squares with an intercept, of the smallest norm where the weights leave it open.

    >>> runs = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> LinearRegressor.fit(runs, np.array([[3.0], [1.0]])).predict(runs.mean(0)).tolist()
    [2.0]
    """

    slopes: Array
    intercept: Array

    kind: ClassVar[str] = "linear"

    @classmethod
    def fit(cls, weights: Array, losses: Array) -> LinearRegressor:
        """Fit slopes (K, M) and intercept (M,) to runs (R, K) and (R, M)."""
        middle = weights.mean(0)
        level = losses.mean(0)
        # Centred, so that the intercept does not count in the norm.
        slopes = np.linalg.lstsq(weights - middle, losses - level, rcond=None)[0]
        return cls(slopes, level - middle @ slopes)

    def predict(self, weights: Array) -> Array:
        """Return losses (n, M)."""
        return np.asarray(weights @ self.slopes + self.intercept, np.float64)

    def lowest(self, weights: Array, shares: Array, top: int) -> tuple[NDArray[np.int64], Array]:
        """Return the rows of the ``top`` lowest ``predict(weights) @ shares``, and these."""
        return _lowest(self.predict(weights) @ shares, top)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON can hold it."""
        return {
            "kind": self.kind,
            "slopes": encode_array(self.slopes),
            "intercept": encode_array(self.intercept),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> LinearRegressor:
        """Return the regressor that :meth:`to_dict` wrote."""
        return cls(decode_array(record["slopes"]), decode_array(record["intercept"]))


@dataclass(frozen=True, eq=False)
class TreeRegressor:
    """LightGBM's boosted trees, one booster a target (M of them)."""

    boosters: tuple[Booster, ...]

    kind: ClassVar[str] = "lightgbm"

    def predict(self, weights: Array) -> Array:
        """Return losses (n, M)."""

        def predict_one(booster: Booster, step: int | None = TREES_AT_ONCE) -> Array:
            return _sum_trees(booster, weights, 0, booster.num_trees(), step)

        with _PREDICTING:
            # For few rows the threads would cost more than they save.
            if len(weights) < FEW_ROWS:
                return np.stack([predict_one(booster, None) for booster in self.boosters], axis=1)
            return np.stack(map_threads(predict_one, self.boosters), axis=1)

    def lowest(self, weights: Array, shares: Array, top: int) -> tuple[NDArray[np.int64], Array]:
        """Return the rows of the ``top`` lowest ``predict(weights) @ shares``, and these.

        Exact: a row leaves only when the lowest leaves of the trees to come could not bring it
        back.
        """
        pairs = zip(self.boosters, shares.tolist(), strict=True)
        used = [(booster, share) for booster, share in pairs if share]
        ends = [*STAGES, max((booster.num_trees() for booster, _ in used), default=0)]
        bounds = [_bound_rest(booster, share, ends) for booster, share in used]
        most, least = (sum(column) for column in zip(*bounds, strict=True))
        rows = np.arange(len(weights))
        value = np.zeros(len(weights))
        for stage, (first, last) in enumerate(pairwise([0, *ends])):
            with _PREDICTING:
                value += _sum_stage(used, weights[rows], first, last)
            if len(rows) > top:
                enough = np.partition(value, top - 1)[top - 1] + most[stage]
                # A hair of slack, as sums of trees round differently by their order.
                keep = value + least[stage] <= enough + 1e-9 * max(1.0, abs(enough))
                rows = rows[keep]
                value = value[keep]
        order, lowest = _lowest(value, top)
        return rows[order], lowest

    def to_dict(self) -> dict[str, Any]:
        """Return LightGBM's own text without what a prediction does not need, compressed."""
        whole = [booster.model_to_string() for booster in self.boosters]
        texts = [_UNUSED.sub("", text[: text.index("feature_importances:")]) for text in whole]
        return {
            "kind": self.kind,
            "boosters": [
                base64.b64encode(zlib.compress(text.encode(), 6)).decode("ascii") for text in texts
            ],
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> TreeRegressor:
        """Return the regressor that :meth:`to_dict` wrote."""
        # Text, as pickles of boosters run code when they are opened.
        lightgbm = _import_lightgbm()
        texts = [zlib.decompress(base64.b64decode(text)).decode() for text in record["boosters"]]
        return cls(tuple(lightgbm.Booster(model_str=text) for text in texts))


def fit_trees(
    tables: Sequence[tuple[Array, Array]], *, trees: int, settings: Mapping[str, Any]
) -> list[TreeRegressor]:
    """Fit a regressor to each pair of weights (R, K) and losses (R, M).

    All their boosters grow side by side, one thread a booster and a booster a processor: on a few
    hundred runs, threads within a booster mostly wait.

    Args:
        tables: the pairs.
        trees: the most that a booster grows.
        settings: LightGBM's.
    """
    lightgbm = _import_lightgbm()
    settings = {
        **settings,
        "num_threads": 1,
        "verbosity": -1,
        "force_col_wise": True,
        "deterministic": True,  # needs one of force_col_wise and force_row_wise
    }

    def grow(job: tuple[Array, Array]) -> Booster:
        weights, column = (np.ascontiguousarray(part) for part in job)
        data = lightgbm.Dataset(weights, column, params=settings)
        booster: Booster = lightgbm.Booster(settings, data)
        # update is true when no leaf could be split further: more trees would add nothing.
        for _ in range(trees):
            if booster.update():
                break
        booster.free_dataset()  # the trees alone are kept
        return booster

    jobs = [(weights, column) for weights, losses in tables for column in losses.T]
    boosters = iter(map_threads(grow, jobs))
    return [TreeRegressor(tuple(next(boosters) for _ in losses.T)) for _, losses in tables]


def _sum_stage(
    used: Sequence[tuple[Booster, float]], weights: Array, first: int, last: int
) -> Array:
    """Return the sum (n,) of trees from ``first`` to ``last`` of boosters with shares."""

    def sum_one(job: tuple[Booster, float]) -> Array:
        booster, share = job
        end = min(last, booster.num_trees())
        return share * _sum_trees(booster, weights, first, end, TREES_AT_ONCE)

    return np.asarray(np.sum(map_threads(sum_one, used), axis=0), np.float64)


def _sum_trees(booster: Booster, weights: Array, first: int, last: int, step: int | None) -> Array:
    """Return the sum of the trees from ``first`` to ``last``, (n,), ``step`` of them at once."""
    total = np.zeros(len(weights))
    for start in range(first, last, step or last):
        count = min(step or last, last - start)
        total += np.asarray(
            booster.predict(weights, start_iteration=start, num_iteration=count, num_threads=1)
        )
    return total


def _bound_rest(booster: Booster, share: float, ends: Sequence[int]) -> tuple[Array, Array]:
    """Return the most and the least that the trees after each end can add, times ``share``."""
    texts = _LEAVES.findall(booster.model_to_string())
    leaves = [np.array(text.split(), np.float64) * share for text in texts]
    # A row falls into one leaf of each tree.
    highest = np.array([leaf.max() for leaf in leaves])
    lowest = np.array([leaf.min() for leaf in leaves])
    most = np.array([highest[end:].sum() for end in ends])
    least = np.array([lowest[end:].sum() for end in ends])
    return most, least


def _lowest(values: Array, top: int) -> tuple[NDArray[np.int64], Array]:
    # Stable, so that equal mixtures keep the order in which they were drawn.
    order = np.argsort(values, kind="stable")[:top]
    return order, values[order]


def _import_lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        raise MissingPackage(
            package="lightgbm", extra="laws", who="RegMix(model='lightgbm')"
        ) from error
    return lightgbm
