"""Which tag of a logger is which signal of which domain: guessed from the tags, shown, or given.

Loggers know names and numbers, not domains: ``train/loss_code``, ``eval_code_loss``,
``domain_weights/code``. A tag is read as words that are known (loss, weight, eval, ...) around one
part that is not, the domain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from reweightviz.core.errors import ReweightvizError, UnknownName, listed
from reweightviz.core.types import LOG_SIGNALS

Pattern: TypeAlias = str | Mapping[str, str | Sequence[str]]


class Place(NamedTuple):
    """Where the values of a tag go. ``scale``: "" as they are, "log" for perplexities, "difference" for running totals."""

    signal: str
    domain: str
    scale: str = ""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ROLES = {
    "loss": _set("loss losses nll xent"),
    "perplexity": _set("ppl perplexity perplexities"),
    "weights": _set(
        "weight weights proportion proportions prob probs probability probabilities "
        "ratio ratios share shares mix mixture "
        "mixing"
    ),
    "drawn_tokens": _set("tokens"),
    "gradient_norm": _set("gradnorm"),
}
LOSSES = ("loss", "perplexity")
HELD_OUT = _set("eval evaluation val valid validation test dev heldout")
KINDS = {
    "reference": "reference_loss",
    "ref": "reference_loss",
    "excess": "excess_loss",
    "probe": "probe_loss",
}
TOTALS = _set("seen consumed cumulative total trained")
ROLE_OF = {word: role for role, words in ROLES.items() for word in words}
TAILS = _set("mean avg average step epoch value")
"""Words that are no part of a domain behind it either."""
FILLERS = TAILS | _set(
    "train training domain domains per by lm data dataset datasets sampling sampler "
    "metric metrics task current batch "
    "drawn out gradient grad norm cross entropy ce"
)
KNOWN = FILLERS | HELD_OUT | TOTALS | KINDS.keys() | ROLE_OF.keys()
NO_DOMAINS = KNOWN | _set(
    "scale decay mask aux auxiliary z kl moe mtp router balance balancing load sum min "
    "max all overall ema smoothed mlm main std var "
    "second rate time samples policy critic actor reward contrastive distill "
    "distillation reg l1 l2 acc accuracy best final running last "
    "global local clip dpo sft ppo chosen rejected margin runtime steps lr"
)
"""Parts of other losses and settings, which a run has beside its domains."""
TOKENS = _set(
    "tokens num_tokens total_tokens tokens_seen consumed_tokens num_input_tokens_seen "
    "total_tokens_seen"
)
"""Tags, without what stands before the last slash, that count the tokens of the whole run."""
SURE = ("weights", "loss", "held_out_loss")
"""Signals whose tags tell the domains; another signal's tag speaks of a domain only if one of these does."""
SINGLE = ("eval_{domain}_loss", "eval/{domain}_loss", "lm loss validation-{domain}")
"""The Trainer of transformers and Megatron-LM write so of several evaluation sets, one after the other: one such tag is enough."""
EXTRAS = ("step", "time", "tokens", "domains")
"""What a given pattern may name beside the signals."""


