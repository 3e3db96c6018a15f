"""METHODS.md and the README's table of exporters, as tools/methods.py writes them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("methods", ROOT / "tools" / "methods.py")
methods = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(methods)


def test_methods_md_is_of_today():
    assert methods.METHODS.read_text("utf-8") == methods.render_methods(), "run `make methods`"


def test_the_readmes_table_of_exporters_is_of_today():
    readme = methods.README.read_text("utf-8")
    assert readme == methods.fill_readme(readme), "run `make methods`"
    assert methods.fill_readme(
        "a\n<!-- exporters: written by make methods -->\n<!-- end -->\nb"
    ) == (
        f"a\n<!-- exporters: written by make methods -->\n{methods.tabulate_exporters()}\n"
        "<!-- end -->\nb"
    )


def test_it_is_written_how_a_method_was_shown():
    rows = {
        row.split("`")[1]: row
        for row in methods.render_methods().splitlines()
        if row.startswith("| `")
    }
    assert rows["megatron"].endswith("| loaded by the real package |")
    assert "the real megatron-core" in rows["megatron"]
    assert rows["premixdb"].endswith("| source only: read, not run |")
    assert rows["json"].endswith("| read by reweightviz itself |")


def test_it_is_written_how_the_trainer_drives_a_mixer():
    assert methods.describe_driving("DoReMi") == "yes, told excess_loss while training"
    assert methods.describe_driving("Natural") == "weights once, before training"
