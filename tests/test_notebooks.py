"""The notebooks run from top to bottom, as a reader runs them."""

from __future__ import annotations

import nbformat
import pytest
from nbclient import NotebookClient


@pytest.mark.parametrize("name", ["ship"])
def test_a_notebook_runs_and_carries_no_outputs(root, tmp_path, name):
    notebook = nbformat.read(root / "notebooks" / f"{name}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = "".join(str(output) for cell in notebook.cells for output in cell.get("outputs", []))
    assert "+    web: 0.6" in shown
    assert (tmp_path / "shipped" / "decision.html").stat().st_size > 10_000
    assert "# hand-tuned in March" in (tmp_path / "shipped" / "train.yaml").read_text("utf-8")
