"""DsDm: a document is worth more when training runs that saw it reached a lower loss on the target.

Logan Engstrom, Axel Feldmann and Aleksander Madry, "DsDm: Model-Aware Dataset Selection with
Datamodels", ICML 2024, https://arxiv.org/abs/2401.12926, after Andrew Ilyas et al., "Datamodels:
Predicting Predictions from Training Data", ICML 2022, https://arxiv.org/abs/2202.00622. Their code
holds selections and no estimator: DsDm approximates the regression by gradients (TRAK, see
``TracIn`` and ``LESS`` here), the datamodels are a lasso over runs. Here runs are regressed on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import MissingPackage, UnknownName, UnmetNeed, warn
from reweightviz.core.types import Array
from reweightviz.numerics.run_regression import fit_ridge

__all__ = ["DsDm"]


ESTIMATORS = ("ridge", "lasso")


@dataclass(frozen=True)
class DsDm:
    """By how much a document that is seen changes the loss on the target, to first order.

    Lower is better. With fewer runs than documents the effects are a guess: where all documents
    matter alike, they correlate with the true ones at most at the root of runs by documents. A
    document that all runs saw, or none, has no score.

    Args:
        estimator: "ridge", its penalty by leaving runs out one by one; or "lasso" as the datamodels
            are, its penalty by five folds: better where few documents matter, with many ties at 0.

    Example:
        >>> runs = [[1, 0, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 0], [0, 1, 0]]
        >>> losses = [2.625, 2.75, 3.375, 3.125, 2.5, 3.25]
        >>> DsDm().score(runs=runs, run_losses=losses).round(3).tolist()
        [-0.5, 0.25, 0.125]
    """

    estimator: str = "ridge"

    higher_is_better: ClassVar[bool] = False
    paper: ClassVar[str] = "https://arxiv.org/abs/2401.12926"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if self.estimator not in ESTIMATORS:
            raise UnknownName(kind="estimator of DsDm", name=self.estimator, known=ESTIMATORS)

    def score(self, *, runs: ArrayLike, run_losses: ArrayLike) -> Array:
        """Return effects (N,) in the unit of the losses.

        Args:
            runs: (R, N) true where a run saw the document.
            run_losses: (R,) on the target; a run without a finite one is left out, with a warning.
        """
        masks = np.asarray(runs)
        losses = np.asarray(run_losses, np.float64)
        if masks.ndim != 2 or losses.shape != masks.shape[:1] or np.isfinite(losses).sum() < 3:
            raise UnmetNeed(
                name="DsDm",
                value=(masks.shape, losses.shape),
                expected="runs (R, N) and run_losses (R,), of which at least 3 are finite",
                got=f"shapes {masks.shape} and {losses.shape}",
            )
        ended = np.isfinite(losses)
        if not ended.all():
            warn(f"DsDm leaves out {int((~ended).sum())} of {len(ended)} runs without a loss.")
        masks = masks[ended].astype(bool)
        _warn_of_few(*masks.shape)
        estimate = {"ridge": _ridge, "lasso": _lasso}[self.estimator]
        varies = masks.any(0) & ~masks.all(0)
        return np.where(varies, estimate(masks, losses[ended]), np.nan)


def _warn_of_few(R: int, N: int) -> None:
    if R < N / 4:
        warn(
            f"DsDm has {R:,} runs for {N:,} documents: where all of them matter alike, its scores "
            f"correlate with the true effects at {(R / N) ** 0.5:.2f} or less."
        )


def _ridge(masks: Array, losses: Array) -> Array:
    return fit_ridge(masks, losses).coefficients


def _lasso(masks: Array, losses: Array) -> Array:
    try:
        from sklearn.linear_model import LassoCV
    except ImportError:
        raise MissingPackage(
            package="scikit-learn", extra="features", who="DsDm(estimator='lasso')"
        ) from None
    fitted = LassoCV(cv=5, max_iter=10_000).fit(masks.astype(np.float64), losses)
    return np.asarray(fitted.coef_, np.float64)
