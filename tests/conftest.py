"""What every test shares: markers that turn into skips with a reason, and the demo corpus, read once."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PUBLIC_TABLES = ROOT.parent / "shared" / "data"


@cache
def _has_gpu() -> bool:
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("optional"):
        absent = [package for package in marker.args if importlib.util.find_spec(package) is None]
        if absent:
            pytest.skip(f"needs {', '.join(absent)}, which is not installed")
    if item.get_closest_marker("shared") and not PUBLIC_TABLES.is_dir():
        pytest.skip(f"reads public tables that are not part of a clone ({PUBLIC_TABLES})")
    if item.get_closest_marker("gpu") and not _has_gpu():
        pytest.skip("needs a CUDA device")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests go last: Playwright keeps an event loop running in this thread until they are done."""
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def public_tables() -> Path:
    """Folder of the public tables; mark the test ``shared``."""
    return PUBLIC_TABLES


@pytest.fixture(scope="session")
def demo_corpus():
    """The real demo corpus of this environment (about 10 seconds, once)."""
    from reweightviz.readers import demo

    return demo.read()
