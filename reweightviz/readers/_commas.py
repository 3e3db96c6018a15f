"""Commas in the numbers of a table: thousands, or the point of another language."""

from __future__ import annotations

import re

import pandas as pd

__all__ = ["find_comma", "write_point"]


_GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_GROUPED_BY_DOTS = re.compile(r"[-+]?[1-9]\d{0,2}(?:\.\d{3})+,\d+")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")
_EITHER = re.compile(r"[-+]?[1-9]\d{0,2},\d{3}")
"""1,234 is 1234 or 1.234: another cell of its column may tell."""


def write_point(text: str, comma: str = "") -> str:
    """Return the text of a number as Python reads it; other texts as they come.

    Args:
        text: of a cell.
        comma: what it is in a text as "1,234", "thousands" or "decimal"; unknown, that is no
            number.

    >>> write_point("1,234.5"), write_point("2,5"), write_point("1,234"), write_point("1.234,5")
    ('1234.5', '2.5', '1,234', '1234.5')
    """
    if "," not in text:
        return text
    if _GROUPED_BY_DOTS.fullmatch(text):
        return text.replace(".", "").replace(",", ".")
    if _EITHER.fullmatch(text) and not comma:
        return text
    if _GROUPED.fullmatch(text) and not (_EITHER.fullmatch(text) and comma == "decimal"):
        return text.replace(",", "")
    if _DECIMAL_COMMA.fullmatch(text):
        return text.replace(",", ".")
    return text


def find_comma(texts: pd.Series) -> str:
    """Return what a comma is in a column, by the cells that tell; "" where none or both do.

    >>> find_comma(pd.Series(["2,345", "2,4"])), find_comma(pd.Series(["1,234", "999.5"]))
    ('decimal', 'thousands')
    >>> find_comma(pd.Series(["1,234"]))
    ''
    """
    with_comma = texts[texts.str.contains(",", regex=False)]
    rest = texts[~texts.str.contains(",", regex=False)]
    is_either = with_comma.str.fullmatch(_EITHER)
    is_grouped = with_comma.str.fullmatch(_GROUPED) & ~is_either
    is_decimal = with_comma.str.fullmatch(_DECIMAL_COMMA) & ~is_either & ~is_grouped
    is_decimal |= with_comma.str.fullmatch(_GROUPED_BY_DOTS)
    has_point = rest.str.fullmatch(r"[-+]?\d+\.\d+(?:[eE][-+]?\d+)?").any()
    tells_thousands = bool(is_grouped.any() or has_point)
    tells_decimal = bool(is_decimal.any())
    if tells_thousands == tells_decimal:
        return ""
    return "thousands" if tells_thousands else "decimal"
