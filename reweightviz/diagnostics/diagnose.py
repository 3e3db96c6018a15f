"""Diagnose domain weights: what usually goes wrong, looked for in a mixture, a schedule, or runs.

The questions are those that users of DoReMi's public code asked in
https://github.com/sangmichaelxie/doremi/issues/5 (weights that become one-hot) and
https://github.com/sangmichaelxie/doremi/issues/11 (weights that do not settle after three rounds).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from reweightviz.core.runlog import RunLog
from reweightviz.core.sources import Sources
from reweightviz.core.token_counts import parse_budget
from reweightviz.core.types import Array
from reweightviz.diagnostics.course import Course, read_course
from reweightviz.diagnostics.diagnosis import Diagnosis
from reweightviz.diagnostics.domain_table import find_budget, find_sources, tabulate_domains
from reweightviz.diagnostics.findings.absent import find_absent
from reweightviz.diagnostics.findings.epochs import explain_missing_epochs, find_repeated
from reweightviz.diagnostics.findings.floor import find_floor
from reweightviz.diagnostics.findings.off_plan import find_off_plan
from reweightviz.diagnostics.findings.one_hot import find_one_hot
from reweightviz.diagnostics.findings.unsettled import SETTLED, find_unsettled
from reweightviz.diagnostics.rounds import cut_rounds, measure_drift, tabulate_changes

__all__ = ["diagnose"]


def diagnose(
    course: RunLog | Mapping[Any, Any] | Sequence[Any],
    sources: Sources | Mapping[str, Any] | None = None,
    tokens: float | str | None = None,
) -> Diagnosis:
    """Look for what usually goes wrong with domain weights.

    Looked for: one domain with over 90 % of the weight; weights that have not settled, which they
    have when the last tenth of the run differs from each of the three before (the last round from
    the one before) by less than 0.02 in L1; a domain absent from over 5 % of the log's lines; over
    1 % of the tokens drawn from other domains than planned, where the weights draw; domains that
    stay together, or while others move, on the lowest weight of the run; over 4 passes over a
    domain. Of a mixer that probes (Aioli), the lines hold now a probe and now what it found, so
    only its answer and the passes are then looked at.

    Args:
        course: a mixture, a schedule, the log of a run, or a list of them, round after round.
        sources: tokens available in each domain, for the epochs; ``log.meta["sources"]`` when not
            given.
        tokens: training tokens, for the epochs; those of the log when not given. Where a mixer
            scales the loss, the epochs are those of the run, not of a model that will be trained
            by the mixer's answer: diagnose that mixture for it.

    Raises:
        ReweightvizError: something else came, or the sources lack a domain.

    Example:
        >>> mixture = {"web": 0.95, "code": 0.05}
        >>> print(diagnose(mixture, sources={"web": 1e9, "code": 1e8}, tokens=1e10))
        mixture: as even as 1.2 of 2 domains would be.
        - One-hot: 'web' has 95 % of the weight. Bound it, or pull towards a prior.
        - Repeated more than 4 times: 'web' 9.5 times and 'code' 5.0 times. Cap the epochs
        (max_epochs=), or find more text.
    """
    found = read_course(course)
    available = find_sources(found, sources)
    budget = parse_budget(tokens)
    if budget is None:
        budget = find_budget(found)
    table = tabulate_domains(found, available, budget)
    at, means = cut_rounds(found)
    rounds = tabulate_changes(found.domains, at, means, found.kind)
    settled = _has_settled(found, means)
    findings = [*_look(found, table, rounds, means, settled), *find_repeated(table)]
    # Epochs that nobody asked for may be missing without a finding.
    asked = sources is not None or tokens is not None
    if asked and table["epochs"].isna().all():
        findings.append(explain_missing_epochs(found, available, budget))
    by_step = tabulate_changes(found.domains, found.at, found.weights, found.kind)
    return Diagnosis(found.name, table, by_step, rounds, settled, tuple(findings))


def _has_settled(course: Course, means: Array) -> bool | None:
    """Return whether the weights have settled; None of weights that change on purpose."""
    is_schedule = course.log is None and course.kind == "step"
    if len(means) < 2 or is_schedule or course.probes:
        return None
    return bool(measure_drift(course, means).sum() < SETTLED)


def _look(
    course: Course, table: pd.DataFrame, rounds: pd.DataFrame, means: Array, settled: bool | None
) -> Iterator[str]:
    if course.probes:
        yield from find_one_hot(course.answer())
        return
    yield from find_one_hot(course)
    if settled is False:
        yield find_unsettled(course, rounds, means)
    yield from find_absent(course, table)
    yield from find_off_plan(course, table)
    yield from find_floor(course)
