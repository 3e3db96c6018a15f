"""Joins a widget's ES module with the relative modules that it imports: the one string that anywidget wants."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_IMPORT = re.compile(
    r'^import\s*\{[^}]*\}\s*from\s*"(\.{1,2}/[\w./-]+\.js)";?[ \t]*$', re.MULTILINE
)
# Comments on lines of their own, types within lines, and indentation: every widget of a page
# carries its module, and they
# are a third of it.
_SLACK = re.compile(
    r"^\s*(?://[^\n]*|/\*(?:(?!\*/).)*\*/[ \t]*)\n|^\s+|/\*\* @type [^\n]*?\*/ ?",
    re.MULTILINE | re.DOTALL,
)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\b)", re.MULTILINE)


@cache
def assemble(path: Path) -> str:
    """The module at ``path`` with its local imports inlined, each once, in order of dependence, without comments.

    Top-level names must be unique over the joined modules; the imported ones may only use
    ``export function``, ``export const`` and ``export class``.
    """
    seen: list[Path] = []

    def visit(module: Path) -> None:
        for name in _IMPORT.findall(module.read_text("utf-8")):
            visit((module.parent / name).resolve())
        if module not in seen:
            seen.append(module)

    visit(path.resolve())
    parts = [_IMPORT.sub("", part.read_text("utf-8")) for part in seen]
    return _SLACK.sub("", "\n".join([*(_EXPORT.sub("", part) for part in parts[:-1]), parts[-1]]))
