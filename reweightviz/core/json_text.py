"""JSON as people and other programs write it: a file may begin with a mark, no key may repeat.

By itself ``json`` keeps the last of two equal keys without a word.
"""

from __future__ import annotations

import json
from typing import Any

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.validation import find_repeated

__all__ = ["parse_json"]


def parse_json(data: bytes | str) -> Any:
    """Return what JSON holds, in text or in the bytes of a file, which may begin with a mark.

    Raises:
        ReweightvizError: a key stands twice, or it is nested too deeply.
        ValueError: it is no JSON, or no text in UTF-8.

    Example:
        >>> parse_json(b'{"web": 1}')
        {'web': 1}
        >>> parse_json('{"web": 1, "web": 2}')
        Traceback (most recent call last):
        reweightviz.core.errors.ReweightvizError: 'web' stands there twice.
    """
    if isinstance(data, bytes):
        data = data.decode("utf-8-sig")
    try:
        return json.loads(data, object_pairs_hook=_make_table)
    except RecursionError as error:
        raise ReweightvizError("it is nested too deeply.") from error


def _make_table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        twice = find_repeated(name for name, _ in pairs)
        raise ReweightvizError(f"{list_names(twice)} stands there twice.")
    return table
