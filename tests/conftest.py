"""What every test shares: markers that turn into skips with a reason, and the demo corpus, read once."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
FRAMEWORKS = ROOT / "tests" / "frameworks"
CHECKOUTS = Path(os.environ.get("REWEIGHTVIZ_CHECKOUTS", ROOT / ".checkouts"))
collect_ignore_glob = [
    "frameworks/*",
    "steering/*",
]  # they run in environments or processes of their own
PUBLIC_TABLES = ROOT.parent / "shared" / "data"

# A busy machine is no fault of a test, and what CI finds is to be found again.
settings.register_profile(
    "reweightviz",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("reweightviz")

_spec = importlib.util.spec_from_file_location("environments", FRAMEWORKS / "environments.py")
environments = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(environments)


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
    for marker in item.iter_markers("framework"):
        if environments.python(marker.args[0]) is None:
            pytest.skip(f"needs the environment {marker.args[0]!r}: make test-frameworks")
    for marker in item.iter_markers("checkout"):
        if not (CHECKOUTS / marker.args[0]).is_dir():
            pytest.skip(f"needs a checkout of {marker.args[0]} in {CHECKOUTS}")
    if item.get_closest_marker("gpu") and not _has_gpu():
        pytest.skip("needs a CUDA device")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests go last: Playwright keeps an event loop running in this thread until they are done."""
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture
def load_with(request, tmp_path):
    """Runs a script of tests/frameworks in the environment that the test is marked with, and returns its RESULT.

    ``load_with("trl_load.py", config=..., draws=2000)`` hands the keywords over as JSON; the script prints
    ``RESULT <json>`` as its last line.
    """

    def run(script: str, **job) -> dict:
        marker = request.node.get_closest_marker("framework")
        python = environments.python(marker.args[0]) if marker else sys.executable
        own = {
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(tmp_path / "hub"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            [python, FRAMEWORKS / script, json.dumps(job, default=str)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            cwd=tmp_path,
            env=os.environ | own,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return json.loads(done.stdout.rpartition("RESULT ")[2])

    return run


@pytest.fixture(scope="session")
def check_order():
    """Return a check that every tenth of a draw has the mixture, which totals alone would not show.

    ``check_order(found["order"], {"web": 0.7, "code": 0.3})`` takes what ``tenths`` of
    tests/frameworks/order.py reports. A tenth may be off by five standard deviations of
    independent draws: far less than a framework that passes from one domain to the next.
    """

    def check(order: list[dict[str, int]], shares: dict[str, float]) -> None:
        assert len(order) == 10
        whole = sum(shares.values())
        for place, part in enumerate(order):
            draws = sum(part.values())
            assert draws > 0 and set(part) <= set(shares), (place, part)
            for name, weight in shares.items():
                share = weight / whole
                slack = 5 * (share * (1 - share) / draws) ** 0.5 + 1 / draws
                drawn = part.get(name, 0) / draws
                assert abs(drawn - share) <= slack, (place, name, drawn, share, order)

    return check


@pytest.fixture(autouse=True)
def _first_sight():
    """Let no test see the colours that another gave to its domains."""
    from reweightviz.figures.domain_colors import forget_names

    forget_names()


@pytest.fixture(scope="session")
def checkouts() -> Path:
    """Folder of checkouts of frameworks that no registry has; mark the test ``checkout``."""
    return CHECKOUTS


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
    from reweightviz.readers.demo import corpus as demo

    return demo.read()


@pytest.fixture(scope="session")
def regmix(public_tables):
    """Return the public RegMix swarm: 512 runs of 17 domains, and 256 held out."""
    from reweightviz.readers.swarms import two_tables

    return {
        part: two_tables.read(
            public_tables / f"regmix/{part}_mixture_1m.csv",
            public_tables / f"regmix/{part}_pile_loss_1m.csv",
        )
        for part in ("train", "test")
    }


@pytest.fixture(scope="session")
def token_prior():
    """Return the shares of tokens of RegMix' 17 domains, as its authors' code has them."""
    import numpy as np

    path = ROOT / "tests" / "golden" / "regmix_token_prior.json"
    return np.array(json.loads(path.read_text("utf-8"))["shares"])


@pytest.fixture(scope="session")
def pile_law(regmix):
    """Return Olmix' law of that swarm, fitted once."""
    from reweightviz.laws.olmix import Olmix

    train = regmix["train"]
    return Olmix(draws=100).fit(
        domains=train.domains, targets=train.targets, mixtures=train.mixtures, losses=train.losses
    )


@pytest.fixture
def is_killed():
    """Runs work in a second process, and tells whether that was killed."""
    if not hasattr(os, "fork"):
        pytest.skip("forks processes, which Windows does not")

    def run(work):
        child = os.fork()
        if child == 0:
            try:
                work()
            finally:
                os._exit(1)
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])

    return run


@pytest.fixture
def is_killed_at(is_killed):
    """Runs work in a second process that is killed before its rename ``number``, and tells whether it had so many."""

    def run(number, work):
        left = [number]
        real = os.replace

        def replace(*paths, **options):
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return real(*paths, **options)

        def work_until():
            os.replace = replace
            work()

        return is_killed(work_until)

    return run
