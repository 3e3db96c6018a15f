"""A widget's ES module joined with the modules that it imports: anywidget takes one string."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

__all__ = ["assemble"]


_IMPORT = re.compile(
    r'^import\s*\{[^}]*\}\s*from\s*"(\.{1,2}/[\w./-]+\.js)";?[ \t]*$', re.MULTILINE
)
# Comments on lines of their own, types within lines, and indentation: every widget of a page
# carries its module, and they are a third of it.
_SLACK = re.compile(
    r"^\s*(?://[^\n]*|/\*(?:(?!\*/).)*\*/[ \t]*)\n|^\s+|/\*\* @type [^\n]*?\*/ ?",
    re.MULTILINE | re.DOTALL,
)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\b)", re.MULTILINE)


@cache
def assemble(path: Path) -> str:
    """Return the module at ``path`` with its local imports inlined, each once, without comments.

    A module stands after those that it imports. Top-level names must be unique over the joined
    modules; the imported ones may only use ``export function``, ``export const`` and ``export
    class``.
    """
    modules: list[Path] = []

    def visit(module: Path) -> None:
        for name in _IMPORT.findall(module.read_text("utf-8")):
            visit((module.parent / name).resolve())
        if module not in modules:
            modules.append(module)

    visit(path.resolve())
    *imported, own = [_IMPORT.sub("", module.read_text("utf-8")) for module in modules]
    joined = "\n".join([*(_EXPORT.sub("", text) for text in imported), own])
    return _SLACK.sub("", joined)
