"""Names and sentences from outside, made safe for one line of a terminal, of Markdown and of HTML."""

from __future__ import annotations

import html
import re


def line(text: object, width: int = 0) -> str:
    r"""Text as one printable line, at most ``width`` characters (0 for all of them).

    >>> line("web\n\x1b[31m"), line("a long name", 6)
    ('web\\n\\x1b[31m', 'a lon…')
    """
    shown = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in str(text)
    )
    return shown if not width or len(shown) <= width else shown[: width - 1] + "…"


def markdown(text: object, width: int = 0) -> str:
    r"""Text as Markdown shows it as it is, also in a cell of a table or after a bullet.

    >>> markdown("<b>|*web*|</b>"), markdown("- a_b (c)")
    ('&lt;b&gt;\\|\\*web\\*\\|&lt;/b&gt;', '\\- a_b (c)')
    """
    safe = re.sub(
        r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])",
        r"\\\g<0>",
        html.escape(line(text, width), quote=False),
    )
    return re.sub(r"^(\s*\d+(?=[.)](?:\s|$))|\s*(?=[-+=#]+(?:\s|$)))", r"\1\\", safe)


def marked(text: object, width: int = 0) -> str:
    """Text as HTML shows it as it is, also in an attribute.

    >>> marked('<b>"web"</b>')
    '&lt;b&gt;&quot;web&quot;&lt;/b&gt;'
    """
    return html.escape(line(text, width))
