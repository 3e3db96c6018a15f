"""The decision: a mixture beside a reference, with all that speaks for and against it."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "Decision",
    "DomainRow",
    "Estimate",
    "RejectedMixture",
    "TargetPrediction",
    "WrittenFile",
]


class Estimate(NamedTuple):
    """A number and its 90 % interval; NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def has_interval(self) -> bool:
        """True where the interval is known."""
        return not math.isnan(self.low)


@dataclass(frozen=True)
class DomainRow:
    """Hold one domain: its weights, what there is of it, what the budget draws, and its epochs.

    ``available`` and ``drawn`` are tokens. What is not known is None.
    """

    domain: str
    color: str
    weight: float
    reference: float | None
    available: float | None
    drawn: float | None
    epochs: float | None


@dataclass(frozen=True)
class TargetPrediction:
    """Hold one target as predicted for the chosen and the reference mixture.

    ``change`` and ``verdict`` are those of :mod:`reweightviz.numerics.contrast`: "better", "worse",
    "noise" (the interval of the change holds 0) or "unknown" (there is no interval, or no
    reference). " on average" follows "better" and "worse" where the change is less than half the
    interval of one new run, so that one run may not show it.
    """

    target: str
    lower_is_better: bool
    chosen: Estimate
    reference: Estimate | None
    change: Estimate | None
    verdict: str

    @property
    def gain(self) -> float:
        """The change in the direction of the target: below 0 is better."""
        if self.change is None:
            return 0.0
        if self.lower_is_better:
            return self.change.value
        return -self.change.value


@dataclass(frozen=True)
class RejectedMixture:
    """Hold a mixture that was not chosen.

    Args:
        name: of the mixture.
        reason: why it was not chosen.
        moved: share of the tokens that differ from the chosen one's.
        epochs: most passes over a domain, where known.
        mean: its predicted mean loss.
        change: that mean less the chosen one's.
        verdict: on that change.
    """

    name: str
    reason: str
    moved: float
    epochs: float | None
    mean: Estimate | None
    change: Estimate | None
    verdict: str


@dataclass(frozen=True)
class WrittenFile:
    """Hold a file that was written: whose it is, what its numbers count, and facts in sentences.

    ``title`` is empty where no framework reads the file.
    """

    path: str
    title: str
    unit: str
    facts: tuple[str, ...]


@dataclass(frozen=True)
class Decision:
    """Hold all that a decision record shows.

    Args:
        title: of the page.
        created: when.
        versions: of what computed it.
        reference: what the mixture is compared with, in words; empty for nothing.
        rows: a domain each, the largest weight first.
        moved: share of the tokens that differ from the reference's.
        budget: tokens to train on.
        tokenizer: that counted them.
        limit: passes over a domain above which it is marked.
        mean: the mean of the targets; None without a law.
        targets: the most improved first.
        averaged: how many targets the mean is over.
        law: label to text.
        paired: draws of the law that both mixtures share.
        constraints: label to text, of where the mixture came from.
        rejected: what was not chosen.
        files: what was written.
    """

    title: str
    created: str
    versions: str
    reference: str
    rows: tuple[DomainRow, ...]
    moved: float | None
    budget: float | None
    tokenizer: str | None
    limit: float
    mean: TargetPrediction | None
    targets: tuple[TargetPrediction, ...]
    averaged: int
    law: tuple[tuple[str, str], ...]
    paired: int
    constraints: tuple[tuple[str, str], ...]
    rejected: tuple[RejectedMixture, ...]
    files: tuple[WrittenFile, ...]

    @property
    def mark(self) -> str:
        """Eight hexadecimal digits of all that it holds, the same in each of its files."""
        return hashlib.blake2b(repr(self).encode("utf-8", "replace"), digest_size=4).hexdigest()

    @property
    def most_repeated(self) -> DomainRow | None:
        """The domain with the most epochs, where they are known."""
        known = [row for row in self.rows if row.epochs is not None]
        return max(known, key=lambda row: row.epochs or 0.0, default=None)

    @property
    def predictions(self) -> tuple[TargetPrediction, ...]:
        """What is predicted: the mean of the targets, then each; nothing without a law."""
        # Of one target the mean would be the same row again.
        if self.mean is None or len(self.targets) == 1:
            return self.targets
        return (self.mean, *self.targets)

    def exceeds_limit(self, row: DomainRow) -> bool:
        """Return whether a domain is repeated above the limit, but for rounding."""
        # A mixture that was proposed under this cap meets it to a solver's accuracy.
        return row.epochs is not None and row.epochs > self.limit * (1 + 1e-6)

    def count_verdicts(self, verdict: str) -> int:
        """Return how many targets have a verdict, be it on average or beyond one run."""
        return sum(one.verdict.startswith(verdict) for one in self.targets)
