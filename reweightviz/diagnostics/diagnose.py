"""Diagnosis: what usually goes wrong with domain weights, looked for in a mixture, a schedule, a run, or rounds of them.

The questions are those that users of DoReMi's public code asked in
https://github.com/sangmichaelxie/doremi/issues/5 (weights that become one-hot) and
https://github.com/sangmichaelxie/doremi/issues/11 (weights that do not settle after three rounds).
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweightviz.core.errors import (
    InvalidArgument,
    InvalidValue,
    ReweightvizError,
    WrongDomains,
    listed,
)
from reweightviz.core.mixture import Mixture, effective_domains
from reweightviz.core.protocols import needs
from reweightviz.core.runlog import RunLog
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.core.token_counts import parse_budget
from reweightviz.core.types import Array
from reweightviz.diagnostics.replay import reading, shares_of, steps_of
from reweightviz.numerics.simplex import numbers

ONE_HOT = 0.9
"""A domain with this much weight has taken it all."""
SETTLED = 0.02
"""Weights have settled when the last round changes less of them than this, in L1: 1 % of the tokens move."""
OFF_PLAN = 0.01
"""Share of the tokens that may be drawn from other domains than planned."""
ABSENT = 0.05
"""Share of the lines that may lack a domain."""
FLOOR = 0.2
"""Below this share of the uniform weight, the lowest weight of all is a floor."""
MOST_EPOCHS = 4.0
"""More passes over a domain teach clearly less than new text would (N. Muennighoff et al., https://arxiv.org/abs/2305.16264)."""
ROUNDS, LATE = 10, 3
"""How many parts a run is cut into, and how many of them the last is held against."""


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What :func:`diagnose` found.

    Args:
        name: of what was looked at.
        table: a row a domain: ``weight`` (of the last line), ``mean``, ``lowest`` and ``highest``
            (over the steps), ``drawn`` (its share of the tokens drawn), ``epochs``, ``absent``
            (share of the batches without it where the log's meta says so, of the lines otherwise),
            ``longest_gap`` (in steps) and ``a_batch`` (sequences of it in a mean batch). NaN where
            it is not known.
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
        """How many domains the weights really use, in one sentence."""
        effective = self.by_step["effective"]
        if len(effective) == 1:
            return f"{self.name}: as even as {effective.iloc[0]:.1f} of {len(self.table)} domains would be."
        settled = (
            ""
            if self.settled is None
            else " The weights have settled."
            if self.settled
            else " The weights have not settled."
        )
        return (
            f"{self.name}: as even as {effective.iloc[0]:.1f} of {len(self.table)} "
            f"domains at first, {effective.iloc[-1]:.1f} at last, "
            f"{effective.min():.1f} at the least ({self.by_step.index.name} "
            f"{effective.idxmin()}).{settled}"
        )

    def __repr__(self) -> str:
        found = [f"- {finding}" for finding in self.findings] or ["- nothing stands out."]
        return "\n".join([self.summary, *found])

    def _repr_html_(self) -> str:
        form: dict[str, Any] = {
            "float_format": lambda value: f"{value:.3g}",
            "na_rep": "",
            "border": 0,
        }
        found = (
            "".join(f"<li>{html.escape(finding)}</li>" for finding in self.findings)
            or "<li>nothing stands out.</li>"
        )
        tables = "".join(
            f"<details><summary>{title}</summary>{table.dropna(axis=1, how='all').to_html(**form)}</details>"
            for title, table in (("every domain", self.table), ("round by round", self.rounds))
        )
        return f"<p>{html.escape(self.summary)}</p><ul>{found}</ul>{tables}"


class _Course(NamedTuple):
    """Weights (T, K) that held for ``counts`` (T,) steps each, and what is known of the training."""

    name: str
    kind: str
    domains: tuple[str, ...]
    at: Sequence[int]
    weights: Array
    counts: Array | None
    log: RunLog | None = None


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
        >>> print(diagnose({"web": 0.95, "code": 0.05}, sources={"web": 1e9, "code": 1e8}, tokens=1e10))
        mixture: as even as 1.2 of 2 domains would be.
        - One-hot: 'web' has 95 % of the weight. Bound it, or pull towards a prior.
        - Repeated more than 4 times: 'web' 9.5 times and 'code' 5.0 times. Cap the epochs (max_epochs=), or find more text.
    """
    seen = _course(course)
    whole = (
        seen.weights
        if seen.counts is None
        else np.atleast_2d(np.average(seen.weights, axis=0, weights=seen.counts))
    )
    table = pd.DataFrame(
        {
            "weight": seen.weights[-1],
            "mean": whole.mean(0) if seen.counts is not None else np.nan,
            "lowest": seen.weights.min(0),
            "highest": seen.weights.max(0),
        },
        index=pd.Index(seen.domains, name="domain"),
    )
    table = table.join(_drawn(seen, table["mean"].to_numpy()))
    there = _sources(seen, sources)
    budget = parse_budget(tokens) if tokens is not None else _budget(seen)
    table.insert(5, "epochs", _epochs(table, there, budget))
    at, means = _rounds(seen)
    by_step, rounds = (
        _changes(seen.domains, *course, seen.kind)
        for course in ((seen.at, seen.weights), (at, means))
    )
    probes = _probes(seen)
    on_purpose = probes or (seen.log is None and seen.kind == "step")
    settled = None if len(rounds) < 2 or on_purpose else bool(_drift(seen, means).sum() < SETTLED)
    findings = (
        _one_hot(_answered(seen))
        if probes
        else (
            *_one_hot(seen),
            *_unsettled(seen, rounds, means, settled),
            *_absent(seen, table),
            *_off_plan(seen, table),
            *_floor(seen),
        )
    )
    asked = sources is not None or tokens is not None
    untold = _untold(seen, there, budget) if asked and table["epochs"].isna().all() else ()
    return Diagnosis(
        seen.name, table, by_step, rounds, settled, (*findings, *_repeated(table), *untold)
    )


# ---- what was given


def _course(given: Any) -> _Course:
    if isinstance(given, RunLog):
        weights = shares_of(given)
        known = np.isfinite(weights).all(1)
        if not known.any():
            raise ReweightvizError(
                f"the log {given.name!r} says no weights, so there is nothing to diagnose."
            )
        counts = steps_of(given).astype(np.float64)[known]
        return _Course(
            given.name,
            "step",
            given.domains,
            given.steps[known].tolist(),
            weights[known],
            counts,
            given,
        )
    if isinstance(given, Schedule):
        lasted = None if given.steps is None else np.diff([*given, given.steps]).astype(np.float64)
        rows = np.array([mixture.aligned(given.domains) for mixture in given.values()])
        return _Course("schedule", "step", given.domains, list(given), rows, lasted)
    if isinstance(given, Mapping):
        mixture = given if isinstance(given, Mixture) else Mixture(given)
        return _Course(
            str(mixture.source.get("method", "mixture")),
            "mixture",
            mixture.domains,
            [1],
            mixture.array[None],
            np.ones(1),
        )
    if isinstance(given, Sequence) and not isinstance(given, str) and given:
        rounds = [_answer(one) for one in given]
        domains = rounds[0].domains
        return _Course(
            f"{len(rounds)} rounds",
            "round",
            domains,
            range(1, len(rounds) + 1),
            np.array([mixture.aligned(domains) for mixture in rounds]),
            None,
        )
    raise InvalidArgument(
        name="rv.diagnose",
        value=given,
        expected="a mixture, a schedule, a run log or a list of them",
        got=f"{given!r:.60}{reading(given)}",
    )


def _answer(one: Any) -> Mixture:
    """The mixture that a round came to."""
    if isinstance(one, RunLog):
        return Mixture.normalized(
            zip(one.domains, _answered(_course(one)).weights[0].tolist(), strict=True)
        )
    if isinstance(one, Schedule):
        return one.mean()
    return one if isinstance(one, Mixture) else Mixture(one)


def _answered(seen: _Course) -> _Course:
    """What a run came to: the answer of its mixer, or else the mean of its weights."""
    said = None if seen.log is None else _said(seen.log, "result", (len(seen.domains),))
    answer = np.average(seen.weights, axis=0, weights=seen.counts) if said is None else said
    return _Course(seen.name, "mixture", seen.domains, [1], answer[None], np.ones(1))


def _said(log: RunLog, key: str, shape: tuple[int, ...]) -> Array | None:
    """A number of the log's meta, or one a domain; None where it says nothing."""
    value = log.meta.get(key)
    if value is None:
        return None
    found = numbers(value, f"meta[{key!r}] of the log {log.name!r}")
    if found.shape != shape:
        what = f"{shape[0]} numbers, one a domain" if shape else "one number"
        raise InvalidValue(
            name=f"meta[{key!r}] of the log {log.name!r}", value=value, expected=what
        )
    return found


def _mixer_of(seen: _Course) -> Any:
    """The class of the mixer that a log names, of ours; None for any other."""
    from reweightviz import mixers

    name = str(seen.log.meta.get("mixer")).partition("(")[0] if seen.log is not None else ""
    return getattr(mixers, name) if name in mixers.__all__ else None


def _scales_loss(seen: _Course) -> bool:
    """Whether the weights scaled the loss and drew nothing."""
    meta = seen.log.meta if seen.log is not None else {}
    return bool(meta.get("applies_to", getattr(_mixer_of(seen), "applies_to", "")) == "loss")


def _probes(seen: _Course) -> bool:
    """Whether a mixer trained on mixtures to see what they do, and not because it takes them for good."""
    update = getattr(_mixer_of(seen), "update", None)
    return update is not None and "probe_loss" in needs(update)


# ---- numbers


def _changes(
    domains: tuple[str, ...], at: Sequence[int], weights: Array, kind: str
) -> pd.DataFrame:
    before, after = weights[:-1], weights[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(after > 0, after * np.log(after / before), 0.0)
    change = np.abs(after - before)
    moved = [
        "",
        *(domains[k] if row[k] else "" for row, k in zip(change, change.argmax(1), strict=True)),
    ]
    return pd.DataFrame(
        {
            "effective": effective_domains(weights),
            "l1": [np.nan, *change.sum(1)],
            "kl": [np.nan, *terms.sum(1)],
            "moved": moved,
        },
        index=pd.Index(at, name=kind),
    )


def _rounds(seen: _Course) -> tuple[Sequence[int], Array]:
    """Where each round ends, and the mean of its weights."""
    if seen.log is None:
        return seen.at, seen.weights
    parts = np.array_split(np.arange(len(seen.weights)), min(ROUNDS, len(seen.weights)))
    means = np.array(
        [np.average(seen.weights[part], axis=0, weights=seen.counts[part]) for part in parts]
    )  # type: ignore[index]
    return [seen.at[part[-1]] for part in parts], means


def _drift(seen: _Course, means: Array) -> Array:
    """How far each weight (K,) of the last round is from that one of the rounds before that differs most: of three, of a run."""
    far = np.abs(means[-1] - means[-2 if seen.log is None else -1 - min(LATE, len(means) - 1) : -1])
    return np.asarray(far[far.sum(1).argmax()], np.float64)


def _drawn(seen: _Course, mean: Array) -> pd.DataFrame:
    """Columns drawn, absent, longest_gap and a_batch."""
    table = pd.DataFrame(
        np.nan,
        index=pd.Index(seen.domains, name="domain"),
        columns=["drawn", "absent", "longest_gap", "a_batch"],
    )
    if seen.log is None:
        return table
    tokens, loss = (seen.log.signals.get(name) for name in ("drawn_tokens", "loss"))
    if tokens is not None and np.nansum(tokens) > 0:
        table["drawn"] = np.nansum(tokens, 0) / np.nansum(tokens)
    there = tokens if tokens is not None else loss
    measured = np.isfinite(there).any(1) if there is not None else np.zeros(0, bool)
    if there is not None and measured.any():
        gone = (
            ~(np.nan_to_num(there[measured]) > 0)
            if tokens is not None
            else np.isnan(there[measured])
        )
        counts = steps_of(seen.log)[measured]
        batches = _said(seen.log, "absent", (len(seen.domains),))
        logged = (
            np.ones(gone.shape[1], bool) if tokens is not None else ~gone.all(0)
        )  # a loss that is never logged says nothing
        table["absent"] = np.where(logged, gone.mean(0), np.nan) if batches is None else batches
        table["longest_gap"] = np.where(
            logged, [_longest(gone[:, k], counts) for k in range(gone.shape[1])], np.nan
        )
    share = table["drawn"].to_numpy() if table["drawn"].notna().all() else mean
    batch = _said(seen.log, "batch", ())
    table["a_batch"] = share * (np.nan if batch is None else float(batch))
    return table


def _longest(gone: NDArray[np.bool_], counts: NDArray[np.int64]) -> int:
    """Steps of the longest run of lines without a domain."""
    longest = now = 0
    for absent, steps in zip(gone.tolist(), counts.tolist(), strict=True):
        now = now + steps if absent else 0
        longest = max(longest, now)
    return longest


def _sources(seen: _Course, given: Any) -> Sources | None:
    """What there is of every domain, as it was given or as the log says."""
    meta = seen.log.meta if seen.log is not None else {}
    there = Sources.of(given if given is not None else meta.get("sources"))
    absent = [domain for domain in seen.domains if there is not None and domain not in there]
    if there is not None and absent:
        raise WrongDomains(who="the sources", asked=there, other="the mixture", there=seen.domains)
    return there


def _epochs(table: pd.DataFrame, there: Sources | None, budget: float | None) -> Array:
    if there is None or budget is None:
        return np.full(len(table), np.nan)
    available = np.array([there[domain].tokens for domain in table.index])
    wanted = table["drawn"].fillna(table["mean"]).to_numpy() * budget
    return np.asarray(
        np.divide(wanted, available, out=np.where(wanted > 0, np.inf, 0.0), where=available > 0),
        np.float64,
    )


def _budget(seen: _Course) -> float | None:
    """Tokens that a log's run was trained on."""
    if seen.log is None:
        return None
    drawn = seen.log.signals.get("drawn_tokens")
    if drawn is not None and np.nansum(drawn) > 0:
        return float(np.nansum(drawn))
    known = seen.log.meta.get("tokens")
    return float(known) if isinstance(known, int | float) else None


# ---- what stands out


def _percent(part: float, digits: int = 0) -> str:
    return f"{100 * part:.{digits}f} %"


def _named(numbers: Mapping[str, float], form: str, most: int = 3) -> str:
    """The largest first: "'web' 9.5 times and 'code' 5.0 times"."""
    largest = sorted(numbers.items(), key=lambda pair: -pair[1])
    said = [f"{listed([name])} {form.format(number)}" for name, number in largest[:most]]
    said += [f"{len(largest) - most} more"] if len(largest) > most else []
    return " and ".join([", ".join(said[:-1]), said[-1]] if said[1:] else said)


def _moves(seen: _Course) -> bool:
    """Whether weights change in a log."""
    return seen.log is not None and not bool((seen.weights == seen.weights[0]).all())


def _mixed(seen: _Course) -> bool:
    """Whether a mixer was at work, as the log says: weights also change by hand, or by a plan."""
    named = str(seen.log.meta.get("mixer") or "") if seen.log is not None else ""
    return _moves(seen) and bool(named) and not named.startswith(("Mixture(", "Schedule("))


def _one_hot(seen: _Course) -> Iterator[str]:
    most = seen.weights.max(1)
    full = most >= ONE_HOT
    if len(seen.domains) == 1 or not full.any():
        return
    t = int(full.argmax() if _moves(seen) else most.argmax())
    who = listed([seen.domains[int(seen.weights[t].argmax())]])
    if not _moves(seen):
        where = f" at {seen.kind} {seen.at[t]}" if len(seen.at) > 1 else ""
        yield f"One-hot{where}: {who} has {_percent(most[t])} of the weight. Bound it, or pull towards a prior."
        return
    lines = "to the end" if full[t:].all() else f"at {int(full.sum())} of {len(full)} lines"
    helps = "Bound it, or pull towards a prior."
    if _mixed(seen):
        helps = (
            "A smaller step size (rv.sensitivity tries some), a reference trained on "
            "natural weights, shuffled data, and every "
            "domain in every batch help."
        )
    yield f"One-hot: a domain has more than {_percent(ONE_HOT)} of the weight, from step {seen.at[t]} {lines}, {who} first. {helps}"


def _unsettled(
    seen: _Course, rounds: pd.DataFrame, means: Array, settled: bool | None
) -> Iterator[str]:
    if settled is not False:
        return
    last = rounds.iloc[-1]
    part, more = "the last round", "Do another round."
    if seen.log is not None:
        part = "the last tenth of the run" if len(seen.weights) >= ROUNDS else "the last line"
        more = (
            "Train longer, lower the step size, or take the mean of the weights."
            if _mixed(seen)
            else "Where they do not change on purpose, take their mean."
        )
    if last["l1"] < SETTLED:
        drift, before = _drift(seen, means), min(LATE, len(means) - 1)
        yield (
            f"Not settled: {part} changed the weights little, but they drift, by "
            f"{drift.sum():.2g} in L1 over the {before} before it, "
            f"{listed([seen.domains[int(drift.argmax())]])} most; under {SETTLED:g} they "
            f"count as settled. {more}"
        )
        return
    yield (
        f"Not settled: {part} changed the weights by {last['l1']:.2g} in L1 (KL "
        f"{last['kl']:.2g}), {listed([last['moved']])} most; "
        f"under {SETTLED:g} they count as settled. {more}"
    )


def _absent(seen: _Course, table: pd.DataFrame) -> Iterator[str]:
    often = table[(table["absent"] > ABSENT) & (table["absent"] < 1)]
    if not often.empty:
        gaps = _named(dict(100 * often["absent"]), "({:.0f} %)")
        longest = often["longest_gap"].max()
        lines = (
            f"; the lines of the log lack one for up to {longest:.0f} steps" if longest > 0 else ""
        )
        hears = (
            "A mixer hears nothing of it there"
            if _mixed(seen)
            else "Its loss is not measured there"
        )
        yield (
            f"Absent from batches: {gaps}{lines}. {hears}: a larger batch, or at least "
            "one sequence of every domain in each, helps."
        )
    never = list(table.index[table["absent"] == 1])
    if never:
        yield f"Never trained: {listed(never)}. Leave such domains out, or give them a lowest weight."


def _off_plan(seen: _Course, table: pd.DataFrame) -> Iterator[str]:
    tokens = None if seen.log is None else seen.log.signals.get("drawn_tokens")
    if seen.log is None or tokens is None or _scales_loss(seen):
        return
    drawn = pd.Series(
        np.nansum(tokens[np.isfinite(shares_of(seen.log)).all(1)], axis=0), table.index
    )  # where weights are known
    off = drawn / drawn.sum() - table["mean"] if drawn.sum() > 0 else 0 * table["mean"]
    moved = float(off.abs().sum() / 2)
    if moved > OFF_PLAN:
        worst = str(off.abs().idxmax())
        in_order = np.sort(drawn / drawn.sum()) - np.sort(
            table["mean"]
        )  # as near as any order of the domains comes
        why = (
            "What was drawn is what the weights give to other domains: are the weights "
            "in the order of the domains?"
            if np.abs(in_order).sum() / 2 < moved / 4
            else "See whether a domain ran out, or whether the weights count documents, not tokens."
        )
        came, planned = (
            _percent(float(drawn[worst] / drawn.sum()), 1),
            _percent(float(table.loc[worst, "mean"]), 1),
        )
        yield (
            f"Off plan: {_percent(moved, 1)} of the tokens came from other domains than "
            f"the weights say, {listed([worst])} most "
            f"({came} drawn, {planned} planned). {why}"
        )


def _floor(seen: _Course) -> Iterator[str]:
    lowest = float(seen.weights.min())
    if not _moves(seen) or not 0 < lowest < FLOOR / len(seen.domains):
        return
    late = seen.weights[-max(len(seen.weights) // ROUNDS, 1) :]
    on_it = [
        name
        for name, low in zip(seen.domains, np.all(late < 1.05 * lowest, axis=0), strict=True)
        if low
    ]
    if len(on_it) > 1 or (
        on_it and np.ptp(late, axis=0).max() > lowest
    ):  # one that rests where all rest may have been sent there
        helps = (
            "The signal alone would send them lower: smooth more if they must be "
            "learned, or leave them out."
            if _mixed(seen)
            else "Give them more if they must be learned, or leave them out."
        )
        yield f"On the floor: {listed(on_it, 3)} ended at {100 * lowest:.2g} %, the lowest weight of the run. {helps}"


def _untold(seen: _Course, there: Sources | None, budget: float | None) -> Iterator[str]:
    """Why the epochs that were asked for are not known."""
    tokens = (
        "the log counts no tokens"
        if seen.log is not None
        else "nothing says how many tokens are trained on"
    )
    why = (
        "nothing says what there is of each domain; pass sources="
        if there is None
        else f"{tokens}; pass tokens="
        if budget is None
        else f"how long each {'stage' if seen.kind == 'step' else 'round'} lasts is not said"
    )
    yield f"Epochs are not known: {why}."


def _repeated(table: pd.DataFrame) -> Iterator[str]:
    over = table.loc[table["epochs"] > MOST_EPOCHS, "epochs"]
    if not over.empty:
        often = _named(dict(over), "{:.1f} times")
        yield f"Repeated more than {MOST_EPOCHS:g} times: {often}. Cap the epochs (max_epochs=), or find more text."
