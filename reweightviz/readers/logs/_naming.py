"""The signal and the domain of each tag, guessed from all tags of a run, or given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from reweightviz.core.errors import ReweightvizError, UnknownName, list_names
from reweightviz.readers.logs._tags import (
    SIGNALS,
    Reading,
    domain_of,
    is_plausible,
    reading_of,
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


Groups: TypeAlias = dict[tuple[str, str], dict[str, str]]
"""Signal and pattern to the domain of each tag like it."""


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
        self._readings: dict[str, Reading] = {}
        self._told: set[str] = set()  # domains that a column names
        self._left_out: dict[str, tuple[str, str]] = {}
        self._listed: set[str] = set()
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
            readings = {tag: reading_of(tag) for tag in new}
            self._readings |= {tag: reading for tag, reading in readings.items() if reading}
            self._guess()
            return
        for signal, patterns in self.patterns.items():
            for pattern in patterns:
                domains = {tag: domain_of(tag, pattern) for tag in new}
                found = {tag: domain for tag, domain in domains.items() if domain}
                self._assign(signal, pattern, found)

    def tell(self, tag: str, pattern: str, domain: str) -> None:
        """Place a tag whose domain is known from elsewhere, if its pattern names a signal."""
        signal = signal_of_pattern(pattern)
        if self.is_given or tag in self._places or signal is None:
            return
        self._told.add(domain)
        self._places[tag] = None
        if self._assign(signal, pattern, {tag: domain}):
            self._add_pattern(signal, pattern)

    def notes(self) -> list[str]:
        """Return a sentence a signal on how the tags are read, and one on what is left out.

        Nothing where the pattern was given. What is left out is listed once.
        """
        if self.is_given:
            return []
        sentences = [
            f"{signal} is read from {list_names(patterns)}, as the names of the tags suggest; "
            "pattern= reads them otherwise."
            for signal, patterns in self.patterns.items()
        ]
        for signal, pattern in dict.fromkeys(self._left_out.values()):
            tags = [tag for tag, key in self._left_out.items() if key == (signal, pattern)]
            verb = "is" if len(tags) == 1 else "are"
            sentences.append(
                f"{list_names(tags, 40)} {verb} like {pattern!r} and taken for no domain; "
                f"pattern={{{signal!r}: {pattern!r}}} takes all that is like it."
            )
        self._listed |= self._left_out.keys()
        self._left_out = {}
        return sentences

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
        """Place the tags that have a pattern in common, then every tag that is like one found."""
        groups = _merge_nested(_group(self._readings))
        sure = set(self._told)
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
                self._add_pattern(signal, pattern)
        self._sweep()

    def _sweep(self) -> None:
        """Place what is like a pattern that was found, or keep it for the list of what is not."""
        found = [
            (signal, pattern) for signal, patterns in self.patterns.items() for pattern in patterns
        ]
        # The longest first: loss/eval/{domain} before loss/{domain}.
        found.sort(key=lambda each: -len(each[1]))
        placed = {place[:2] for place in self._places.values() if place}
        rest = [tag for tag, place in self._places.items() if place is None]
        for signal, pattern in found:
            like = {tag: domain for tag in rest if (domain := domain_of(tag, pattern))}
            sound = {tag: domain for tag, domain in like.items() if is_plausible(domain)}
            for tag in sound.keys() & self._readings.keys():
                # Another name of what is placed already; or one that begins with its domain, where
                # anything may stand, a path too.
                if self._readings[tag][::2] in placed or pattern.startswith("{domain}"):
                    del sound[tag]
            self._assign(signal, pattern, sound)
            for tag in like:
                if self._places[tag] is None and tag not in self._listed:
                    self._left_out.setdefault(tag, (signal, pattern))
            rest = [tag for tag in rest if tag not in like]

    def _add_pattern(self, signal: str, pattern: str) -> None:
        patterns = self.patterns.setdefault(signal, [])
        if pattern not in patterns:
            patterns.append(pattern)


def _group(readings: Mapping[str, Reading]) -> Groups:
    """Return tag to domain for each signal and pattern."""
    groups: Groups = {}
    for tag, reading in readings.items():
        groups.setdefault((reading.signal, reading.pattern), {})[tag] = reading.domain
    return groups


def _merge_nested(groups: Groups) -> Groups:
    """Move the tags of a pattern into a wider one of the same signal that names other domains.

    Beside ``loss/web`` and ``loss/code``, ``loss/train_a`` is the domain ``train_a``, not the loss
    in training of ``a``.
    """
    merged = {key: dict(domains) for key, domains in groups.items()}
    wide = [
        (signal, pattern, set(domains.values()))
        for (signal, pattern), domains in groups.items()
        if len(domains) > 1 and not pattern.startswith("{domain}")
    ]
    for key, domains in groups.items():
        for signal, pattern, others in wide:
            is_other = (signal, pattern) != key and (signal, pattern) in merged
            if signal != key[0] or not is_other or not others.isdisjoint(domains.values()):
                continue
            wider = {tag: domain_of(tag, pattern) or "" for tag in domains}
            if all(map(is_plausible, wider.values())):
                del merged[key]
                merged[signal, pattern] |= wider
                break
    return merged


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
