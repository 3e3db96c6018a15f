"""Export hostile names and paths, and compare the code with that of plain ones by its syntax tree.

A name may change the text of a string, a key or an argument and nothing else: the tree of the
Python, YAML or JSON is the same, and bash splits the script into as many words.

.venv/bin/python benchmarks/hostile.py
"""

from __future__ import annotations

import ast
import csv
import io
import json
import shutil
import subprocess
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import reweightviz as rv
from reweightviz import exporters
from reweightviz.core.errors import ReweightvizError

__all__ = ["FORMS", "HOSTILE", "PLAIN", "compare", "export", "run", "try_framework"]

PLAIN = "plainname"
"""Stands in every text that may change with a name."""
HOSTILE = (
    *(
        "'",
        '"',
        "a'b",
        'a"b',
        '"""',
        "'''",
        "\\",
        "a\\",
        "\\'",
        '\\"',
        "\\N{BULLET}",
        "\\x41",
        "{x}",
    ),
    *(
        "a\nimport os",
        "a\r\nb",
        "a\rb",
        "a\x85b",
        "a\u2028b",
        "a\u2029b",
        "a\u202eb",
        "a\x00b",
        "\ufeffa",
    ),
    *(
        "$(id)",
        "`id`",
        "$HOME",
        "${HOME}",
        "a;id",
        "a&&id",
        "a|id",
        "a>b",
        "a b",
        "a\tb",
        "*",
        "~",
        "!x",
    ),
    *(
        "# a",
        "a # b",
        "a: b",
        "a:",
        "- a",
        "? a",
        "&a",
        "*a",
        "!!python/object:os.system",
        "!include x",
    ),
    *(
        "{{ x }}",
        "{% x %}",
        "%s",
        "%(x)s",
        "${oc.env:HOME}",
        "<b>",
        "</script>",
        "-rf",
        "--help",
        "@x",
    ),
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        "a,b",
        "[a]",
        "{a: b}",
        "null",
        "yes",
        "1e5",
        "0x1",
        "~/x",
    ),
    *(
        "__import__('os')",
        "a')\nx=('",
        'a"]\nx=["',
        "a\n---\nb: 1",
        "a\n  b: 1",
        "EOF",
        "a\nEOF\nid\n",
        "=1+1",
    ),
)
_ENDINGS = {"levanter": ".jsonl", "ray": ".jsonl"}
FORMS = {
    "megatron": ("text", "per_split", "arguments"),
    "nemo": ("bridge", "energon"),
    "olmo-core": ("sources", "composable"),
    "torchtitan": ("0.3", "grain"),
    "maxtext": ("mixture", "files"),
}
"""Framework to the forms that it is exported in."""
_SUFFIXES = {"composable": ".py", "energon": ".yaml"}
_LANGUAGES = {"text": "words", "arguments": "bash"}
"""Form to the language of a file without an ending; that of any other is YAML, as JSON is."""
_WORDS = """
command_not_found_handle() { printf '%s\\0' "$#" "$@"; }
set -f
. "$1"
"""
"""Has bash print the words of every command, none of which it finds."""


def run(names: tuple[str, ...] = HOSTILE) -> dict[str, Any]:
    """Return the counts of exports that were compared and refused, and what differs."""
    counts: Counter[str] = Counter()
    differences: list[str] = []
    for framework in sorted(exporters.FRAMEWORKS):
        for form in FORMS.get(framework, ("",)):
            for outcome in try_framework(framework, form, names):
                counts[outcome.partition(":")[0]] += 1
                if outcome.startswith("differs"):
                    differences.append(f"{framework} {form} {outcome}")
    return {**counts, "differences": differences}


def try_framework(framework: str, form: str, names: tuple[str, ...]) -> Iterator[str]:
    """Generate "same", "refused" or "differs: ..." for every name and for what it stands in."""
    plain: dict[bool, dict[str, str]] = {}
    for name in names:
        for in_path in (False, True):
            if in_path not in plain:
                plain[in_path] = export(framework, form, PLAIN, in_path=in_path)
            try:
                found = export(framework, form, name, in_path=in_path)
            except ReweightvizError:
                yield "refused"
                continue
            what = compare(plain[in_path], found, form)
            yield f"differs: {name!r} {'in a path' if in_path else ''} {what}" if what else "same"


