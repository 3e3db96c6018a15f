"""Environments with the real training frameworks: ``python tests/frameworks/environments.py NAME`` makes ``.venvs/NAME``.

A framework often wants older packages than ours, so it cannot live in ``.venv``. An environment here holds what
``environments/NAME.txt`` lists, every package with its exact version and nothing beyond the list (``--no-deps``), and
looks up all else, torch above all, in the ``.venv`` that made it. So it is small and never brings a second torch.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

HERE = Path(__file__).parent
LISTS = HERE / "environments"
STAND_INS = (
    HERE / "stand_ins"
)  # stand_ins/NAME, where it exists, holds empty modules for what NAME imports but never calls
MADE = HERE.parents[1] / ".venvs"


def names() -> list[str]:
    """Every environment that has a list."""
    return sorted(path.stem for path in LISTS.glob("*.txt"))


def python(name: str) -> Path | None:
    """The interpreter of an environment, or None where it was not made or its list has changed since."""
    stamp = MADE / name / ".ready"
    ready = stamp.is_file() and stamp.stat().st_mtime >= (LISTS / f"{name}.txt").stat().st_mtime
    return MADE / name / "bin" / "python" if ready else None


def make(name: str) -> Path:
    """The interpreter of an environment, which is made first where it is not ready."""
    if interpreter := python(name):
        return interpreter
    place, wanted = MADE / name, LISTS / f"{name}.txt"
    venv.create(place, clear=True, symlinks=True)
    interpreter = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(interpreter)]
    subprocess.run(
        [*pip, "install", "-qq", "--no-deps", "--no-compile", "--requirement", str(wanted)],
        check=True,
        stdout=sys.stderr,
    )
    # Written last, so that pip sees only the environment itself. Python searches these folders after the environment's own.
    shared = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), str(STAND_INS / name)]
    own = Path(
        sysconfig.get_path("purelib", "venv", {"base": str(place), "installed_base": str(place)})
    )
    (own / "shared.pth").write_text("\n".join(dict.fromkeys(shared)) + "\n", "utf-8")
    (place / ".ready").touch()
    return interpreter


def main(wanted: list[str]) -> None:
    """Print the interpreter of each environment asked for, making those that are not ready."""
    for name in wanted or sys.exit(f"which of {', '.join(names())}?"):
        if name not in names():
            sys.exit(f"no environment {name!r}; there are {', '.join(names())}")
        start = time.perf_counter()
        interpreter = make(name)
        print(f"{name} ready in {time.perf_counter() - start:.0f} s", file=sys.stderr)
        print(interpreter)


if __name__ == "__main__":
    main(sys.argv[1:])
