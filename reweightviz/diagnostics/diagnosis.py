"""The diagnosis of domain weights: tables, a summary, and what stands out."""

from __future__ import annotations

import html
from dataclasses import dataclass, field

import pandas as pd

__all__ = ["Diagnosis"]


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """Hold what :func:`reweightviz.diagnostics.diagnose.diagnose` found.

    Args:
        name: of what was looked at.
        table: a row a domain: ``weight`` (of the last line), ``mean``, ``lowest`` and ``highest``
            (over the steps), ``drawn`` (its share of the tokens drawn), ``epochs``, ``absent``
            (share of the batches without it where the log's meta has that, of the lines
            otherwise), ``longest_gap`` (in steps) and ``a_batch`` (sequences of it in a mean
            batch). NaN where it is not known.
        by_step: a row a line: ``effective`` number of domains (exp of the entropy), change to the
            line before in ``l1`` and ``kl``.
        rounds: the same for a tenth of the run, a stage of the schedule or a round, with the
            domain that ``moved`` most.
        settled: whether the last round changed less than 0.02 in L1, and of a run whether none of
            the three tenths before the last is further from it; None for one mixture, a schedule,
            which changes on purpose, and a mixer that probes.
        findings: what stands out, a sentence each, with what would help.
    """

    name: str
    table: pd.DataFrame
    by_step: pd.DataFrame
    rounds: pd.DataFrame
    settled: bool | None
    findings: tuple[str, ...] = field(default=())

    @property
    def summary(self) -> str:
        """The number of domains that the weights really use, in one sentence."""
        effective = self.by_step["effective"]
        domains = len(self.table)
        start = f"{self.name}: as even as {effective.iloc[0]:.1f} of {domains} domains"
        if len(effective) == 1:
            return f"{start} would be."
        return (
            f"{start} at first, {effective.iloc[-1]:.1f} at last, {effective.min():.1f} at the "
            f"least ({self.by_step.index.name} {effective.idxmin()}).{self._verdict_on_settling()}"
        )

    def _verdict_on_settling(self) -> str:
        if self.settled is None:
            return ""
        if self.settled:
            return " The weights have settled."
        return " The weights have not settled."

    def __repr__(self) -> str:
        found = [f"- {finding}" for finding in self.findings] or ["- nothing stands out."]
        return "\n".join([self.summary, *found])

    def _repr_html_(self) -> str:
        findings = self.findings or ("nothing stands out.",)
        items = "".join(f"<li>{html.escape(finding)}</li>" for finding in findings)
        return (
            f"<p>{html.escape(self.summary)}</p><ul>{items}</ul>"
            + _details_html("every domain", self.table)
            + _details_html("round by round", self.rounds)
        )


def _details_html(title: str, table: pd.DataFrame) -> str:
    known = table.dropna(axis=1, how="all")
    content = known.to_html(float_format=lambda value: f"{value:.3g}", na_rep="", border=0)
    return f"<details><summary>{title}</summary>{content}</details>"
