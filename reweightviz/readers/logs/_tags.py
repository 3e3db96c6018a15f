"""The words of a logger's tag: a signal, and around or between its words the name of a domain.

Loggers know names and numbers, not domains: ``train/loss_code``, ``eval_code_loss``,
``domain_weights/code``. A tag is read as words that are known (loss, weight, eval, ...) around one
part that is not, the domain. That is all that stands between them, whatever its letters: ``c++``,
``web (2023)``, ``github/a.b``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from reweightviz.core.types import LOG_SIGNALS

__all__ = [
    "FILLERS",
    "HELD_OUT",
    "KINDS",
    "KNOWN",
    "LOSSES",
    "NO_DOMAINS",
    "ROLES",
    "ROLE_OF",
    "RUN_TOKENS",
    "SIGNALS",
    "TAILS",
    "TOTALS",
    "Parts",
    "Reading",
    "domain_of",
    "is_plausible",
    "reading_of",
    "scale_of",
    "signal_of",
    "signal_of_pattern",
    "split_tag",
    "words_of",
]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ROLES = {
    # The long ones are as Composer and OLMo write them.
    "loss": _set("loss losses nll xent crossentropy crossentropyloss languagecrossentropy"),
    "perplexity": _set("ppl perplexity perplexities languageperplexity"),
    "weights": _set(
        "weight weights proportion proportions prob probs probability probabilities "
        "ratio ratios share shares mix mixture mixing"
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
    "metric metrics task current batch drawn out gradient grad norm cross entropy ce"
)
KNOWN = FILLERS | HELD_OUT | TOTALS | KINDS.keys() | ROLE_OF.keys()
NO_DOMAINS = KNOWN | _set(
    "scale decay mask aux auxiliary z kl moe mtp router balance balancing load sum min "
    "max all overall ema smoothed mlm main std var second rate time samples policy critic actor "
    "reward contrastive distill distillation reg l1 l2 acc accuracy best final running last "
    "global local clip dpo sft ppo chosen rejected margin runtime steps lr"
)
"""Parts of other losses and settings, which a run has beside its domains."""
RUN_TOKENS = _set(
    "tokens num_tokens total_tokens tokens_seen consumed_tokens num_input_tokens_seen "
    "total_tokens_seen"
)
"""Tags, without what stands before the last slash, that count the tokens of the whole run."""
SIGNALS = (*LOG_SIGNALS, "weights")

_WORD = re.compile(r"[^\s/_.:|,;=@<>()\[\]{}-]+")
_BEFORE_DOMAIN = re.compile(r" [-|:] |: |__|::|[\])}>]\s?|.", re.DOTALL)
_BEHIND_DOMAIN = re.compile(r"(?: [-|:] |__|::|\s?[\[({<]|.)$", re.DOTALL)
_IN_BRACKETS = re.compile(r"\s?(?:\[(.+)\]|\((.+)\)|\{(.+)\}|<(.+)>)", re.DOTALL)


class Reading(NamedTuple):
    """One way to read a tag; ``pattern`` is the tag with ``{domain}`` for its domain."""

    signal: str
    pattern: str
    domain: str


class Parts(NamedTuple):
    """A tag in three: ``domain`` is empty where there is none."""

    head: str
    domain: str
    tail: str


def reading_of(tag: str) -> Reading | None:
    """Return the reading of a tag that names a domain; None where it names none.

    The whole tag is tried first, then the tag without what stands before a slash: a project or a
    run may come first.
    """
    starts = [match.end() for match in re.finditer(r"/| - ", tag)]
    for start in (0, *starts):
        head, domain, tail = split_tag(tag[start:])
        signal = signal_of(words_of(f"{head} {tail}"))
        if signal and _may_be_domain(domain):
            return Reading(signal, f"{tag[:start]}{head}{{domain}}{tail}", domain)
    return None


def is_plausible(domain: str) -> bool:
    """Return whether what stands in the place of the domain may be one.

    >>> is_plausible("train/web"), is_plausible("train/policy"), is_plausible("web_epoch")
    (True, False, False)
    """
    words = words_of(domain)
    is_other_mean = bool(words) and words[-1] in TAILS
    is_known = bool(words) and NO_DOMAINS.issuperset(words)
    return _may_be_domain(domain) and not is_other_mean and not is_known


def split_tag(tag: str) -> Parts:
    """Return what stands before the domain, the domain, and what stands behind it.

    >>> tuple(split_tag("loss/pile-cc")), tuple(split_tag("loss[code]"))
    (('loss/', 'pile-cc', ''), ('loss[', 'code', ']'))
    >>> tuple(split_tag("eval_web_mix_loss"))
    ('eval_', 'web_mix', '_loss')
    """
    # Where slashes part a tag, dots and colons belong to names.
    letters = "[^/]+" if "/" in tag else r"(?:[^.: ]|(?<!:) )+"
    parts = [match.span() for match in re.finditer(letters, tag)]
    unknown = [
        (start, end) for start, end in parts if not KNOWN.issuperset(words_of(tag[start:end]))
    ]
    if len(unknown) == 1 and len(parts) > 1:
        start, end = unknown[0]
        if signal_of(words_of(f"{tag[:start]} {tag[end:]}")):
            return Parts(tag[:start], tag[start:end], tag[end:])
    return _strip_known_words(tag)


def _strip_known_words(tag: str) -> Parts:
    """Split a tag by the known words at both of its ends."""
    matches = list(_WORD.finditer(tag))
    words = [match.group().lower() for match in matches]
    first = 0
    while first < len(words) and words[first] in KNOWN:
        first += 1
    # A signal that is named already leaves other such words to the domain: loss_web_mix is web_mix.
    behind = TAILS if signal_of(words[:first]) else KNOWN
    last = len(words)
    while first < last and words[last - 1] in behind:
        has_role_behind = any(word in ROLE_OF for word in words[last:])
        if words[last - 1] in ROLE_OF and has_role_behind:
            break
        last -= 1
    if first == last:
        return Parts(tag, "", "")
    head = matches[first - 1].end() if first else 0
    tail = matches[last].start() if last < len(words) else len(tag)
    start, end = _strip_separators(tag[head:tail], at_start=first > 0, at_end=last < len(words))
    return Parts(tag[: head + start], tag[head + start : head + end], tag[head + end :])


def _strip_separators(middle: str, *, at_start: bool, at_end: bool) -> tuple[int, int]:
    """Return where the domain starts and ends in what stands between the known words.

    One separator at a side belongs to the words there, or a pair of brackets; all else is name.

    >>> _strip_separators("/.net", at_start=True, at_end=False)
    (1, 5)
    >>> _strip_separators("[c++]_", at_start=True, at_end=True)
    (1, 4)
    """
    end = len(middle)
    start = 0
    behind = _BEHIND_DOMAIN.search(middle)
    if at_end and behind:
        end = behind.start()
    inside = _IN_BRACKETS.fullmatch(middle, 0, end)
    before = _BEFORE_DOMAIN.match(middle, 0, end)
    if at_start and inside:
        start, end = inside.span(inside.lastindex or 0)
    elif at_start and before:
        start = before.end()
    return start, end


def _may_be_domain(name: str) -> bool:
    names_loss = any(ROLE_OF.get(word) in LOSSES for word in words_of(name))
    return bool(name) and name.lower() not in NO_DOMAINS and not names_loss


def words_of(text: str) -> list[str]:
    """Return the words of a tag in lower case.

    >>> words_of("train/Loss_web-2"), words_of("eval/c++ loss")
    (['train', 'loss', 'web', '2'], ['eval', 'c++', 'loss'])
    """
    return _WORD.findall(text.lower())


def signal_of(words: Sequence[str]) -> str | None:
    """Return the signal that the words name.

    >>> signal_of(["eval", "loss"]), signal_of(["train", "grad", "norm"]), signal_of(["lr"])
    ('held_out_loss', 'gradient_norm', None)
    """
    roles = [ROLE_OF[word] for word in words if word in ROLE_OF]
    if "norm" in words and not roles and not {"grad", "gradient"}.isdisjoint(words):
        return "gradient_norm"
    if not roles:
        return None
    # A loss beats the other words: mix_loss is the loss of a mix, no weight.
    role = next((role for role in roles if role in LOSSES), roles[0])
    if role not in LOSSES:
        return role
    for word in words:
        if word in KINDS:
            return KINDS[word]
    is_held_out = not HELD_OUT.isdisjoint(words) or {"held", "out"}.issubset(words)
    return "held_out_loss" if is_held_out else "loss"


def signal_of_pattern(pattern: str) -> str | None:
    """Return the signal that a pattern such as ``eval/{domain}/loss`` names."""
    return signal_of(_words_around(pattern))


def scale_of(signal: str, pattern: str) -> str:
    """Return how the values of a pattern are scaled; see :class:`Place`.

    >>> scale_of("loss", "train/ppl_{domain}"), scale_of("drawn_tokens", "{domain}/tokens_seen")
    ('log', 'difference')
    """
    words = _words_around(pattern)
    if signal.endswith("loss") and not ROLES["perplexity"].isdisjoint(words):
        return "log"
    if signal == "drawn_tokens" and not TOTALS.isdisjoint(words):
        return "difference"
    return ""


def domain_of(tag: str, pattern: str) -> str | None:
    """Return the domain of a tag that is like the pattern.

    >>> domain_of("train/web/loss", "train/{domain}/loss"), domain_of("lr", "{domain}/loss")
    ('web', None)
    """
    head, _, tail = pattern.partition("{domain}")
    domain = tag.removeprefix(head).removesuffix(tail)
    is_like = domain and f"{head}{domain}{tail}" == tag
    return domain if is_like else None


def _words_around(pattern: str) -> list[str]:
    return words_of(pattern.replace("{domain}", " "))
