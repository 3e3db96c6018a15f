"""List what reweightviz stands on: licences, known vulnerabilities, lowest versions.

python tools/dependencies.py licences          of all that reweightviz[all] installs, here
python tools/dependencies.py vulnerabilities   of the same, as PyPI and pip-audit know them
python tools/dependencies.py lowest            requirements: every dependency at its lower bound

The first two end with 1 where a person has to look.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
EXTRAS = ("all",)
FORBIDDEN = re.compile(
    r"\bA?GPL|GNU (Affero )?General Public|Non-?Commercial|\bNC\b", re.IGNORECASE
)
"""Licences that would bind whoever uses reweightviz; the Lesser GPL does not."""
PERMISSIVE = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|LGPL|Lesser|Unlicense|0BSD"
    r"|HPND|CNRI|Zlib|CC0|Public Domain|Artistic",
    re.IGNORECASE,
)
READ = {"resvg-py": "MIT"}
"""Licences that stand only in a file of the package, by a person who read it."""


def read_requirements() -> dict[str, Requirement]:
    """Return what pyproject.toml asks for with all extras of a user, by canonical name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found: dict[str, Requirement] = {}

    def collect(lines: list[str]) -> None:
        for wanted in map(Requirement, lines):
            if wanted.name != project["name"]:
                found[canonicalize_name(wanted.name)] = wanted
                continue
            for extra in wanted.extras:
                collect(project["optional-dependencies"][extra])

    collect(project["dependencies"])
    for extra in EXTRAS:
        collect(project["optional-dependencies"][extra])
    return found


def find_closure() -> dict[str, Distribution]:
    """Return the installed packages that the requirements bring, by canonical name."""
    found: dict[str, Distribution] = {}
    waiting = list(read_requirements().values())
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            continue
        try:
            found[name] = distribution(wanted.name)
        except PackageNotFoundError:
            continue  # for another platform, or an extra that is not installed
        waiting += map(Requirement, found[name].requires or [])
    return dict(sorted(found.items()))


def find_licence(package: Distribution) -> str:
    """Return the licence that a package states: an expression, classifiers, or a first line."""
    facts = package.metadata
    if facts.get("License-Expression"):
        return str(facts["License-Expression"])
    named = [
        line.rsplit(" :: ", 1)[1]
        for line in facts.get_all("Classifier") or []
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    stated = (facts.get("License") or "").strip().partition("\n")[0]
    return " / ".join(named) or stated[:60] or READ.get(canonicalize_name(package.name), "")


def list_licences() -> int:
    """Print a line a package; return 1 where a licence is forbidden or not known."""
    direct = read_requirements()
    bad = []
    for name, package in find_closure().items():
        licence = find_licence(package)
        mark = "direct" if name in direct else ""
        print(f"{name:32} {package.version:16} {licence or 'not stated':44} {mark}")
        is_free = PERMISSIVE.search(licence) and not FORBIDDEN.search(licence)
        # Of several licences a user may choose one.
        if not is_free and not (PERMISSIVE.search(licence) and re.search(r"\bOR\b", licence)):
            bad.append(f"{name}: {licence or 'not stated'}")
    for line in bad:
        print(f"look: {line}", file=sys.stderr)
    return 1 if bad else 0


def list_vulnerabilities() -> int:
    """Print what pip-audit finds; return 1 for a vulnerability, 2 where nobody could be asked."""
    pinned = "".join(f"{name}=={package.version}\n" for name, package in find_closure().items())
    tool = shutil.which("pip-audit")
    if tool is None:
        sys.exit("pip-audit is not on the PATH: pipx install pip-audit")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(pinned)
        file.flush()
        options = ["--format=json", "--disable-pip", "--no-deps", "--progress-spinner=off"]
        command = [tool, *options, "--requirement", file.name]
        audit = subprocess.run(command, capture_output=True, text=True, check=False)
    if not audit.stdout:
        sys.exit(audit.stderr or "pip-audit said nothing")
    packages = json.loads(audit.stdout)["dependencies"]
    skipped = [package for package in packages if "skip_reason" in package]
    found = [
        (package["name"], package["version"], fault["id"], ", ".join(fault["fix_versions"]))
        for package in packages
        for fault in package.get("vulns", [])
    ]
    for name, version, identity, mended in found:
        print(f"{name} {version}: {identity}, mended in {mended or 'no version yet'}")
    asked = len(packages) - len(skipped)
    print(f"{asked} of {len(packages)} packages were asked about, {len(found)} findings")
    if not asked:
        print("nobody could be asked: the index has no record of vulnerabilities", file=sys.stderr)
        return 2
    return 1 if found else 0


def list_lowest() -> Iterator[str]:
    """Yield a requirement a dependency, at its lower bound."""
    for wanted in read_requirements().values():
        lowest = next(part.version for part in wanted.specifier if part.operator == ">=")
        # Of torch older builds are not at hand for the CPU alone.
        yield wanted.name if wanted.name == "torch" else f"{wanted.name}=={lowest}"


def main() -> int:
    """Run one of the three."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("licences", "vulnerabilities", "lowest"))
    what = parser.parse_args().what
    if what == "lowest":
        print("\n".join(list_lowest()))
        return 0
    return list_licences() if what == "licences" else list_vulnerabilities()


if __name__ == "__main__":
    sys.exit(main())
