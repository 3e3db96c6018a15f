"""Figures of a decision record in words, the same in Markdown and HTML."""

from __future__ import annotations

from reweightviz.decision.decision import Estimate


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
    return f"{_number(one.value, sign=sign)}{word_interval(one, sign=sign)}"


def word_interval(one: Estimate, *, sign: bool = False) -> str:
    """Return an interval in brackets after a space; nothing where there is none."""
    if not one.has_interval:
        return ""
    return f" ({_number(one.low, sign=sign)} to {_number(one.high, sign=sign)})"


def _number(value: float, *, sign: bool) -> str:
    return sign_number(value) if sign else f"{value:.3f}"
