"""The sentence under a row of controls: what came of a click."""

from __future__ import annotations

import html

__all__ = ["PLAIN", "WRONG", "draw_status"]


WRONG = "var(--jp-error-color1, #c62828)"
PLAIN = "var(--jp-ui-font-color1, inherit)"


def draw_status(sentence: str, *, wrong: bool = False) -> str:
    """Return a sentence as HTML that a screen reader announces; red where something is wrong."""
    tone = WRONG if wrong else PLAIN
    return f'<div role="status" style="color:{tone};line-height:1.5">{html.escape(sentence)}</div>'
