"""The signal and the domain of each tag, guessed from all tags of a run, or given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from reweightviz.core.errors import ReweightvizError, UnknownName, list_names
from reweightviz.readers.logs._tags import (
    SIGNALS,
    domain_of,
    readings_of,
    scale_of,
    signal_of_pattern,
)

__all__ = ["EXTRAS", "SINGLE", "SURE", "Naming", "Pattern", "Place"]


Pattern: TypeAlias = str | Mapping[str, str | Sequence[str]]
"""Where the domain stands in a tag, as in "train/{domain}/loss"; or such patterns by signal."""

SURE = ("weights", "loss", "held_out_loss")
"""Signals whose tags name the domains; other signals' tags are by domain only beside these."""
SINGLE = ("eval_{domain}_loss", "eval/{domain}_loss", "lm loss validation-{domain}")
"""Tags by evaluation set, of transformers' Trainer and of Megatron-LM; one such tag is enough."""
EXTRAS = ("step", "time", "tokens", "domains")
"""Names that a given pattern may have beside the signals."""


class Place(NamedTuple):
    """The place of a tag's values.

    ``scale`` is "" where they stay as they are, "log" for perplexities, "difference" for running
    totals.
    """

    signal: str
    domain: str
    scale: str = ""


class Naming:
    """Tags to their places.

    Args:
        pattern: "train/{domain}/loss"; or signal to such a pattern, or to several, as in
            ``{"loss": "loss/{domain}", "weights": "mix/{domain}"}``. Whatever else a tag is goes
            to the scalars. None guesses.

    Example:
        >>> naming = Naming()
        >>> naming.learn(["train/loss_web", "train/loss_code", "train/lr", "mix/web", "mix/code"])
        >>> naming.place("train/loss_code"), naming.place("train/lr")
        (Place(signal='loss', domain='code', scale=''), None)
        >>> naming.patterns
        {'loss': ['train/loss_{domain}'], 'weights': ['mix/{domain}']}
    """

    def __init__(self, pattern: Pattern | None = None) -> None:
        self.extras: dict[str, str | Sequence[str]] = {}
        self.patterns: dict[str, list[str]] = {}
        self._places: dict[str, Place | None] = {}
        for signal, patterns in _check_pattern(pattern).items():
            if signal in EXTRAS:
                self.extras[signal] = patterns
            else:
                self.patterns[signal] = [patterns] if isinstance(patterns, str) else list(patterns)
        self.is_given = bool(self.patterns)

    @property
    def domains(self) -> tuple[str, ...]:
        """Names (K,) in the order of their tags."""
        return tuple(dict.fromkeys(place.domain for place in self._places.values() if place))

    @property
    def tags(self) -> tuple[str, ...]:
        """All tags so far."""
        return tuple(self._places)

    def place(self, tag: str) -> Place | None:
        """Return the place of a tag that was learnt; None for a scalar of the whole run."""
        return self._places[tag]

    def learn(self, tags: Iterable[str]) -> None:
        """Find the places of the tags that are new."""
        new = [tag for tag in tags if tag not in self._places]
        if not new:
            return
        self._places |= dict.fromkeys(new)
        if not self.is_given:
            self._guess()
            return
        for signal, patterns in self.patterns.items():
            for pattern in patterns:
                domains = {tag: domain_of(tag, pattern) for tag in new}
                found = {tag: domain for tag, domain in domains.items() if domain}
                self._assign(signal, pattern, found)

    def notes(self) -> list[str]:
        """Return a sentence a signal on how the tags are read; nothing where that was given."""
        if self.is_given:
            return []
        return [
            f"{signal} is read from {list_names(patterns)}, as the names of the tags suggest; "
            "pattern= reads them otherwise."
            for signal, patterns in self.patterns.items()
        ]

    def _assign(self, signal: str, pattern: str, domains: Mapping[str, str]) -> bool:
        """Place tags whose place and whose domain's signal are free; return whether any was."""
        taken = {
            place.domain for place in self._places.values() if place and place.signal == signal
        }
        is_new = False
        for tag, domain in domains.items():
            # The first pattern wins: a run may log one signal under two names.
            if self._places[tag] is None and domain not in taken:
                self._places[tag] = Place(signal, domain, scale_of(signal, pattern))
                taken.add(domain)
                is_new = True
        return is_new

    def _guess(self) -> None:
        """Place the tags that have a pattern in common."""
        groups: dict[tuple[str, str], dict[str, str]] = {}
        for tag in self._places:
            for signal, pattern, domain in readings_of(tag):
                groups.setdefault((signal, pattern), {})[tag] = domain
        sure: set[str] = set()
        for (signal, _), domains in groups.items():
            if signal in SURE and len(domains) > 1:
                sure.update(domains.values())
        # Of two patterns for one signal the one with more domains comes first, and a value at each
        # step before its mean over an epoch.
        for (signal, pattern), domains in sorted(
            groups.items(),
            key=lambda group: (group[0][0] not in SURE, "epoch" in group[0][1], -len(group[1])),
        ):
            if not _is_convincing(signal, pattern, set(domains.values()), sure):
                continue
            if self._assign(signal, pattern, domains):
                patterns = self.patterns.setdefault(signal, [])
                if pattern not in patterns:
                    patterns.append(pattern)


def _is_convincing(signal: str, pattern: str, domains: set[str], sure: set[str]) -> bool:
    """Return whether the tags of a pattern are by domain: several of them, or known ones."""
    if domains <= sure or pattern in SINGLE:
        return True
    return len(domains) > 1 and (signal in SURE or not domains.isdisjoint(sure))


def _check_pattern(pattern: Pattern | None) -> Mapping[str, str | Sequence[str]]:
    """Return signal to patterns.

    Raises:
        ReweightvizError: a signal that no run has, or a pattern without one ``{domain}``.
    """
    if isinstance(pattern, str):
        pattern = {signal_of_pattern(pattern) or "loss": pattern}
    for signal, patterns in (pattern or {}).items():
        if signal in EXTRAS:
            continue
        if signal not in SIGNALS:
            raise UnknownName(
                kind="signal that a pattern could name,", name=signal, known=(*SIGNALS, *EXTRAS)
            )
        for text in [patterns] if isinstance(patterns, str) else patterns:
            if text.count("{domain}") != 1:
                raise ReweightvizError(
                    "a pattern names the place of the domain once, as in "
                    f"'train/{{domain}}/loss'; got {text!r}."
                )
    return pattern or {}
