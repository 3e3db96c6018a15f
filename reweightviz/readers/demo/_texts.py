"""Files of one domain, cut into documents of some length."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

__all__ = ["LARGEST", "LONGEST", "LONGEST_LINE", "SHORTEST", "WIDEST", "documents_of"]


SHORTEST = 200  # characters of a document
LONGEST = 2000
LARGEST = 1_500_000  # bytes of a file
LONGEST_LINE = 1000  # characters; a minified file has longer ones
WIDEST = 160  # characters of a line, on the average of a file

_GENERATED = re.compile(
    r"auto-?generated|generated (?:by|from|file)|do not (?:edit|modify)|machine generated"
    r"|sourceMappingURL",
    re.IGNORECASE,
)
_CPP = re.compile(r"\b(?:namespace|template\s*<|class \w+|constexpr|std::)")


def documents_of(domain: str, file: Path) -> Iterator[str]:
    """Yield the documents of a domain in a file; none of a file that nobody wrote by hand."""
    content = _read(file)
    if content is None:
        return
    if file.suffix == ".h" and bool(_CPP.search(content)) != (domain == "c++ headers"):
        return
    if domain == "docstrings":
        docstrings, _ = _separate_docstrings(content)
        yield from (text for text in docstrings if SHORTEST <= len(text) <= LONGEST)
        return
    if domain == "python source":
        _, content = _separate_docstrings(content)
    elif domain == "package descriptions":
        content = content.partition("\n\n")[2]  # what follows the fields of the metadata
    yield from _pack(content)


def _read(file: Path) -> str | None:
    """Return the text of a file, or None for one that nobody wrote by hand."""
    try:
        if not SHORTEST <= file.stat().st_size <= LARGEST:
            return None
        content = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    lines = content.splitlines()
    is_minified = max(map(len, lines), default=0) > LONGEST_LINE or len(content) > WIDEST * max(
        len(lines), 1
    )
    if is_minified or "\0" in content or _GENERATED.search(content[:2000]):
        return None
    return content


def _separate_docstrings(content: str) -> tuple[list[str], str]:
    """Return the docstrings of a module, and the module without them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return [], ""
    lines = content.splitlines()
    docstrings = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        text = ast.get_docstring(node)
        if text:
            docstrings.append(text)
            first = node.body[0].lineno - 1
            last = node.body[0].end_lineno or first + 1
            lines[first:last] = [""] * (last - first)
    # Of the gaps that are left, one empty line stays.
    behind = [*lines[1:], ""]
    pairs = zip(lines, behind, strict=True)
    return docstrings, "\n".join(line for line, after in pairs if line.strip() or after.strip())


def _pack(content: str) -> Iterator[str]:
    """Yield paragraphs joined up to the longest length; a longer one is cut at a line."""
    text = ""
    for paragraph in re.split(r"\n\s*\n", content):
        for block in _cut(paragraph.rstrip()):
            if text and len(text) + 2 + len(block) > LONGEST:
                if len(text) >= SHORTEST:
                    yield text
                text = ""
            text = f"{text}\n\n{block}" if text else block.lstrip("\n")
    if SHORTEST <= len(text) <= LONGEST:
        yield text


def _cut(paragraph: str) -> Iterator[str]:
    while len(paragraph) > LONGEST:
        at = paragraph.rfind("\n", SHORTEST, LONGEST)
        if at < 0:
            at = LONGEST
        yield paragraph[:at]
        paragraph = paragraph[at:].lstrip("\n")
    yield paragraph