class Naming:
    """Tags to their places.

    Args:
        pattern: "train/{domain}/loss"; or signal to such a pattern, or to several, as in
            ``{"loss": "loss/{domain}", "weights": "mix/{domain}"}``. Whatever else a tag is goes
            to the scalars. None guesses.

    Example:
        >>> naming = Naming()
        >>> naming.learn(["train/loss_web", "train/loss_code", "train/lr", "mix/web", "mix/code"])
        >>> naming.place("train/loss_code"), naming.place("train/lr"), naming.patterns
        (Place(signal='loss', domain='code', scale=''), None, {'loss': ['train/loss_{domain}'], 'weights': ['mix/{domain}']})
    """

    def __init__(self, pattern: Pattern | None = None) -> None:
        self.extras: dict[str, str | Sequence[str]] = {}
        self.patterns: dict[str, list[str]] = {}
        self._places: dict[str, Place | None] = {}
        for signal, patterns in _given(pattern).items():
            if signal in EXTRAS:
                self.extras[signal] = patterns
            else:
                self.patterns[signal] = [patterns] if isinstance(patterns, str) else list(patterns)
        self.given = bool(self.patterns)

    @property
    def domains(self) -> tuple[str, ...]:
        """Names (K,) in the order of their tags."""
        return tuple(dict.fromkeys(place.domain for place in self._places.values() if place))

    @property
    def tags(self) -> tuple[str, ...]:
        """All that were met."""
        return tuple(self._places)

    def place(self, tag: str) -> Place | None:
        """Where a tag that was learnt goes; None for a scalar of the whole run."""
        return self._places[tag]

    def learn(self, tags: Iterable[str]) -> None:
        """Find the places of the tags that are new."""
        new = [tag for tag in tags if tag not in self._places]
        self._places |= dict.fromkeys(new)
        if new and self.given:
            for signal, patterns in self.patterns.items():
                for pattern in patterns:
                    self._assign(
                        signal,
                        pattern,
                        {tag: domain for tag in new if (domain := _domain(pattern, tag))},
                    )
        elif new:
            self._guess()

    def notes(self) -> list[str]:
        """How the tags are read, a sentence a signal; nothing where that was given."""
        read = {} if self.given else self.patterns
        return [
            f"{signal} is read from {listed(patterns)}, as the names of the tags suggest; "
            "pattern= says otherwise."
            for signal, patterns in read.items()
        ]

    def _assign(self, signal: str, pattern: str, domains: Mapping[str, str]) -> None:
        """Place the tags, where neither the tag nor the domain's signal has its place already."""
        taken = {
            place.domain for place in self._places.values() if place and place.signal == signal
        }
        for tag, domain in domains.items():
            if self._places[tag] is None and domain not in taken:
                self._places[tag] = Place(signal, domain, _scale(signal, pattern))
                taken.add(domain)

    def _guess(self) -> None:
        """Place the tags that have a pattern in common; of two for one signal the one with more domains comes first."""
        groups: dict[tuple[str, str], dict[str, str]] = {}
        for tag in self._places:
            for signal, pattern, domain in _readings(tag):
                groups.setdefault((signal, pattern), {})[tag] = domain
        sure = {
            domain
            for (signal, _), names in groups.items()
            if signal in SURE and len(names) > 1
            for domain in names.values()
        }
        order = sorted(
            groups.items(),
            key=lambda group: (group[0][0] not in SURE, "epoch" in group[0][1], -len(group[1])),
        )
        for (signal, pattern), names in order:
            found = set(names.values())
            if (
                found <= sure
                or (signal in SURE and len(found) > 1)
                or (len(found) > 1 and found & sure)
                or pattern in SINGLE
            ):
                before = sum(map(bool, self._places.values()))
                self._assign(signal, pattern, names)
                patterns = self.patterns.setdefault(signal, [])
                if sum(map(bool, self._places.values())) > before and pattern not in patterns:
                    patterns.append(pattern)
                if not patterns:
                    del self.patterns[signal]


def _given(pattern: Pattern | None) -> Mapping[str, str | Sequence[str]]:
    """Signal to patterns, checked."""
    if isinstance(pattern, str):
        words = _words(pattern.replace("{domain}", " "))
        pattern = {_signal(words) or "loss": pattern}
    for signal, patterns in (pattern or {}).items():
        if signal not in (*LOG_SIGNALS, "weights", *EXTRAS):
            raise UnknownName(
                kind="signal that a pattern could name,",
                name=signal,
                known=(*LOG_SIGNALS, "weights", *EXTRAS),
            )
        for text in [patterns] if isinstance(patterns, str) else patterns:
            if signal not in EXTRAS and text.count("{domain}") != 1:
                raise ReweightvizError(
                    "a pattern names the place of the domain once, as in "
                    f"'train/{{domain}}/loss'; got {text!r}."
                )
    return pattern or {}


