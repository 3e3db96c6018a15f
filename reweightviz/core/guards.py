"""Guards: limits on the changes of a live mixture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweightviz.core.errors import InvalidValue, ReweightvizError, WrongDomains, list_names
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.mixture import Mixture

__all__ = ["ROUNDING", "Guards"]


ROUNDING = 1e-9
"""A weight that differs by less was written with fewer digits, not changed."""


@dataclass(frozen=True)
class Guards:
    """Limits that a person or a mixer cannot drag a running training over.

    Args:
        bounds: domain to (lowest, highest) weight; domains without bounds are free.
        max_change: share of the tokens that may move from one training step to the next
            (:meth:`Mixture.distance`); a larger change is allowed and becomes a ramp over several
            steps.
        locked: domains whose weight no change may move, or True for all of them; a ramp to an
            earlier change still arrives.

    Example:
        >>> guards = Guards(bounds={"web": (0.2, 0.8)}, max_change=0.1)
        >>> guards.step(np.array([0.2, 0.8]), np.array([0.7, 0.3])).round(3).tolist()
        [0.3, 0.7]
    """

    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    max_change: float = 1.0
    locked: bool | tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            bounds = {str(d): (float(low), float(high)) for d, (low, high) in self.bounds.items()}
            change = float(self.max_change)
        except (TypeError, ValueError, AttributeError) as error:
            raise InvalidValue(
                name="guards",
                value=(self.bounds, self.max_change),
                expected='bounds={"web": (0.2, 0.8)}, max_change=0.05, locked=("code",)',
                got=f"bounds={self.bounds!r:.60}, max_change={self.max_change!r:.20}",
            ) from error
        wrong = [
            f"{domain!r} {(low, high)}"
            for domain, (low, high) in bounds.items()
            if not 0 <= low <= high <= 1
        ]
        if wrong:
            raise InvalidValue(
                name="bounds",
                value=self.bounds,
                expected="(lowest, highest) with 0 <= lowest <= highest <= 1",
                got=", ".join(wrong[:4]),
            )
        if not 0 < change <= 1:
            raise InvalidValue(
                name="max_change",
                value=self.max_change,
                expected="a share of the tokens, above 0 and at most 1 (1 is no limit)",
            )
        object.__setattr__(self, "bounds", bounds)
        object.__setattr__(self, "max_change", change)
        object.__setattr__(self, "locked", _parse_locked(self.locked))

    @classmethod
    def of(
        cls,
        bounds: Mapping[str, tuple[float, float]],
        max_change: float,
        locked: bool | Iterable[str],
    ) -> Guards:
        """Return guards whose locked domains come in any order and kind of list."""
        return cls(bounds, max_change, _parse_locked(locked))

    @property
    def locked_domains(self) -> tuple[str, ...]:
        """The domains that are locked by name; none where all are."""
        return () if isinstance(self.locked, bool) else self.locked

    def check_domains(self, domains: Iterable[str]) -> None:
        """Refuse guards for domains that there are not."""
        known = list(domains)
        strange = [name for name in (*self.bounds, *self.locked_domains) if name not in known]
        if strange:
            raise WrongDomains(
                who="the guards", asked=strange, other="the mixture", there=known, part=True
            )

    def check_bounds(self, mixture: Mixture) -> None:
        """Refuse a mixture that is out of bounds."""
        for domain, (low, high) in self.bounds.items():
            if not low - ROUNDING <= mixture[domain] <= high + ROUNDING:
                raise InvalidValue(
                    name=f"the weight of {domain[:60]!r}",
                    value=mixture[domain],
                    expected=f"between {low:g} and {high:g}",
                    got=f"{mixture[domain]:.4g}",
                )

    def check_change(self, old: Mixture, new: Mixture) -> None:
        """Refuse a change that moves what is locked or leaves the bounds."""
        fixed = tuple(old) if self.locked is True else self.locked_domains
        moved = [domain for domain in fixed if abs(new[domain] - old[domain]) > ROUNDING]
        if moved:
            verb = "are" if len(moved) > 1 else "is"
            raise ReweightvizError(f"{list_names(moved)} {verb} locked; guard(locked=...) unlocks.")
        self.check_bounds(new)

    def step(self, now: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weights (K,) of the next training step, straight from now to the target."""
        way = target - now
        distance = float(np.abs(way).sum() / 2)
        # Without slack a rounding error would cost one more step, of next to no length.
        if distance <= self.max_change * (1 + ROUNDING):
            return target
        return now + way * (self.max_change / distance)

    def record(self) -> dict[str, Any]:
        """Return what JSON can hold; ``Guards(**record)`` is the way back."""
        return {
            "bounds": {domain: list(pair) for domain, pair in self.bounds.items()},
            "max_change": self.max_change,
            "locked": to_jsonable(self.locked),
        }


def _parse_locked(locked: object) -> bool | tuple[str, ...]:
    if isinstance(locked, bool):
        return locked
    if isinstance(locked, str) or not isinstance(locked, Iterable):
        raise InvalidValue(name="locked", value=locked, expected="True, False or a list of domains")
    return tuple(str(name) for name in locked)
