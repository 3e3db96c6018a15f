"""The bandit of fms-acceleration-odm, which changes the shares of datasets while training runs.

From starting weights s it draws (1 - gamma) s + gamma / K, so no dataset is drawn less than gamma /
K of the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.exporters.frameworks._foreign import Item, as_mapping
from reweightviz.exporters.plan import Numbers
from reweightviz.exporters.units import exact_shares

__all__ = [
    "MEASURED",
    "REWARDS",
    "USUAL",
    "compensate",
    "explore",
    "find_bandit_faults",
    "find_bandit_traps",
]


MEASURED = ("entropy", "entropy3_varent1", "entropy_last_token", "validation_loss")
"""Rewards that need validation data of each dataset."""
REWARDS = (*MEASURED, "gradnorm", "train_loss")
USUAL: dict[str, Any] = {
    "update_interval": 1,
    "sampling_interval": 1,
    "reward_type": "train_loss",
    "gamma": 0.1,
    "eta": 0.3,
}
"""Settings of the bandit in a new config."""


def compensate(numbers: Numbers, gamma: float) -> Numbers:
    """Return the starting weights from which the bandit first draws by ``numbers``."""
    if len(numbers) < 2:
        raise ReweightvizError(
            "the bandit cuts a single dataset into clusters of its own: online mixing "
            "needs two datasets or more."
        )
    least = min(numbers, key=lambda name: numbers[name])
    floor = gamma / len(numbers)
    if not 0 <= gamma < 1 or numbers[least] <= floor:
        raise ReweightvizError(
            f"with gamma={gamma:g} the bandit draws each of {len(numbers)} datasets more "
            f"than {floor:.4g} of the time; "
            f"{list_names([least])} is to start with {numbers[least]:.4g}, so gamma must be below "
            f"{min(1.0, numbers[least] * len(numbers)):.4g}."
        )
    # fms-hf-tuning compares the sum with 1 without tolerance: shares that add up exactly.
    start = exact_shares((np.array(list(numbers.values())) - floor) / (1 - gamma))
    return dict(zip(numbers, start.tolist(), strict=True))


def explore(numbers: Numbers, gamma: float, count: int) -> Numbers:
    """Return the shares that the bandit first draws by.

    Args:
        numbers: its starting weights.
        gamma: how much it explores.
        count: K of datasets, of which a config that is refused may name one twice.

    >>> explore({"web": 1.0, "code": 0.0}, 0.5, 2)
    {'web': 0.75, 'code': 0.25}
    """
    explored = gamma / max(count, 1)
    return {name: (1 - gamma) * share + explored for name, share in numbers.items()}


def find_bandit_faults(odm: Mapping[str, Any], names: Sequence[str], gamma: float) -> Iterator[str]:
    # What the bandit takes by itself; a new config has USUAL written out.
    reward = odm.get("reward_type", "entropy")
    if not odm:
        yield "type 'odm' needs dataprocessor.odm, the settings of the bandit."
    if not gamma <= 1:
        yield f"gamma of the bandit must be a number from 0 to 1; got {odm.get('gamma')!r}."
    if str(reward).lower() not in REWARDS:
        yield (
            f"the bandit of fms-hf-tuning has no reward_type {reward!r}; there is "
            f"{list_names(REWARDS)}."
        )
    if len(names) == 1:
        yield (
            "the bandit cuts a single dataset into clusters of its own, so this config asks for "
            "no mixture of domains."
        )


def find_bandit_traps(
    odm: Mapping[str, Any], entries: Sequence[Item], gamma: float
) -> Iterator[str]:
    reward = str(odm.get("reward_type", "entropy")).lower()
    if gamma:
        yield (
            "the bandit starts with (1 - gamma) sampling + gamma / K, which is what was read, not "
            "with sampling itself."
        )
    validated = any(as_mapping(entry.get("split")).get("validation") for entry in entries)
    if reward in MEASURED and not validated:
        yield (
            f"reward_type {reward!r} is measured on validation data, which no dataset here has "
            "under split."
        )