def export(framework: str, form: str, name: str, *, in_path: bool) -> dict[str, str]:
    """Return file to text of an export in which a domain, or the path of one, has the name."""
    exporter = exporters.find(framework)
    domain = PLAIN if in_path else name
    mixture = {domain: 0.5, "code": 0.25, "math": 0.25}
    ending = _ENDINGS.get(framework, "")
    below = name if in_path else "plain"
    sources = {
        each: {"tokens": 1e9, "documents": 1e6, "paths": [f"data/{below}/part{place}{ending}"]}
        for place, each in enumerate(mixture)
    }
    with tempfile.TemporaryDirectory() as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        suffix = _SUFFIXES.get(form, exporter.suffix)
        options = {"form": form} if form else {}
        rv.export(mixture, framework, Path(made) / f"out{suffix}", sources=sources, **options)
        files = [file for file in Path(made).rglob("*") if file.is_file()]
        return {
            file.relative_to(made).as_posix(): file.read_bytes().decode("utf-8")
            for file in sorted(files)
            if not file.name.endswith("provenance.json")
        }


def compare(plain: dict[str, str], hostile: dict[str, str], form: str = "") -> str:
    """Return what differs beside the names; nothing where all is the same."""
    if len(plain) != len(hostile):
        return f"writes {len(hostile)} files, not {len(plain)}"
    for (file, text), (other_file, other) in zip(plain.items(), hostile.items(), strict=True):
        suffix = Path(file).suffix
        if suffix != Path(other_file).suffix:
            return f"writes {other_file}, not {file}"
        try:
            what = _differ(_parse(suffix, form, text), _parse(suffix, form, other))
        except Exception as error:  # noqa: BLE001  no parser takes it any more
            what = f"{type(error).__name__}: {error}"
        if what:
            return f"{file}: {what}"
    return ""


def _parse(suffix: str, form: str, text: str) -> Any:
    if suffix == ".py":
        return ast.parse(text)
    if suffix == ".json" or text.startswith("{"):
        return json.loads(text)
    if suffix == ".csv":
        lines = [line for line in text.split("\n") if not line.startswith("#")]
        return list(csv.reader(io.StringIO("\n".join(lines), newline="")))
    language = _LANGUAGES.get(form, "")
    if language == "words":
        return text.split()
    if language == "bash":
        return _split(text)
    return list(YAML(typ="safe", pure=True).load_all(text))


def _split(text: str) -> list[str]:
    """Return the number and words of each command, as bash splits them, which finds none."""
    bash = shutil.which("bash")
    if bash is None:
        return []
    with tempfile.TemporaryDirectory() as made:
        script = Path(made) / "script"
        script.write_text(text, "utf-8")
        done = subprocess.run(
            [bash, "--norc", "--noprofile", "-c", _WORDS, "words", str(script)],
            env={"PATH": "/nonexistent"},
            cwd=made,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
        )
        beside = [file.name for file in Path(made).iterdir() if file.name != "script"]
    assert not beside, f"it wrote {beside}"
    return done.stdout.decode("utf-8").split("\0")


def _differ(plain: Any, other: Any) -> str:
    """Return where two trees differ other than in a text that holds a name."""
    what = ""
    if type(plain) is not type(other):
        what = f"{_show(other)} where {_show(plain)} stood"
    elif isinstance(plain, ast.AST):
        fields = [[getattr(node, name, None) for name in node._fields] for node in (plain, other)]
        what = _differ_in_parts(*fields)
    elif isinstance(plain, dict):
        what = _differ_in_parts(*[[list(pair) for pair in one.items()] for one in (plain, other)])
    elif isinstance(plain, list):
        what = _differ_in_parts(plain, other)
    elif plain != other and not (isinstance(plain, str) and "plain" in plain):
        what = f"{other!r:.80}, not {plain!r:.80}"
    return what


def _show(node: Any) -> str:
    return f"{ast.dump(node) if isinstance(node, ast.AST) else repr(node):.80}"


def _differ_in_parts(plain: list[Any], other: list[Any]) -> str:
    if len(plain) != len(other):
        return f"{len(other)} parts, not {len(plain)}: {other!r:.80}"
    pairs = zip(plain, other, strict=True)
    return next((what for one, two in pairs if (what := _differ(one, two))), "")


def main() -> None:
    """Print the outcome."""
    print(json.dumps(run(), indent=2, ensure_ascii=True))


if __name__ == "__main__":
    main()
