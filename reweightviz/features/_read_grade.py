"""The number in an answer: of a function, or of a language model in words or JSON."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.json_text import parse_json
from reweightviz.core.validation import is_number

__all__ = ["read_grade"]


_LONGEST = 100_000  # letters of an answer that are looked at, from its end
_NAMES = ("grade", "score", "rating")
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
# "4/5" and "4 out of 5" are a 4.
_ALONE = re.compile(rf"(?<![\w.])({_NUMBER})(?:\s*(?:/|out of)\s*{_NUMBER})?(?![\w%])")
_NAMED = re.compile(
    rf"\b(?:{'|'.join(_NAMES)})\b[\s\"'*:=]{{0,9}}(?:is|of)?[\s\"'*:=]{{0,9}}({_NUMBER})(?![\w%])",
    re.IGNORECASE,
)
_OBJECT = re.compile(r"\{[^{}]*\}")


def read_grade(answer: Any) -> float:
    """Return the grade in an answer, NaN where it names none, or several.

    Of text it is, in this order: the number of a JSON object in it, under "grade", "score" or
    "rating" or the only one; the last number after one of these words; the only number there is.
    What a model thought before ``</think>`` is not looked at.

    Args:
        answer: a number, text, or what JSON holds.

    Example:
        >>> read_grade('{"reason": "2 good parts", "score": 4}'), read_grade("Grade: 3/5")
        (4.0, 3.0)
        >>> read_grade("between 2 and 4")
        nan
    """
    if isinstance(answer, bool | np.bool_):
        return float(answer)
    if is_number(answer):
        return float(answer) if math.isfinite(answer) else math.nan
    if isinstance(answer, Mapping):
        return _read_object(answer)
    return _read_text(answer) if isinstance(answer, str) else math.nan


def _read_text(answer: str) -> float:
    text = answer[-_LONGEST:].rpartition("</think>")[2]
    for part in (text, *reversed(_OBJECT.findall(text))):
        found = _read_json(part)
        if not math.isnan(found):
            return found
    named = _NAMED.findall(text)
    if named:
        return float(named[-1])
    alone = {float(number) for number in _ALONE.findall(text)}
    return alone.pop() if len(alone) == 1 else math.nan


def _read_json(text: str) -> float:
    try:
        value = parse_json(text)
    except (ReweightvizError, ValueError):
        return math.nan
    if isinstance(value, dict):
        return _read_object(value)
    return _as_number(value)


def _read_object(table: Mapping[Any, Any]) -> float:
    named = {str(key).lower(): value for key, value in table.items()}
    for name in _NAMES:
        if name in named:
            return _as_number(named[name])
    numbers = [_as_number(value) for value in table.values() if not isinstance(value, str)]
    known = [number for number in numbers if not math.isnan(number)]
    return known[0] if len(known) == 1 else math.nan


def _as_number(value: Any) -> float:
    """Return a number, or a text that is one."""
    if isinstance(value, str) and re.fullmatch(_NUMBER, value.strip()):
        return float(value)
    if is_number(value) and math.isfinite(value):
        return float(value)
    return math.nan
