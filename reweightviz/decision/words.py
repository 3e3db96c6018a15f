"""Figures of a decision record in words, the same in Markdown and HTML."""

from __future__ import annotations

from reweightviz.core.token_counts import format_count
from reweightviz.decision.decision import Estimate

__all__ = [
    "REJECTED_COLUMNS",
    "sign_number",
    "word_epochs",
    "word_estimate",
    "word_interval",
    "word_number",
    "word_tokens",
]

REJECTED_COLUMNS = (
    "mixture",
    "why",
    "predicted mean",
    "against the chosen",
    "tokens that differ",
    "most epochs",
)


def sign_number(value: float, digits: int = 3) -> str:
    """Return a number with its sign, the minus as typographers write it.

    >>> sign_number(-0.25, 2)
    '−0.25'
    """
    return f"{value:+.{digits}f}".replace("-", "−")


def word_estimate(one: Estimate | None, *, sign: bool = False) -> str:
    """Return a number with its interval in brackets; nothing for None."""
    if one is None:
        return ""
    return f"{word_number(one.value, sign=sign)}{word_interval(one, sign=sign)}"


def word_interval(one: Estimate, *, sign: bool = False) -> str:
    """Return an interval in brackets after a space; nothing where there is none."""
    if not one.has_interval:
        return ""
    return f" ({word_number(one.low, sign=sign)} to {word_number(one.high, sign=sign)})"


def word_number(value: float, *, sign: bool) -> str:
    """Return a number with three digits, with its sign where it is a change."""
    if sign:
        return sign_number(value)
    return f"{value:.3f}"


def word_tokens(count: float | None) -> str:
    """Return a number of tokens; nothing for None.

    >>> word_tokens(1.2e12), word_tokens(None)
    ('1.2T', '')
    """
    if count is None:
        return ""
    return format_count(count)


def word_epochs(epochs: float | None) -> str:
    """Return a number of passes; nothing for None."""
    if epochs is None:
        return ""
    return f"{epochs:.3g}"
