"""Real text that needs no network: what the packages installed beside reweightviz are made of."""

from __future__ import annotations

import ast
import hashlib
import re
import sysconfig
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from reweightviz.core.cache import cache_path
from reweightviz.core.corpus import Corpus
from reweightviz.core.errors import ReweightvizError
from reweightviz.core.files import write_atomically

SHORTEST, LONGEST = 200, 2000  # characters of a document
LARGEST = 1_500_000  # bytes of a file
FILES_A_PACKAGE = 250  # of one domain, so that no single package is the domain
DOCUMENTS_A_DOMAIN = 4000

DOMAINS = (
    "python source",
    "python tests",
    "docstrings",
    "type stubs",
    "cython",
    "c headers",
    "c++ headers",
    "c source",
    "javascript",
    "web pages",
    "json",
    "build scripts",
    "markdown",
    "package descriptions",
    "licences",
)

_SUFFIXES = {
    "type stubs": ".pyi",
    "cython": ".pyx .pxd .pxi",
    "c++ headers": ".hpp .hxx .cuh .hh",
    "c source": ".c .cc .cpp .cxx .cu",
    "javascript": ".js .mjs .cjs",
    "web pages": ".html .jinja .css .scss .ts .mts .cts",
    "json": ".json",
    "build scripts": ".cmake .build .sh .ps1 .cmd .bat .gyp .gypi .toml",
    "markdown": ".md .rst",
}
_BY_SUFFIX = {
    suffix: domain for domain, suffixes in _SUFFIXES.items() for suffix in suffixes.split()
}
_GENERATED = re.compile(
    r"auto-?generated|generated (?:by|from|file)|do not "
    r"(?:edit|modify)|machine generated|sourceMappingURL",
    re.IGNORECASE,
)
_CPP = re.compile(r"\b(?:namespace|template\s*<|class \w+|constexpr|std::)")
_TESTS = re.compile(r"(?:^|/)(?:tests?|testing)/|(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py$")
_LICENCE = re.compile(r"(?:^|/)(?:licen[cs]es?|copying|notice)[^/]*$", re.IGNORECASE)


class _Found(NamedTuple):
    package: str
    path: str
    file: Path


def read(folder: Path | None = None) -> Corpus:
    """Collect the demo corpus from ``folder`` (the running environment's site-packages), or read it from the cache.

    Exact duplicates, minified and generated files are left out. The result is the same for the same
    environment: files are taken in the order of a hash of their path, and at most
    ``DOCUMENTS_A_DOMAIN`` documents are kept of a domain.
    """
    root = folder or Path(sysconfig.get_paths()["purelib"])
    installed = sorted(
        entry.name for entry in root.glob("*.dist-info") if not entry.name.startswith("reweightviz")
    )
    path = cache_path(
        "demo-corpus", root, installed, Path(__file__).read_text("utf-8"), suffix=".parquet"
    )
    if path is not None and path.exists() and installed:
        return _corpus(pq.read_table(path))
    table = _collect(root)
    if path is not None and installed:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        write_atomically(path, sink.getvalue().to_pybytes())
    return _corpus(table)


def _corpus(table: pa.Table) -> Corpus:
    kept = set(table["domain"].to_pylist())
    return Corpus(
        {name: table[name] for name in table.column_names},
        domains=[domain for domain in DOMAINS if domain in kept],
        meta={"name": "demo"},
    )


def _collect(root: Path) -> pa.Table:
    found = _files(root)
    seen: set[bytes] = set()
    pieces: Counter[tuple[str, str]] = Counter()
    rows: dict[str, list[str]] = {"id": [], "domain": [], "text": [], "package": [], "path": []}
    for domain in tqdm(DOMAINS, desc="demo corpus", delay=1, leave=False):
        for number, (file, text) in enumerate(_documents(domain, found[domain], seen)):
            if number == DOCUMENTS_A_DOMAIN:
                break
            label = f"{file.path}#{domain[:3]}{pieces[file.path, domain]}"
            pieces[file.path, domain] += 1
            for name, value in zip(
                rows, (label, domain, text, file.package, file.path), strict=True
            ):
                rows[name].append(value)
    if not rows["id"]:
        raise ReweightvizError(
            f"no text of the demo's domains lies under {root}; install some packages there first."
        )
    return pa.table({name: pa.array(values, pa.large_string()) for name, values in rows.items()})


