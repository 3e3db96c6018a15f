"""Mix: the domain weights of a mixer, from signals or from the log of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reweightviz.core.errors import (
    InvalidArgument,
    ReweightvizError,
    UnmetNeed,
    WrongDomains,
    list_names,
)
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import Mixer, check_method, check_options, needs, supply
from reweightviz.core.runlog import RunLog
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Source, Sources
from reweightviz.core.token_counts import parse_count
from reweightviz.core.types import SIGNALS, Array
from reweightviz.diagnostics.mixer_start import start_mixer
from reweightviz.diagnostics.replay import replay
from reweightviz.numerics.simplex import numbers

__all__ = ["EXAMPLE", "mix"]


EXAMPLE = "{'tokens': {'web': 1e12, 'code': 3e11}}"


def mix(
    signals: Mapping[str, Mapping[str, Any]] | RunLog, mixer: Mixer, **others: Any
) -> Mixture | Schedule:
    """Let a mixer weigh the domains.

    Args:
        signals: signal to domain to a number (or, for an online mixer, to its values step by step,
            as many of each), tokens and documents also as "1.2T"; or a run log, of which the
            answer is that of ``rv.replay(log, mixer, **others)``: a line stands for the steps
            since the line before.
        mixer: one of ``rv.mixers``.
        **others: what the mixer names that is not one number a domain, such as ``law=`` of
            MetaRater, ``target_head=`` of ActiveMultiTask or ``lengths=`` of MixMinWeights.

    Returns:
        A Mixture; of a mixer whose weights change by the step whatever happens (Cooldown,
        TwoPhase), a Schedule.

    Example:
        >>> from reweightviz.mixers import Natural
        >>> mix({"tokens": {"web": 3e11, "code": 1e11}}, Natural())["code"]
        0.25
    """
    check_method(mixer, Mixer, "rv.mix", "rv.mixers.Natural()")
    if isinstance(signals, RunLog):
        return _mix_log(signals, mixer, others)
    domains, arrays = _arrays(signals)
    known = {*SIGNALS, *needs(mixer.init), *needs(getattr(mixer, "update", mixer.init))}
    check_options(mix, [*arrays, *others], known, "signal")
    law_domains = tuple(getattr(others.get("law"), "domains", domains))
    if law_domains != domains:
        raise WrongDomains(
            who="the signals",
            asked=domains,
            other="the law",
            there=law_domains,
            hint="name them in the order of the law",
        )
    available = arrays | others
    available.setdefault("prior", np.full(len(domains), 1 / len(domains)))
    who = type(mixer).__name__
    state = mixer.init(**supply(who, mixer.init, available))
    if hasattr(mixer, "stages"):
        return _schedule(domains, mixer, state)
    update = getattr(mixer, "update", None)
    if update is not None:
        state = _run_updates(who, update, state, supply(who, update, available))
    return _mixture(domains, mixer, mixer.result(state))


def _mix_log(log: RunLog, mixer: Any, others: Mapping[str, Any]) -> Mixture | Schedule:
    if hasattr(mixer, "stages"):
        return _schedule(log.domains, mixer, start_mixer(log, mixer, **others))
    replayed = replay(log, mixer, **others)
    return _mixture(log.domains, mixer, replayed.meta["result"])


def _run_updates(
    who: str, update: Callable[..., Any], state: Any, signals: Mapping[str, ArrayLike]
) -> Any:
    """Return the state after every step of the signals, (T, K) each, or (K,) of one step."""
    steps = {name: np.atleast_2d(values) for name, values in signals.items()}
    lengths = {name: len(values) for name, values in steps.items()}
    if len(set(lengths.values())) > 1:
        came = ", ".join(f"{name!r} {length}" for name, length in lengths.items())
        raise ReweightvizError(
            f"{who} reads its signals step by step, as many steps of each; these have {came}."
        )
    for name, values in steps.items():
        if not np.isfinite(values).any():
            raise ReweightvizError(
                f"{who} learns from {name!r}, which is nowhere a finite number here."
            )
    for t in range(max(lengths.values(), default=0)):
        state = update(state, **{name: values[t] for name, values in steps.items()})
    return state


def _mixture(domains: tuple[str, ...], mixer: Mixer, weights: ArrayLike) -> Mixture:
    shares = np.asarray(weights, np.float64).tolist()
    return Mixture(zip(domains, shares, strict=True), source=_source(mixer))


def _schedule(domains: tuple[str, ...], mixer: Any, state: Any) -> Schedule:
    table = {
        step: dict(zip(domains, weights.tolist(), strict=True))
        for step, weights in mixer.stages(state).items()
    }
    return Schedule(table, steps=getattr(mixer, "steps", None), source=_source(mixer))


def _source(mixer: Any) -> dict[str, str]:
    return {"method": type(mixer).__name__, "parameters": repr(mixer)}


def _arrays(signals: Any) -> tuple[tuple[str, ...], dict[str, Array]]:
    """Return the domains (K,), in the order of the first signal, and each signal (K,) or (T, K)."""
    if isinstance(signals, Sources):
        return signals.domains, {"tokens": signals.tokens}
    _check_tables(signals)
    domains = tuple(next(iter(signals.values())))
    arrays = {}
    for name, table in signals.items():
        if set(table) != set(domains):
            raise WrongDomains(
                who=f"signal {name!r}", asked=table, other="the other signals", there=domains
            )
        rows = numbers([_value(name, table[domain]) for domain in domains], f"signal {name!r}")
        # A row of the skills graph is a domain; of all other signals it is a step.
        arrays[name] = rows if name == "graph" else rows.T
    return domains, arrays


def _check_tables(signals: Any) -> None:
    """Refuse what is not signal to domain to number."""
    if not isinstance(signals, Mapping):
        raise _wrong_signals(signals, f"{signals!r:.60}")
    if not signals:
        expected = f"at least one signal, such as {EXAMPLE}"
        raise UnmetNeed(name="rv.mix", value=None, expected=expected, got="none")
    for table in signals.values():
        if not isinstance(table, Mapping) or not table:
            raise _wrong_signals(signals, f"numbers, or no domains, for {list_names(signals)}")


def _wrong_signals(signals: Any, came: str) -> InvalidArgument:
    expected = f"signal to domain to number, such as {EXAMPLE}, or a run log"
    return InvalidArgument(name="rv.mix", value=signals, expected=expected, got=came)


def _value(name: str, value: Any) -> Any:
    """Return a signal as numbers; tokens and documents may be written as people write them."""
    if isinstance(value, Source):
        return value.tokens
    if isinstance(value, str | bool) and name in ("tokens", "documents"):
        return parse_count(value, name)
    return value
