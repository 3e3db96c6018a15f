"""Fixtures of the browser tests: one JupyterLab and one Chromium for the session, a clean console after every test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(
    0, str(Path(__file__).parent)
)  # the harness lies beside the tests and is no part of the package

import chromium
from lab import Lab


@pytest.fixture(scope="session")
def lab_session(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    path = chromium.find()
    if path is None:
        pytest.fail(chromium.NOT_FOUND, pytrace=False)
    with Lab(
        tmp_path_factory.mktemp("lab"), chromium=path, shots=root / "tests" / "shots"
    ) as session:
        yield session


@pytest.fixture
def lab(lab_session: Lab) -> Iterator[Lab]:
    """The running JupyterLab. Afterwards its pages are closed, their kernels end, and their consoles must be clean."""
    yield lab_session
    errors = lab_session.close_pages()
    assert not errors, "errors in the page's console:\n" + "\n".join(errors)
