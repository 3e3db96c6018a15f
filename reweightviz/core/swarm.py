"""Swarm: many small proxy runs, the mixtures they trained on and what they reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import ReweightvizError, UnmetNeed
from reweightviz.core.repeats import DECIMALS, group_equal_mixtures, noise_of_repeats
from reweightviz.core.validation import check_unique

__all__ = ["MEAN_OF_TARGETS", "SUM_SLACK", "Swarm", "check_targets"]


MEAN_OF_TARGETS = "mean of targets"
"""The name of the row of the mean, in tables with a row a target."""
SUM_SLACK = 0.005
"""Rows of tables that were rounded to 3 decimals sum to .995 to 1.005 and are kept as read."""


@dataclass(frozen=True, eq=False)
class Swarm:
    """Proxy runs.

    Args:
        domains: names (K,).
        mixtures: (R, K) domain weights, as read.
        targets: names (M,); may differ from the domains.
        losses: (R, M).
        runs: a table with a row a run (model size, tokens, seed, ...).
        tokens: domain to tokens available to the runs, where known.
        lower_is_better: (M,); all true when not given.
        meta: how the runs were made.
    """

    domains: tuple[str, ...]
    mixtures: NDArray[np.float64]
    targets: tuple[str, ...]
    losses: NDArray[np.float64]
    runs: pd.DataFrame
    tokens: Mapping[str, float] | None = None
    lower_is_better: NDArray[np.bool_] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_unique("domain", self.domains, "a Swarm")
        check_unique("target", self.targets, "a Swarm")
        mixtures = np.asarray(self.mixtures, np.float64)
        losses = np.asarray(self.losses, np.float64)
        shapes = ((len(self), len(self.domains)), (len(self), len(self.targets)))
        if (mixtures.shape, losses.shape) != shapes:
            raise UnmetNeed(
                name=f"a Swarm of {len(self)} runs",
                value=(mixtures.shape, losses.shape),
                expected=f"mixtures {shapes[0]} and losses {shapes[1]}",
                got=f"{mixtures.shape} and {losses.shape}",
            )
        _check_mixtures(mixtures)
        lower_is_better = np.ones(len(self.targets), bool)
        if self.lower_is_better is not None:
            lower_is_better = np.asarray(self.lower_is_better, bool)
        object.__setattr__(self, "mixtures", mixtures)
        object.__setattr__(self, "losses", losses)
        object.__setattr__(self, "lower_is_better", lower_is_better)

    def __len__(self) -> int:
        return len(self.runs)

    def __repr__(self) -> str:
        return f"Swarm({len(self)} runs, {len(self.domains)} domains, {len(self.targets)} targets)"

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Swarm:
        """Return the runs ``rows``, in that order."""
        rows = np.asarray(rows)
        return Swarm(
            self.domains,
            self.mixtures[rows],
            self.targets,
            self.losses[rows],
            self.runs.iloc[rows].reset_index(drop=True),
            self.tokens,
            self.lower_is_better,
            self.meta,
        )

    def signals(self) -> dict[str, Any]:
        """Return by name what a law may need: mixtures, losses, domains, targets.

        And, where they are known, size, run_tokens and available.
        """
        found: dict[str, Any] = {
            "domains": self.domains,
            "targets": self.targets,
            "mixtures": self.mixtures,
            "losses": self.losses,
            "lower_is_better": self.lower_is_better,
        }
        for name in ("size", "run_tokens"):
            if name in self.runs:
                found[name] = self.runs[name].to_numpy(np.float64)
        if "run_tokens" not in found and "tokens_a_run" in self.meta:
            found["run_tokens"] = np.full(len(self), float(self.meta["tokens_a_run"]))
        if self.tokens is not None and all(domain in self.tokens for domain in self.domains):
            available = [self.tokens[domain] for domain in self.domains]
            found["available"] = np.array(available, np.float64)
        return found

    def noise_floor(self, decimals: int = DECIMALS) -> NDArray[np.float64]:
        """Return the pooled standard deviation (M,) of the losses over repeats of one mixture.

        It is NaN without repeats.
        """
        return noise_of_repeats(self.losses, group_equal_mixtures(self.mixtures, decimals))


def check_targets(targets: Sequence[str]) -> None:
    """Refuse a target of the name under which a table has the mean of all."""
    if MEAN_OF_TARGETS in targets:
        raise ReweightvizError(
            f"{MEAN_OF_TARGETS!r} is the name of the row of their mean; give your target another."
        )


def _check_mixtures(mixtures: NDArray[np.float64]) -> None:
    if not np.isfinite(mixtures).all() or (mixtures < 0).any():
        raise ReweightvizError("the mixtures of a Swarm must be finite and >= 0.")
    off = np.abs(mixtures.sum(1) - 1) > SUM_SLACK
    if off.any():
        row = int(np.argmax(off))
        raise ReweightvizError(
            f"the weights of run {row} sum to {mixtures[row].sum():.4f}, not 1 "
            f"({off.sum()} such runs): were columns dropped?"
        )
