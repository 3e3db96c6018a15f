"""Replay: what another mixer would have weighed on the log of a run that is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reweightviz.core.errors import InvalidArgument
from reweightviz.core.protocols import Mixer, check_method
from reweightviz.core.runlog import RunLog
from reweightviz.core.sources import Sources
from reweightviz.diagnostics.course import suggest_reading
from reweightviz.diagnostics.log_feed import LogFeed, read_lines
from reweightviz.diagnostics.mixer_start import start_mixer

__all__ = ["KEPT_META", "NOTE", "check_replayed", "replay"]


NOTE = (
    "weights only: under these weights the run would have reached other losses, and the mixer "
    "would have been told those"
)
# Facts of the run and its data; the rest of the meta is of the mixer that trained.
KEPT_META = ("seed", "steps", "batch", "context", "tokens", "corpus_digest", "sources", "graph")


def replay(
    log: RunLog,
    mixer: Mixer,
    *,
    sources: Sources | Mapping[str, Any] | None = None,
    name: str | None = None,
    **given: Any,
) -> RunLog:
    """Weigh the domains as a mixer would have, had it been fed the log of a finished run.

    Weights only. A replay never invents losses: under other weights the run would have reached
    others, so read it as what the method makes of these signals, not as what a training with it
    would have done.

    A line of the log stands for the steps since the line before, so the mixer is fed it that many
    times, ``drawn_tokens`` shared out among them; before the first line there were no more steps
    than between the first two. Weights at a line are those of its step, as the reference trainer
    logs them: with a line a step, what the mixer would train with before it is fed that line, and
    replaying the log's own mixer gives its own weights exactly. A line that lacks what the mixer
    needs at every step passes by; the next one stands for its steps too. A costly signal is fed
    at the steps that the mixer names, and a mixer that remembers what was trained (it has
    ``trained_on``) remembers the log's weights.

    Args:
        log: the run; it stays as it is.
        mixer: one of ``rv.mixers``, with its hyperparameters.
        sources: tokens and documents available in each domain, for mixers that need them;
            ``log.meta["sources"]`` when not given.
        name: of the replay; "odm on doremi" when not given.
        **given: what else the mixer's start needs, such as ``tokens=``, ``prior=`` (uniform
            when not given) or ``graph=`` (``log.meta["graph"]`` when not given): by domain, or in
            the order of the log's domains.

    Returns:
        A RunLog without signals: steps and domains of ``log``, the weights (T, K), and in ``meta``
        the mixer's ``result`` and what was replayed on what.

    Raises:
        ReweightvizError: names the signal that the log lacks, or that is NaN throughout or at
            every step where the mixer needs it; or the step at which the mixer would try a
            mixture (a probe) that the run did not train on.

    Example:
        >>> from reweightviz.mixers import DoReMi
        >>> signals = {"excess_loss": [[0.5, 0.0, 0.1], [0.4, 0.0, 0.1]]}
        >>> log = RunLog(("web", "code", "math"), [1, 2], [[0.6, 0.2, 0.2]] * 2, signals, "mine")
        >>> replayed = replay(log, DoReMi())
        >>> replayed.name, replayed.weights.round(3).tolist()
        ('doremi on mine', [[0.333, 0.333, 0.333], [0.439, 0.266, 0.294]])
    """
    check_replayed("rv.replay", log, mixer)
    who = type(mixer).__name__
    feed = LogFeed(mixer, log, read_lines(mixer, log))
    state = start_mixer(log, mixer, sources=sources, **given)
    weights = np.empty((len(log), len(log.domains)))
    # At a line a trainer logs the weights that its step was drawn by, then updates the mixer: they
    # are read before the last update of the line.
    for t, line in enumerate(feed.lines):
        for _ in range(line.steps - 1):
            state = feed.update(state, t)
        weights[t] = mixer.weights(state)
        if line.steps:
            state = feed.update(state, t)
    feed.check()
    meta = {key: log.meta[key] for key in KEPT_META if key in log.meta} | {
        "mixer": repr(mixer),
        "result": np.asarray(mixer.result(state), np.float64).tolist(),
        "applies_to": mixer.applies_to,
        "replayed": {
            "log": log.name,
            "trained_with": log.meta.get("mixer"),
            "read": feed.signals,
            "note": NOTE,
        },
    }
    return RunLog(
        log.domains,
        log.steps,
        weights,
        {},
        name or f"{who.lower()} on {log.name}",
        meta,
        times=log.times,
        tokens=log.tokens,
    )


def check_replayed(verb: str, log: Any, mixer: Any) -> None:
    """Refuse what is no run log, or no mixer with its parameters."""
    if not isinstance(log, RunLog):
        raise InvalidArgument(
            name=verb,
            value=log,
            expected="a run log, as rv.read_log returns one",
            got=f"{log!r:.60}{suggest_reading(log)}",
        )
    check_method(mixer, Mixer, verb, "rv.mixers.ODM()", "a mixer with its parameters")
