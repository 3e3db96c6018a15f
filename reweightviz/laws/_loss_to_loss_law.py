"""The law of loss-to-loss: a curve a target over the predictions of another law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.protocols import Sampled
from reweightviz.core.types import Array
from reweightviz.laws._inputs import Inputs
from reweightviz.laws._record import decode_array, encode_array, open_record
from reweightviz.laws._restore import restore_law
from reweightviz.laws._sampled_law import SampledLaw
from reweightviz.numerics.shifted_power import evaluate

__all__ = ["ARRAYS", "LossToLossLaw", "draw_beneath"]


ARRAYS = ("blend", "known", "theta", "refits", "noise")


@dataclass(frozen=True, eq=False)
class LossToLossLaw(SampledLaw):
    """A monotone curve a target over the losses of a law beneath.

    Where the curve was fitted to what the law beneath predicts, its residuals hold that law's
    errors at those mixtures, and only what it is less sure of elsewhere is added. Where it was
    fitted to losses that a small model really reached, all of the law's uncertainty is added. A
    draw has one draw of the law beneath, one refit of the curves and the residuals of one run.

    Args:
        domains: names (K,), in the order of the weights.
        targets: names (M,).
        lower_is_better: (M,).
        law: the law beneath, with P targets.
        blend: (P, M), the share of each target beneath that a target follows.
        known: (P, P), covariance of the law beneath where the curve was fitted; zeros where it was
            not used for that.
        theta: (M, 4), [E_a, kappa, K, E_b].
        refits: (B, M, 4), the same refitted to resampled runs.
        noise: (B, M), residuals of runs; a row comes from one run.
        diagnostics: of the fit: a list of M values a name.
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
        """The number of draws of ``samples``, B."""
        return len(self.noise)

    @property
    def rising(self) -> Array:
        """1 where a target rises with its source, (M,), -1 where it falls."""
        # A blend of several follows the one that counts most in it.
        beneath = np.asarray(self.law.lower_is_better, bool)[np.abs(self.blend).argmax(0)]
        return np.where(beneath == self.lower_is_better, 1.0, -1.0)

    def to_dict(self) -> dict[str, Any]:
        """Return everything, as JSON can hold it, with the law beneath."""
        arrays = {name: encode_array(getattr(self, name)) for name in ARRAYS}
        return {"kind": self.kind, **self._record(), "law": self.law.to_dict(), **arrays}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> LossToLossLaw:
        """Return the law that :meth:`to_dict` wrote."""
        with open_record(record, [cls.kind]) as common:
            arrays: dict[str, Any] = {name: decode_array(record[name]) for name in ARRAYS}
            return cls(**common, law=restore_law(record["law"]), **arrays)

    def _predict(self, inputs: Inputs) -> Array:
        return evaluate(self.theta, self._sources(inputs.weights))

    def _sample(self, inputs: Inputs) -> Array:
        sources = self._sources(inputs.weights)
        drawn = draw_beneath(self.law, inputs.weights)
        if len(drawn):
            sources = self._add_doubt(sources, drawn @ self.blend)
        values = evaluate(self.refits[:, None], sources)
        return np.asarray(values + self.noise[:, None, :], np.float64)

    def _add_doubt(self, sources: Array, drawn: Array) -> Array:
        """Return sources (B, n, M), spread by what the law beneath (B', n, M) is less sure of here.

        The residuals hold its errors where the curves were fitted.
        """
        held = np.einsum("pm,pq,qm->m", self.blend, self.known, self.blend)
        # The variance in the residuals is taken off; deviations shrink by the root of what is left.
        variance = ((drawn - sources) ** 2).mean(0)
        added = np.sqrt(np.maximum(1 - held / np.maximum(variance, 1e-300), 0))
        # The law beneath may have fewer draws: they come again.
        rows = np.arange(self.draws) % len(drawn)
        return np.asarray(sources + added * (drawn[rows] - sources), np.float64)

    def _sources(self, mixtures: Array) -> Array:
        """Return the predictions that each target follows, (n, M)."""
        return np.asarray(self.law.predict(mixtures) @ self.blend, np.float64)


def draw_beneath(law: Any, mixtures: Array) -> Array:
    """Return the draws (B, n, P) of a law; B is 0 for one that draws nothing."""
    if isinstance(law, Sampled):
        return law.samples(mixtures)
    return np.empty((0, len(mixtures), len(law.targets)))
