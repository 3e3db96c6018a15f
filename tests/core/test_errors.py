"""The kinds of error: their fields, their sentences in one table, and what a notebook shows.

``python tests/core/test_errors.py`` writes the table anew after a sentence has changed.
"""

from __future__ import annotations

import ast
import copy
import difflib
import inspect
import pickle
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from unittest import mock

import pytest

import reweightviz as rv
from reweightviz.core import errors

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "tests" / "golden" / "error_sentences.txt"
RENEW = "python tests/core/test_errors.py writes tests/golden/error_sentences.txt anew; read its diff before you commit it."
KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, errors.ReweightvizError)
}


class Shown(str):
    """A placeholder, which stands in a sentence as it is, without quotes."""

    __slots__ = ()

    def __repr__(self):
        return str(self)


def template(node: ast.expr) -> str:
    """Return the text of a string or an f-string, and any other expression in braces."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(map(template, node.values))
    inner = node.value if isinstance(node, ast.FormattedValue) else node
    return "{" + ast.unparse(inner).replace('"', "'") + "}"


def sentence(call: ast.Call) -> str:
    """Return the sentence that a kind builds, with its fields in braces."""
    kind = KINDS[call.func.id]
    if call.args:
        return str(kind(*map(template, call.args)))
    fields = {}
    for keyword in call.keywords:
        literal = isinstance(keyword.value, ast.Constant) and not isinstance(
            keyword.value.value, str
        )
        text = Shown(template(keyword.value))
        several = keyword.arg in {"asked", "available", "known", "names", "there"}
        fields[keyword.arg] = keyword.value.value if literal else text
        if several:
            fields[keyword.arg] = [text]
    return str(kind(**fields))


def sentences() -> Iterator[str]:
    """Yield module, kind and sentence of every error that the package makes."""
    for file in sorted((ROOT / "reweightviz").rglob("*.py")):
        module = file.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in KINDS
            ):
                text = sentence(node).replace("\n", " ")
                yield f"{module}: {node.func.id}: {text}"


@cache
def table() -> str:
    with mock.patch.object(errors, "get_close_matches", return_value=[]):
        return "".join(f"{line}\n" for line in sorted(set(sentences())))


def test_the_sentences_are_those_of_the_table():
    old, new = TABLE.read_text("utf-8"), table()
    changed = [
        line
        for line in difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
        if re.match(r"[+-](?![+-]{2} )", line)
    ]
    assert old == new, "\n".join([RENEW, *changed])


def test_every_sentence_ends_once_and_begins_as_a_part_of_a_sentence():
    for line in table().splitlines():
        text = line.split(": ", 2)[2]
        assert text.strip() == text, line
        assert not text.endswith(".."), line


def test_most_errors_are_of_a_kind():
    kinds = [line.split(": ")[1] for line in table().splitlines()]
    assert kinds.count("ReweightvizError") < len(kinds) / 2


MADE = [
    (
        errors.MissingColumn(
            column="xy", available=["id", "text"], who="a Map", hint="rv.project makes it."
        ),
        "a Map needs column 'xy'; there is 'id', 'text'. rv.project makes it.",
    ),
    (
        errors.UnknownName(kind="law", name="olmx", known=["olmix", "regmix"]),
        "no law 'olmx'; did you mean 'olmix'? there is 'olmix', 'regmix'.",
    ),
    (
        errors.UnknownName(kind="{law}", name="{x}", known=["{xy}"]),
        "no {law} '{x}'; did you mean '{xy}'? there is '{xy}'.",
    ),
    (
        errors.DuplicateName(kind="id", names=["a"], where="a corpus"),
        "each id may stand once in a corpus; 'a' came more often.",
    ),
    (
        errors.WrongDomains(
            who="the mixture", asked=["web", "cod"], other="the data", there=["web", "code"]
        ),
        "the mixture and the data name different domains: only in the mixture 'cod'; only in the data 'code'.",
    ),
    (
        errors.WrongDomains(
            who="the guards", asked=["cod"], other="the mixture", there=["web", "code"], part=True
        ),
        "the guards must name domains of the mixture, 'web', 'code'; got 'cod'.",
    ),
    (
        errors.WrongDomains(
            who="the signals", asked=["b", "a"], other="the law", there=["a", "b"], hint="sort them"
        ),
        "the signals and the law name different domains: 'b', 'a' and 'a', 'b', in that order: sort them.",
    ),
    (
        errors.MissingSignal(signals="loss", available=[], who="DoReMi"),
        "DoReMi needs 'loss'; there is none.",
    ),
    (
        errors.InvalidValue(name="level", value=2, expected="a probability"),
        "level must be a probability; got 2.",
    ),
    (
        errors.UnmetNeed(name="Olmix", value=(0, 1), expected="huber above 0", got="huber 0"),
        "Olmix needs huber above 0; got huber 0.",
    ),
    (
        errors.InvalidArgument(name="rv.fit", value="x", expected="a swarm"),
        "rv.fit takes a swarm; got 'x'.",
    ),
    (
        errors.UnreadableFile(path="a.csv", reason="No such file", wanted="CSV"),
        "cannot read a.csv as CSV: No such file.",
    ),
    (
        errors.WrongContent(path="a.jsonl", line=3, reason="is not JSON."),
        "a.jsonl, line 3, is not JSON.",
    ),
    (
        errors.UnwritableFile(path="a.csv", reason="the disk is full"),
        "cannot write a.csv: the disk is full.",
    ),
    (
        errors.RefusedByFramework(framework="Lingua", reason="reads local folders"),
        "Lingua reads local folders.",
    ),
    (
        errors.MissingPackage(package="POT", extra="laws", who="Optimal transport"),
        'Optimal transport needs POT: pip install "reweightviz[laws]".',
    ),
    (
        errors.MissingPackage(package="lightning", who="x"),
        "x needs lightning: pip install lightning.",
    ),
]


@pytest.mark.parametrize(("error", "said"), MADE)
def test_a_kind_builds_one_sentence(error, said):
    assert str(error) == said
    assert isinstance(error, rv.ReweightvizError)
    assert isinstance(error, ValueError)


def test_every_kind_is_made_here():
    assert {type(error) for error, _ in MADE} | {errors.ReweightvizError} == set(KINDS.values())


def test_a_missing_package_is_an_import_error_and_a_wrong_content_an_unreadable_file():
    assert issubclass(errors.MissingPackage, ImportError)
    assert issubclass(errors.WrongContent, errors.UnreadableFile)


@pytest.mark.parametrize(
    "error", [error for error, _ in MADE] + [errors.ReweightvizError("one sentence.")]
)
@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301  made here
def test_an_error_survives_a_pickle(error, again):
    back = again(error)
    assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


def test_a_value_that_cannot_be_pickled_becomes_its_repr():
    error = errors.InvalidValue(name="policy", value=lambda: 0, expected="a number")
    back = pickle.loads(pickle.dumps(error))  # noqa: S301  made here
    assert back.value.startswith("<function")
    assert str(back) == str(error)


def test_the_kinds_are_reached_as_rv_errors():
    assert rv.errors is errors
    with pytest.raises(rv.errors.InvalidValue) as caught:
        rv.Mixture({"web": 1.5, "code": -0.5})
    assert (caught.value.value, caught.value.expected) == (-0.5, "finite and >= 0")


CELLS = [
    "import os\nimport reweightviz as rv",
    "x = 1\ndef half():\n    return rv.Mixture({'web': 0.5})\n\nhalf()",
    "%tb",
    "rv.Mixture({'web': 1.0}).aligned(None)",
    "os.environ['REWEIGHTVIZ_TRACEBACK'] = 'full'\nhalf()",
]


def test_a_notebook_shows_the_sentence_and_the_callers_line(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient").NotebookClient
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client(
        notebook, timeout=300, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    first, short, asked, bug, full = (plain(cell) for cell in notebook.cells)
    assert first == ""
    lines = short.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("ReweightvizError: the weights of a Mixture must sum to 1")
    assert re.fullmatch(r"Cell In\[2\], line 3", lines[1])
    assert lines[2] == "----> return rv.Mixture({'web': 0.5})"
    assert "%tb" in lines[3]
    assert "REWEIGHTVIZ_TRACEBACK=full" in lines[3]
    for whole in (asked, full):
        assert "mixture.py" in whole
        assert "half()" in whole
    assert "TypeError" in bug
    assert "mixture.py" in bug


def test_a_line_of_another_package_is_not_the_callers():
    editor = rv.MixtureEditor({"web": 3.0, "code": 1.0})
    try:
        editor.weights = [1.0, 1.0]
    except rv.ReweightvizError as error:
        lines = error._render_traceback_()
    assert lines[1].startswith(f"File {__file__}, line ")
    assert lines[2] == "----> editor.weights = [1.0, 1.0]"


def plain(cell) -> str:
    """Return the trace that a cell shows, without colours."""
    shown = "\n".join(
        line
        for output in cell.outputs
        for line in output.get("traceback", [output.get("text", "")])
    )
    return re.sub(r"\x1b\[[0-9;]*m", "", shown)


if __name__ == "__main__":
    TABLE.write_text(table(), "utf-8")
