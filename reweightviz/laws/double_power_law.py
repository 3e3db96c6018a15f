"""Double Power Law: a domain gains from its weight, and loses again when its data is too small.

Liang Chen, Shuming Ma, Dongdong Zhang, Furu Wei and Baobao Chang, "On the Pareto Front of
Multilingual Neural Machine Translation", NeurIPS 2023, https://arxiv.org/abs/2304.03216. The form
``k p^-alpha + (D^gamma + b) (q p)^beta + M`` is from memory of the paper, with the numbers fitted
for every direction by itself; not verified against it. Ours: the factor of the second term is
fitted as one number where all runs have the same data, because D, b and q cannot then be separated;
Levenberg-Marquardt, the Huber loss, and the bootstrap with its prediction intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweightviz.core.errors import ReweightvizError, UnmetNeed, list_names
from reweightviz.laws._curve_fit import fit_curve_law
from reweightviz.laws._curve_law import CurveLaw
from reweightviz.laws._double_power_curve import DoublePowerForm
from reweightviz.laws._inputs import Inputs, check_given
from reweightviz.laws._runs import check_runs

__all__ = ["DoublePowerLaw"]


@dataclass(frozen=True)
class DoublePowerLaw:
    """Fit each domain's loss as ``M + k p^-alpha + g p^beta`` of its weight p.

    The factor g falls with the domain's data. With ``available`` that differs between runs, ``g
    = s D^-gamma + b`` and the law takes ``available``; else g is one number. The loss may turn up
    again: the diagnostics name the weight where it is lowest. The law is not convex, and other
    domains do not matter under it. Weights below ``least`` count as ``least``.

    Args:
        least: the smallest weight that counts.
        huber: delta, where the squared error turns absolute, in the unit of the losses.
        draws: refits to redrawn losses, B; 0 for no intervals, and no error on runs left out.
        seed: of the draws.

    Example:
        >>> share = np.linspace(0.05, 0.95, 12)
        >>> losses = 1 + 0.2 * share ** -0.5 + 0.4 * share ** 1.5
        >>> law = DoublePowerLaw(draws=0).fit(
        ...     domains=("de", "fr"), targets=("de",), losses=losses[:, None],
        ...     mixtures=np.column_stack([share, 1 - share]),
        ... )
        >>> law.predict([0.5, 0.5]).round(3).tolist(), np.round(law.diagnostics["lowest_at"], 2)
        ([[1.424]], array([0.41]))
    """

    least: float = 1e-4
    huber: float = 0.02
    draws: int = 200
    seed: int = 0

    paper: ClassVar[str] = "https://arxiv.org/abs/2304.03216"
    verified: ClassVar[str] = "not verified against the paper"

    def __post_init__(self) -> None:
        if not 0 < self.least < 1 or not self.huber > 0 or self.draws < 0:
            raise UnmetNeed(
                name="DoublePowerLaw",
                value=(self.least, self.huber, self.draws),
                expected="least between 0 and 1, huber above 0 and draws of at least 0",
                got=f"{self.least}, {self.huber}, {self.draws}",
            )

    def fit(
        self,
        *,
        domains: Sequence[str],
        targets: Sequence[str],
        mixtures: ArrayLike,
        losses: ArrayLike,
        lower_is_better: ArrayLike | None = None,
        available: ArrayLike | None = None,
    ) -> CurveLaw:
        """Fit every target.

        Args:
            domains: names (K,).
            targets: names (M,), each a domain.
            mixtures: (R, K) weights of the runs, as read.
            losses: (R, M), above 0.
            lower_is_better: (M,); all true when not given.
            available: (K,) or (R, K) tokens that there were of each domain.

        Raises:
            ReweightvizError: a target that is no domain, fewer runs than numbers to fit, losses
                that are missing or not above 0, or runs of one mixture.
        """
        names = tuple(domains)
        own = _find_own(names, tuple(targets))
        amounts = None
        if available is not None:
            shape = (len(np.asarray(mixtures)), len(names))
            amounts = check_given("DoublePowerLaw", "available", available, shape)
            if (amounts[:, own] == amounts[0, own]).all():
                amounts = None  # D, b and q cannot be separated
        form = DoublePowerForm(amounts is not None)
        runs = check_runs(
            "DoublePowerLaw",
            names,
            targets,
            mixtures,
            losses,
            lower_is_better,
            needed=form.numbers,
            spanning=False,
        )
        fixed = {
            "least": np.array(self.least),
            "own": own.astype(np.float64),
            "unit": np.array(1.0),
        }
        given = {}
        if amounts is not None:
            given = {"available": amounts}
            fixed["unit"] = np.array(np.exp(np.log(amounts[:, own]).mean()))
        inputs = Inputs(runs.mixtures, given, fixed)
        law = fit_curve_law(
            form.kind,
            runs,
            inputs,
            form.start(runs.losses),
            huber=self.huber,
            draws=self.draws,
            seed=self.seed,
        )
        lowest = form.lowest(law.theta, inputs).tolist()
        return replace(law, diagnostics={**law.diagnostics, "lowest_at": lowest})


def _find_own(domains: tuple[str, ...], targets: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the number of each target's domain, (M,)."""
    strangers = [target for target in targets if target not in domains]
    if strangers:
        raise ReweightvizError(
            "DoublePowerLaw predicts a domain's loss from its own weight, and "
            f"{list_names(strangers)} is not among the domains {list_names(domains)}: "
            "leave such targets "
            "out."
        )
    return np.array([domains.index(target) for target in targets], np.int64)
