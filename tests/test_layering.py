"""Imports only point down, siblings never import each other, and a heavy package has one kind of place.

core <- numerics and models <- families <- widgets (which know no family) <- the files at the top. Imports inside functions count.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "reweightviz"
FAMILIES = ("readers", "features", "laws", "mixers", "scorers", "selectors", "reweighters", "training", "exporters")
TABLES = {"numpy", "pandas", "pyarrow"}
BELOW = {
    "core": set(), "numerics": {"core"}, "models": {"core"}, "widgets": {"core", "numerics"},
} | {family: {"core", "numerics"} for family in FAMILIES}
for _family in ("features", "scorers", "reweighters", "training"):
    BELOW[_family] |= {"models"}
OTHERS = {
    "core": TABLES | {"filelock", "lance", "tqdm"},
    "numerics": TABLES | {"scipy", "clarabel", "array_api_compat", "ot", "threadpoolctl"},
    "models": {"numpy", "torch"},
    "widgets": TABLES | {"scipy", "anywidget", "ipywidgets", "plotly", "traitlets", "resvg_py"},
} | {family: TABLES | {"scipy", "tqdm"} for family in FAMILIES}
for _package, _families in {
    "torch": "features scorers reweighters training", "transformers": "features training", "sklearn": "features laws scorers selectors",
    "lightning": "training", "faiss": "features", "umap": "features", "ray": "features", "lightgbm": "laws", "ruamel": "exporters readers", "tensorboard": "readers", "wandb": "readers",
}.items():
    for _family in _families.split():
        OTHERS[_family].add(_package)


def imports(file: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever it stands, relative ones made absolute."""
    here = ("reweightviz", *file.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(here[: len(here) - node.level + 1]) + "." if node.level else ""
            module = (start + (node.module or "")).strip(".")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def breaches(file: Path) -> list[str]:
    folder = file.relative_to(PACKAGE).parts[0]
    wrong = []
    for name in imports(file):
        top, _, rest = name.partition(".")
        if top == "reweightviz":
            allowed = rest.partition(".")[0] in BELOW[folder] | {folder}
        else:
            allowed = top in sys.stdlib_module_names or top in OTHERS[folder]
        wrong += [] if allowed else [f"{file.relative_to(PACKAGE)} imports {name}"]
    return wrong


@pytest.mark.parametrize("folder", BELOW)
def test_imports_only_point_down(folder):
    files = sorted((PACKAGE / folder).rglob("*.py"))
    assert [breach for file in files for breach in breaches(file)] == []


def test_every_folder_has_a_layer():
    folders = {path.parent.name for path in PACKAGE.glob("*/*.py")}
    assert folders <= set(BELOW)
    assert folders >= {"core", "numerics", "models", "widgets"}


@pytest.mark.parametrize("line", [
    "import torch", "def f():\n    from reweightviz.laws import olmix", "from ..features import embed", "from reweightviz import api",
    "import reweightviz.widgets.map",
])
def test_a_breach_is_found(line, tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    (tmp_path / "mixers").mkdir()
    file = tmp_path / "mixers" / "doremi.py"
    file.write_text(f"from __future__ import annotations\nimport numpy as np\nfrom ..core import mixture\n{line}\n")
    assert len(breaches(file)) == 1
