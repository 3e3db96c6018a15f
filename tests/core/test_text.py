"""Text from outside stays text: in a terminal, in Markdown (held against a real renderer) and in HTML."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reweightviz.core import text

NASTY = [
    "<b>x</b>",
    "a|b",
    "*x*",
    "_x_",
    "a_b_c",
    "`x`",
    "[x](y)",
    "![x](y)",
    "- x",
    "+ x",
    "1. x",
    "2) x",
    "# x",
    "> x",
    "~~x~~",
    "\\",
    "a\\|b",
    "&amp;",
    "---",
    "===",
    "$x$",
    "a\nb",
    "\x1b[31m",
    "\u2028",
    "\u202e",
    "<script>",
    "1.5",
    "-3",
    "+51.39",
    "",
    " x ",
    "https://a.b/c_d_e",
    "** *",
    "__init__",
]


@pytest.mark.optional("markdown_it")
@given(st.one_of(st.sampled_from(NASTY), st.text(max_size=30)))
def test_markdown_shows_a_name_as_it_is(name):
    from markdown_it import MarkdownIt

    shown = (
        MarkdownIt("commonmark")
        .enable(["table", "strikethrough"])
        .render(f"| head |\n| --- |\n| x{text.to_markdown(name)} |\n\n- {text.to_markdown(name)}\n")
    )
    assert set(re.findall(r"<(/?\w+)", shown)) <= {
        f"{end}{tag}"
        for end in ("", "/")
        for tag in ("table", "thead", "tbody", "tr", "th", "td", "ul", "li")
    }
    cell, item = (
        re.search(r"<td>(.*?)</td>", shown, re.DOTALL),
        re.search(r"<li>(.*?)</li>", shown, re.DOTALL),
    )
    for found, wanted in ((cell, f"x{text.to_line(name)}"), (item, text.to_line(name))):
        assert html.unescape(found[1]).strip() == wanted.strip()


@given(st.text())
def test_a_line_is_one_printable_line(name):
    assert text.to_line(name).isprintable()
    assert len(text.to_line(name, 10)) <= 10
    assert "<" not in text.to_html(name)
    assert '"' not in text.to_html(name)