def _readings(tag: str) -> Iterable[tuple[str, str, str]]:
    """Signal, pattern and domain of a tag that speaks of a domain: whole, or without what stands before a slash."""
    for start in (0, *(match.end() for match in re.finditer(r"/| - ", tag))):
        head, domain, tail = _parted(tag[start:])
        signal = _signal(_words(f"{head} {tail}"))
        if (
            signal
            and domain
            and domain.lower() not in NO_DOMAINS
            and not any(ROLE_OF.get(word) in LOSSES for word in _words(domain))
        ):
            yield signal, f"{tag[:start]}{head}{{domain}}{tail}", domain
            return


def _parted(tag: str) -> tuple[str, str, str]:
    """What stands before the domain, the domain, and what stands behind it.

    >>> _parted("loss/pile-cc"), _parted("eval_web_mix_loss"), _parted("loss[code]")
    (('loss/', 'pile-cc', ''), ('eval_', 'web_mix', '_loss'), ('loss[', 'code', ']'))
    """
    split = "/" if "/" in tag else r"[.:]"
    parts = [
        (match.start(), match.end()) for match in re.finditer(rf"[^{split.strip('[]')}]+", tag)
    ]
    unknown = [(start, end) for start, end in parts if not set(_words(tag[start:end])) <= KNOWN]
    if len(unknown) == 1 and len(parts) > 1:
        start, end = unknown[0]
        if _signal(_words(f"{tag[:start]} {tag[end:]}")):
            return tag[:start], tag[start:end], tag[end:]
    return _stripped(tag)


def _stripped(tag: str) -> tuple[str, str, str]:
    """The same, by the known words at both ends."""
    words = [
        (match.start(), match.end(), match.group().lower())
        for match in re.finditer(r"[A-Za-z0-9]+", tag)
    ]
    first, last = 0, len(words)
    while first < last and words[first][2] in KNOWN:
        first += 1
    # A signal that is named already leaves other such words to the domain: loss_web_mix is web_mix.
    named = _signal([word for _, _, word in words[:first]])
    while first < last and words[last - 1][2] in (TAILS if named else KNOWN):
        role = ROLE_OF.get(words[last - 1][2])
        if role and any(word in ROLE_OF for _, _, word in words[last:]):
            break
        last -= 1
    if first == last:
        return tag, "", ""
    start, end = words[first][0], words[last - 1][1]
    return tag[:start], tag[start:end], tag[end:]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _signal(words: Sequence[str]) -> str | None:
    """What the words speak of.

    >>> _signal(["eval", "loss"]), _signal(["train", "grad", "norm"]), _signal(["train", "lr"])
    ('held_out_loss', 'gradient_norm', None)
    """
    roles = [ROLE_OF[word] for word in words if word in ROLE_OF]
    if not roles:
        return "gradient_norm" if "norm" in words and {"grad", "gradient"} & set(words) else None
    role = next((role for role in roles if role in LOSSES), roles[0])
    if role not in LOSSES:
        return role
    kind = next((KINDS[word] for word in words if word in KINDS), None)
    held_out = HELD_OUT & set(words) or {"held", "out"} <= set(words)
    return kind or ("held_out_loss" if held_out else "loss")


def _scale(signal: str, pattern: str) -> str:
    words = _words(pattern.replace("{domain}", " "))
    if signal.endswith("loss") and any(ROLE_OF.get(word) == "perplexity" for word in words):
        return "log"
    return "difference" if signal == "drawn_tokens" and TOTALS & set(words) else ""


def _domain(pattern: str, tag: str) -> str | None:
    """The domain of a tag that is like the pattern."""
    head, _, tail = pattern.partition("{domain}")
    fits = len(tag) > len(head) + len(tail) and tag.startswith(head) and tag.endswith(tail)
    return tag[len(head) : len(tag) - len(tail)] if fits else None
