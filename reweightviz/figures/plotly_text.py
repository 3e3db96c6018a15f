"""Text that plotly shows."""

from __future__ import annotations

import html

__all__ = ["escape_plotly"]


def escape_plotly(text: str, width: int = 40) -> str:
    """Return one line of text with plotly's little markup language escaped.

    Args:
        text: any text.
        width: characters at most; what is longer ends in an ellipsis.

    >>> escape_plotly("<b>web</b>")
    '&lt;b&gt;web&lt;/b&gt;'
    """
    line = " ".join(text.split()) or repr(text)
    if len(line) > width:
        line = f"{line[: width - 1]}…"
    return html.escape(line, quote=False)
