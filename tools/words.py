"""Measure the style of Python packages side by side: how long a reader of a line needs.

python tools/words.py                                   # reweightviz
python tools/words.py reweightviz path/to/optax         # beside others; tests are left out
python tools/words.py --download optax httpx            # beside the newest on PyPI
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import sys
import tempfile
import tokenize
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
COLUMNS = 100
QUESTIONS = ("What ", "How ", "Which ", "Whether ")
PARTICIPLES = frozenset(
    "built drawn found given gone heard held kept known learnt left lost made read_back said sent "
    "shown split_off taken told understood worn written".split()
)
NOT_PARTICIPLES = frozenset(
    "bleed embed exceed feed indeed need proceed seed shed shred speed".split()
)
"""Words that end in -ed and are verbs or nouns."""
ROWS = (
    "lines",
    "lines over 100 columns, %",
    "comments in 100 lines",
    "conditional expressions in 1,000 lines",
    "parallel assignments in 1,000 lines",
    "docstrings that open with a question word, %",
    "functions named by a participle, %",
    "body of a function in tokens, 95th percentile",
)


def measure(package: Path) -> dict[str, float]:
    """Measure every file of a package that is no test.

    Args:
        package: its folder.

    Returns:
        The names of ROWS with their figures.
    """
    counts: Counter[str] = Counter()
    names: list[str] = []
    bodies: list[int] = []
    for path in source_files(package):
        text = path.read_text("utf-8")
        tree = ast.parse(text)
        lines = [line for line in text.splitlines() if line.strip()]
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
        counts["lines"] += len(lines)
        counts["long"] += sum(len(line) > COLUMNS for line in lines)
        counts["comments"] += sum(token.type == tokenize.COMMENT for token in tokens)
        for node in ast.walk(tree):
            counts["conditionals"] += isinstance(node, ast.IfExp)
            counts["parallel"] += _is_parallel(node)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names.append(node.name)
                bodies.append(_body_length(node, tokens))
        for docstring in _docstrings(tree):
            counts["docstrings"] += 1
            counts["questions"] += docstring.startswith(QUESTIONS)
    lines_read = max(1, counts["lines"])
    participles = sum(map(is_participle, names))
    long_body = 0
    if bodies:
        long_body = sorted(bodies)[int(0.95 * len(bodies))]
    figures = (
        counts["lines"],
        100 * counts["long"] / lines_read,
        100 * counts["comments"] / lines_read,
        1000 * counts["conditionals"] / lines_read,
        1000 * counts["parallel"] / lines_read,
        100 * counts["questions"] / max(1, counts["docstrings"]),
        100 * participles / max(1, len(names)),
        long_body,
    )
    return dict(zip(ROWS, figures, strict=True))


def source_files(package: Path) -> Iterator[Path]:
    """Yield the Python files of a package that are no tests."""
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).parts
        if not any(map(_is_test, parts)):
            yield path


def _is_test(part: str) -> bool:
    return part.strip("_").startswith("test") or part.endswith("_test.py")


def is_participle(function: str) -> bool:
    """Return whether the first word of a function's name is a participle.

    >>> [is_participle(name) for name in ("_drawn_lines", "checked", "embed", "draw")]
    [True, True, False, False]
    """
    word = function.strip("_").partition("_")[0]
    if word in PARTICIPLES:
        return True
    return word.endswith("ed") and len(word) > 3 and word not in NOT_PARTICIPLES


def _is_parallel(node: ast.AST) -> bool:
    """Return whether several names get as many unrelated values.

    ``a, b = b, a`` is a swap, and ``a, b = f()`` unpacks one value.
    """
    if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)):
        return False
    target = node.targets[0]
    if not isinstance(target, ast.Tuple):
        return False
    left = sorted(map(ast.unparse, target.elts))
    return left != sorted(map(ast.unparse, node.value.elts))


def _docstrings(tree: ast.Module) -> Iterator[str]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module
    for node in ast.walk(tree):
        if isinstance(node, kinds) and ast.get_docstring(node):
            yield str(ast.get_docstring(node))


def _body_length(
    function: ast.FunctionDef | ast.AsyncFunctionDef, tokens: list[tokenize.TokenInfo]
) -> int:
    """Count the tokens of a function's body, without its docstring and comments."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    if not body:
        return 0
    first = body[0].lineno
    last = function.end_lineno or 0
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    return sum(first <= token.start[0] <= last and token.type not in layout for token in tokens)


def download(name: str, folder: Path) -> tuple[str, Path]:
    """Fetch the newest wheel of a package; return its name with the version, and its folder."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    # Unpacked and never installed: a package beside ours could change what ours runs with.
    target = str(folder / name)
    subprocess.run([*pip, "download", "-qq", "--no-deps", "--dest", target, name], check=True)
    wheel = next((folder / name).glob("*.whl"))
    zipfile.ZipFile(wheel).extractall(folder / name)
    return " ".join(wheel.name.split("-")[:2]), folder / name / name


def main() -> None:
    """Print a table in Markdown, a column a package."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packages", nargs="*", type=Path, default=[ROOT / "reweightviz"])
    parser.add_argument("--download", nargs="*", default=[], metavar="NAME")
    options = parser.parse_args()
    columns = {path.name: measure(path) for path in options.packages}
    with tempfile.TemporaryDirectory() as folder:
        for name in options.download:
            title, path = download(name, Path(folder))
            columns[title] = measure(path)
    print("| | " + " | ".join(columns) + " |")
    print("|---" * (1 + len(columns)) + "|")
    for row in ROWS:
        cells = (f"{figures[row]:,.1f}".removesuffix(".0") for figures in columns.values())
        print(f"| {row} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