def _files(root: Path) -> dict[str, list[_Found]]:
    found: dict[str, dict[str, list[_Found]]] = defaultdict(lambda: defaultdict(list))
    for file in root.rglob("*"):
        path = file.relative_to(root).as_posix()
        if path.startswith(("reweightviz", "__")) or "__pycache__" in path:
            continue
        for domain in _domains_of(file, path):
            package = re.sub(r"-[^-]+\.dist-info$|\.py$", "", path.partition("/")[0])
            found[domain][package].append(_Found(package, path, file))
    return {domain: _interleaved(packages) for domain, packages in found.items()} | {
        d: [] for d in DOMAINS if d not in found
    }


def _interleaved(packages: dict[str, list[_Found]]) -> list[_Found]:
    """At most FILES_A_PACKAGE of each package, all mixed in the order of a hash, so that a prefix is a fair sample."""
    kept = [
        file for files in packages.values() for file in sorted(files, key=_order)[:FILES_A_PACKAGE]
    ]
    return sorted(kept, key=_order)


def _order(file: _Found) -> bytes:
    return hashlib.blake2b(file.path.encode(), digest_size=8).digest()


def _domains_of(file: Path, path: str) -> tuple[str, ...]:
    suffix = file.suffix.lower()
    if ".dist-info/" in path:
        if file.name == "METADATA":
            return ("package descriptions",)
        return ("licences",) if _LICENCE.search(path) else ()
    if suffix == ".py":
        return ("python tests",) if _TESTS.search(path) else ("python source", "docstrings")
    if suffix == ".h":
        return ("c headers", "c++ headers")  # which of the two, the content tells
    if file.name == "CMakeLists.txt":
        return ("build scripts",)
    return (_BY_SUFFIX[suffix],) if suffix in _BY_SUFFIX and ".min." not in file.name else ()


def _documents(
    domain: str, files: Iterable[_Found], seen: set[bytes]
) -> Iterator[tuple[_Found, str]]:
    for file in files:
        content = _readable(file.file)
        if content is None or (
            file.file.suffix == ".h" and bool(_CPP.search(content)) != (domain == "c++ headers")
        ):
            continue
        for text in _pieces(domain, content):
            mark = hashlib.blake2b(text.encode(), digest_size=12).digest()
            if mark not in seen:
                seen.add(mark)
                yield file, text


def _readable(file: Path) -> str | None:
    """The text of a file, or None for what nobody wrote by hand."""
    try:
        if not SHORTEST <= file.stat().st_size <= LARGEST:
            return None
        content = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    lines = content.splitlines()
    if max(map(len, lines), default=0) > 1000 or len(content) > 160 * max(len(lines), 1):
        return None
    return None if _GENERATED.search(content[:2000]) or "\0" in content else content


def _pieces(domain: str, content: str) -> Iterator[str]:
    if domain == "package descriptions":
        content = content.partition("\n\n")[2]
    if domain in ("python source", "docstrings"):
        prose, code = _docstrings(content)
        if domain == "docstrings":
            yield from (text for text in prose if SHORTEST <= len(text) <= LONGEST)
            return
        content = code
    yield from _packed(content)


def _docstrings(content: str) -> tuple[list[str], str]:
    """The docstrings of a module, and the module without them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return [], ""
    lines, prose = content.splitlines(), []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        text = ast.get_docstring(node)
        if text:
            prose.append(text)
            first = node.body[0]
            lines[first.lineno - 1 : first.end_lineno] = [""] * (
                (first.end_lineno or first.lineno) - first.lineno + 1
            )
    return prose, "\n".join(
        line
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
        if line.strip() or after.strip()
    )


def _packed(content: str) -> Iterator[str]:
    """Paragraphs joined up to LONGEST characters; a longer one is cut at a line."""
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
        at = at if at > 0 else LONGEST
        yield paragraph[:at]
        paragraph = paragraph[at:].lstrip("\n")
    yield paragraph
