"""The house: imports only point down, no two modules import each other, heavy packages have one place.

Imports inside functions count. The floors and the picture of them are in tools/house.py.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("house", ROOT / "tools" / "house.py")
house = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(house)

TABLES = frozenset({"numpy", "pandas", "pyarrow"})
OTHERS = {
    "core": {"lance", "tqdm", "filelock"},
    "numerics": {"scipy", "ot", "threadpoolctl", "clarabel", "torch"},
    "models": {"torch", "transformers", "tqdm", "huggingface_hub"},
    "figures": {"scipy", "plotly"},
    "readers": {"tqdm", "ruamel", "tensorboard", "wandb", "aim", "fsspec", "tokenizers"},
    "features": {"scipy", "sklearn", "faiss", "umap", "tqdm"},
    "laws": {"scipy", "sklearn", "lightgbm"},
    "scorers": {"sklearn"},
    "mixers": {"scipy"},
    "training": {"torch", "transformers", "lightning", "tqdm"},
    "exporters": {"ruamel"},
    "evaluation": set(),
    "diagnostics": set(),
    "proposals": set(),
    "widgets": {"anywidget", "ipywidgets", "plotly", "traitlets"},
    "apps": {"ipywidgets", "plotly", "traitlets", "resvg_py"},
}
"""Room to the packages that it may import beside TABLES and the standard library."""
ROOMS = sorted({house.room(name) for name in house.modules()} - {"reweightviz"})


def breaches(path: Path) -> list[str]:
    """Return the imports of a file that its room may not have."""
    own = house.room(
        ".".join(("reweightviz", *path.relative_to(house.PACKAGE).with_suffix("").parts))
    )
    allowed = TABLES | OTHERS.get(own, set()) | sys.stdlib_module_names
    wrong = []
    for name, _ in house.imports(path):
        top = name.partition(".")[0]
        if top == "reweightviz":
            fine = name.count(".") and house.room(name) in house.rooms_below(own) | {own}
        else:
            fine = top in allowed
        if not fine:
            wrong.append(f"{path.relative_to(house.PACKAGE)} imports {name}")
    return wrong


@pytest.mark.parametrize("room", ROOMS)
def test_imports_only_point_down(room):
    files = [path for name, path in house.modules().items() if house.room(name) == room]
    assert files
    assert [breach for path in files for breach in breaches(path)] == []


def test_the_root_holds_only_names():
    allowed = {"__init__.py", "catalogue.py"}
    assert {path.name for path in house.PACKAGE.glob("*.py")} == allowed
    own = [
        name for name, _ in house.imports(house.PACKAGE / "__init__.py") if "reweightviz" in name
    ]
    assert own == ["reweightviz.core.version.VERSION"]


def test_no_modules_import_each_other():
    assert house.circles(house.graph(types=False)) == []


def test_the_picture_of_the_house_is_of_today():
    drawn = house.PICTURE.read_text("utf-8")
    assert drawn == house.draw(), "python tools/house.py draws docs/house.svg anew"


@pytest.mark.parametrize(
    "line",
    [
        "import torch",
        "def f():\n    from reweightviz.laws import olmix",
        "from ..features import embed",
        "from reweightviz import api",
        "import reweightviz.widgets.map",
    ],
)
def test_a_breach_is_found(line, tmp_path, monkeypatch):
    monkeypatch.setattr(house, "PACKAGE", tmp_path)
    (tmp_path / "mixers").mkdir()
    file = tmp_path / "mixers" / "doremi.py"
    file.write_text(f"import numpy as np\nfrom ..core import mixture\n{line}\n")
    assert len(breaches(file)) == 1


def test_a_circle_is_found():
    arrows = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert house.circles(arrows) == [["b", "c"]]


def test_modules_declare_their_public_names():
    """``__all__`` holds every public function and class of a module, and each of its names is there."""
    for name, path in house.modules().items():
        tree = ast.parse(path.read_text("utf-8"))
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        defined = {node.name for node in tree.body if isinstance(node, kinds)}
        public = {each for each in defined if not each.startswith("_")}
        if public and path.name not in {"__init__.py", "__main__.py"}:
            module = importlib.import_module(name)
            assert public <= set(module.__all__), name
            assert all(hasattr(module, each) for each in module.__all__), name
