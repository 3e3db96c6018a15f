"""DataInf: influence with a damped inverse of the curvature, in closed form.

Yongchan Kwon et al., "DataInf: Efficiently Estimating Data Influence in LoRA-tuned LLMs and
Diffusion Models", ICLR 2024, https://arxiv.org/abs/2310.00902. The formula was read in the authors'
code. Their LiSSA, which it is compared with there, has the damping's sign wrong and is not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from reweightviz.core.errors import UnmetNeed
from reweightviz.core.types import Array
from reweightviz.numerics.inner import inner
from reweightviz.scorers._gradients import as_gradients, target_gradients

__all__ = ["DataInf"]


@dataclass(frozen=True)
class DataInf:
    """How much more weight on a document would raise the target's loss; lower is better.

    In the sign of the authors' code, ``-<H^-1 v, g>`` with the target's mean gradient v, so
    ``higher_is_better`` is False. They take each layer by itself, with a damping of its own, and
    add up: so do gradients of one layer each, scored apart. Projected gradients are one layer.

    Args:
        inverse: "datainf", the mean of the inverses of each document's curvature, or "exact", the
            inverse of their mean, which it stands for.
        damping: lambda, as a share of the mean square of the gradients.

    Example:
        >>> gradient = [[1.0, 0.0], [0.0, 1.0]]
        >>> DataInf().score(gradient=gradient, query_gradient=[[1.0, 0.0]]).round(4).tolist()
        [-10.4762, -0.0]
    """

    inverse: Literal["datainf", "exact"] = "datainf"
    damping: float = 0.1

    higher_is_better: ClassVar[bool] = False
    paper: ClassVar[str] = "https://arxiv.org/abs/2310.00902"
    verified: ClassVar[str] = "equal to dattri 0.3.0"

    def __post_init__(self) -> None:
        if self.inverse not in {"datainf", "exact"}:
            raise UnmetNeed(
                name="DataInf",
                value=self.inverse,
                expected="its inverse to be 'datainf' or 'exact'",
            )
        if not self.damping > 0:
            raise UnmetNeed(name="DataInf", value=self.damping, expected="a damping above 0")

    def score(self, *, gradient: Any, query_gradient: Any) -> Array:
        """Return scores (N,) for gradients (N, D) and those of the target (Q, D)."""
        G = as_gradients("DataInf", gradient)
        target, _ = target_gradients("DataInf", query_gradient)
        return -inner(G, target.mean(0), inverse=self.inverse, damping=self.damping)
