"""Counts of tokens and documents as people write them: 1.2T, 300 B, 1,200,000."""

from __future__ import annotations

import math
import re

import numpy as np

from reweightviz.core.errors import ReweightvizError

__all__ = ["FORM", "POWERS", "format_count", "parse_budget", "parse_count"]


POWERS = {"K": 3, "M": 6, "G": 9, "B": 9, "T": 12}
"""A letter behind a count as a power of ten; G is read as B."""
FORM = "such as 1.2e12 or '1.2T' (K, M, B or G, T)"
# The same grammar as parseTokens in widgets/parse.js; tests/golden/token_counts.json holds both.
_COUNT = re.compile(
    r"""
    (?P<whole> [0-9]{1,3}(?:[,_\s][0-9]{3})+ | [0-9]+ )?
    (?P<part> \.[0-9]* )?
    (?: [eE](?P<power> [+-]?[0-9]{1,4}) )?
    \s* (?P<letter> [kKmMgGbBtT]? )
""",
    re.VERBOSE,
)


def parse_count(value: object, what: str = "a count", *, positive: bool = False) -> float:
    """Return a number of tokens or documents, given as a number or as a person writes it.

    Args:
        value: a number, or text with decimals, an exponent, separators of thousands, a letter of
            ``POWERS``.
        what: stands in the sentence.
        positive: 0 is refused too.

    Raises:
        ReweightvizError: it is negative, endless or no such number.

    Example:
        >>> parse_count("100B"), parse_count("1.2 t"), parse_count("1,200,000"), parse_count(5)
        (100000000000.0, 1200000000000.0, 1200000.0, 5.0)
    """
    number = _parse(value.strip()) if isinstance(value, str) else _number(value)
    is_small = not number >= 0 or (positive and number == 0)  # NaN is not >= 0 either
    if is_small or number == math.inf:
        least = "above 0" if positive else ">= 0"
        raise ReweightvizError(f"{what} must be a number {least}, {FORM}; got {value!r:.60}.")
    return number


def parse_budget(tokens: object, what: str = "tokens") -> float | None:
    """Return a number of tokens to train on, above 0; None passes, where no budget is given.

    >>> parse_budget("300G"), parse_budget(None)
    (300000000000.0, None)
    """
    return None if tokens is None else parse_count(tokens, what, positive=True)


def format_count(tokens: float) -> str:
    """Return a number of tokens in a few characters, as :func:`parse_count` reads it.

    >>> format_count(1.2e12), format_count(38e6), format_count(512)
    ('1.2T', '38M', '512')
    """
    for letter in "TBMK":
        size = 10 ** POWERS[letter]
        if tokens >= 0.9995 * size:
            return f"{tokens / size:.3g}{letter}"
    return f"{tokens:.3g}"


def _parse(text: str) -> float:
    """Return the number of a text, NaN where it is none."""
    match = _COUNT.fullmatch(text)
    if match is None or match.group("whole", "part") in ((None, None), (None, ".")):
        return math.nan
    digits = re.sub(r"[,_\s]", "", match["whole"] or "") + (match["part"] or "")
    power = int(match["power"] or 0) + POWERS.get(match["letter"].upper(), 0)
    # One text for the decimal number, so that it is rounded once: 1.1 * 1e12 would be off by a bit.
    return float(f"{digits}e{power}")


def _number(value: object) -> float:
    if isinstance(value, bool | np.bool_ | bytes):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (ArithmeticError, TypeError, ValueError):
        return math.nan
