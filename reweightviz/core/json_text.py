"""JSON as people and other programs write it: a byte order mark is passed over, no key may repeat.

By itself ``json`` keeps the last of two equal keys without a word.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from reweightviz.core.errors import DuplicateName, ReweightvizError

__all__ = ["parse_json"]


def parse_json(data: bytes | str) -> Any:
    """Return what JSON holds.

    Raises:
        ReweightvizError: a key stands twice, or it is nested too deeply.
        ValueError: it is no JSON, or no text in UTF-8.

    Example:
        >>> parse_json(b'{"web": 1}')
        {'web': 1}
        >>> parse_json('{"web": 1, "web": 2}')
        Traceback (most recent call last):
        reweightviz.core.errors.DuplicateName: each key may stand once in JSON; 'web' came more...
    """
    text = data.decode("utf-8-sig") if isinstance(data, bytes) else data.removeprefix("\ufeff")
    try:
        return json.loads(text, object_pairs_hook=_make_table)
    except RecursionError as error:
        raise ReweightvizError("it is nested too deeply.") from error


def _make_table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = [name for name, count in counts.items() if count > 1]
        raise DuplicateName(kind="key", names=twice, where="JSON")
    return table
