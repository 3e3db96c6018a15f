"""The law of loss-to-loss: a curve a target over what another law predicts, and the uncertainty of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.types import Array
from reweightviz.laws._restore import restored
from reweightviz.laws._sampled_law import SampledLaw, damaged, packed, unpacked
from reweightviz.numerics.shifted_power import evaluate


@dataclass(frozen=True, eq=False)
class LossToLossLaw(SampledLaw):
    """A monotone curve a target over the losses of a law beneath.

    Where the curve was fitted to what the law beneath predicts, its residuals hold that law's
    errors at those mixtures, and only what it is less sure of elsewhere is added. Where it was
    fitted to losses that a small model really reached, all of the law's uncertainty is added.

    Args:
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        law: the law beneath, with P targets.
        blend: (P, M), what each target follows.
        known: (P, P), how the law beneath errs where the curve was fitted; zeros where it was not
            used for that.
        theta: (M, 4), [E_a, kappa, K, E_b].
        refits: (B, M, 4), the same refitted to resampled runs.
        noise: (B, M), residuals of runs; a row comes from one run.
        diagnostics: what the fit says of itself: a list of M values a name.
    """

    domains: tuple[str, ...]
    targets: tuple[str, ...]
    lower_is_better: NDArray[np.bool_]
    law: Any
    blend: Array
    known: Array
    theta: Array = field(default_factory=lambda: np.empty((0, 4)))
    refits: Array = field(default_factory=lambda: np.empty((0, 0, 4)))
    noise: Array = field(default_factory=lambda: np.empty((0, 0)))
    diagnostics: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    kind: ClassVar[str] = "loss-to-loss"

    def __repr__(self) -> str:
        return f"LossToLossLaw({len(self.targets)} targets over {self.law!r})"

    @property
    def draws(self) -> int:
        """How many draws ``samples`` gives."""
        return len(self.noise)

    @property
    def rising(self) -> Array:
        """1 where a target rises with what it follows, (M,), -1 where it falls."""
        beneath = np.asarray(self.law.lower_is_better, bool)[np.abs(self.blend).argmax(0)]
        return np.where(beneath == self.lower_is_better, 1.0, -1.0)

    def predict(self, weights: ArrayLike) -> Array:  # type: ignore[override]
        """Losses (n, M) under mixtures (n, K)."""
        return evaluate(self.theta, self._beneath(self._mixtures(weights)))

    def samples(self, weights: ArrayLike) -> Array:  # type: ignore[override]
        """Losses (B, n, M) that a new run at each of the mixtures (n, K) might reach, one a draw.

        A draw has one draw of the law beneath, one refit of the curves and the residuals of one
        run.
        """
        mixtures = self._mixtures(weights)
        middle = self._beneath(mixtures)
        drawn = self.law.samples(mixtures) if hasattr(self.law, "samples") else np.empty((0, 0, 0))
        if not len(drawn):
            return np.asarray(
                evaluate(self.refits[:, None], middle) + self.noise[:, None, :], np.float64
            )
        beneath = drawn @ self.blend
        held = np.einsum("pm,pq,qm->m", self.blend, self.known, self.blend)
        spread = ((beneath - middle) ** 2).mean(0)
        added = np.sqrt(np.maximum(1 - held / np.maximum(spread, 1e-300), 0))
        moved = middle + added * (beneath[np.arange(self.draws) % len(beneath)] - middle)
        return np.asarray(
            evaluate(self.refits[:, None], moved) + self.noise[:, None, :], np.float64
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it, with the law beneath."""
        return {
            **self._record(),
            "law": self.law.to_dict(),
            **{
                name: packed(getattr(self, name))
                for name in ("blend", "known", "theta", "refits", "noise")
            },
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> LossToLossLaw:
        """What :meth:`to_dict` gave."""
        common = cls._read(record)
        try:
            beneath = restored(record["law"])
            blend, known, theta, refits, noise = (
                unpacked(record[name]) for name in ("blend", "known", "theta", "refits", "noise")
            )
            return cls(
                **common,
                law=beneath,
                blend=blend,
                known=known,
                theta=theta,
                refits=refits,
                noise=noise,
            )
        except (KeyError, TypeError) as error:
            raise damaged(error) from error

    def _beneath(self, mixtures: Array) -> Array:
        """What each target follows, (n, M)."""
        return np.asarray(self.law.predict(mixtures) @ self.blend, np.float64)
