"""Names and sentences from outside, safe for a line of a terminal, for Markdown and for HTML."""

from __future__ import annotations

import html
import re

__all__ = ["to_html", "to_line", "to_markdown"]


def to_line(text: object, width: int = 0) -> str:
    r"""Return text as one printable line, at most ``width`` characters (0 for all of them).

    >>> to_line("web\n\x1b[31m"), to_line("a long name", 6)
    ('web\\n\\x1b[31m', 'a lon…')
    """
    printable = "".join(map(_escape_unprintable, str(text)))
    if not width or len(printable) <= width:
        return printable
    return printable[: width - 1] + "…"


def to_markdown(text: object, width: int = 0) -> str:
    r"""Return text that Markdown shows as it is, also in a cell of a table or after a bullet.

    >>> to_markdown("<b>|*web*|</b>"), to_markdown("- a_b (c)")
    ('&lt;b&gt;\\|\\*web\\*\\|&lt;/b&gt;', '\\- a_b (c)')
    """
    escaped = html.escape(to_line(text, width), quote=False)
    # An underscore inside a word is no mark, and is left readable.
    escaped = re.sub(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", escaped)
    # Of an address by itself many renderers make a link.
    escaped = re.sub(r"\b(https?|ftp|www)(?=://|\.)", r"\1\\", escaped)
    # "1." and "-" are marks at the start of a line only.
    return re.sub(r"^(\s*\d+(?=[.)](?:\s|$))|\s*(?=[-+=#]+(?:\s|$)))", r"\1\\", escaped)


def to_html(text: object, width: int = 0) -> str:
    """Return text that HTML shows as it is, also in an attribute.

    >>> to_html('<b>"web"</b>')
    '&lt;b&gt;&quot;web&quot;&lt;/b&gt;'
    """
    return html.escape(to_line(text, width))


def _escape_unprintable(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
