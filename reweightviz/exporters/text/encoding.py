"""Text as files hold it: names that UTF-8 can encode, and JSON in ASCII."""

from __future__ import annotations

import json
from typing import Any

from reweightviz.core.errors import ReweightvizError


def check_utf8(name: str) -> None:
    """Refuse a name that no UTF-8 file can hold."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise ReweightvizError(
            f"{name[:60]!r} holds half of a surrogate pair, which UTF-8 cannot."
        ) from None


def to_json(content: Any) -> str:
    """Return content as indented JSON in ASCII, with a newline at the end."""
    return json.dumps(content, indent=2) + "\n"
