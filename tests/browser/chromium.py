"""Finds a Chromium that runs; as a script, installs one where there is none and prints its path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-dejavu-core", "fonts-noto-color-emoji")
NOT_FOUND = (
    "The browser tests need Chromium: none was found on the PATH or in Playwright's folder. `make test` installs one; by hand, "
    "install chromium or google-chrome, or set REWEIGHTVIZ_CHROMIUM to the path of one."
)


def find() -> str | None:
    """Path of the first Chromium that answers to --version; REWEIGHTVIZ_CHROMIUM, if set, is the only one asked."""
    named = os.environ.get("REWEIGHTVIZ_CHROMIUM")
    candidates = [named] if named else _candidates()
    return next((path for path in candidates if _runs(path)), None)


def _candidates() -> Iterator[str]:
    yield from filter(None, map(shutil.which, NAMES))
    # Playwright's own, asked in another process: its sync API cannot start where an event loop already runs.
    code = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    yield subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    ).stdout.strip()


def _runs(path: str) -> bool:
    # Ubuntu's chromium-browser is a script that only points to a snap, so a file that is there is not enough.
    if not Path(path).is_file():
        return False
    try:
        return (
            subprocess.run(
                [path, "--version"], capture_output=True, timeout=60, check=False
            ).returncode
            == 0
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def install() -> None:
    """The system's package where we may install one, otherwise Playwright's own build."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root and shutil.which("apt-get"):
        quiet = {
            "stdout": sys.stderr,
            "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            "check": False,
        }
        subprocess.run(["apt-get", "-qq", "update"], **quiet)
        subprocess.run(
            ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *PACKAGES], **quiet
        )
        if find():
            return
    extra = ["--with-deps"] if root and shutil.which("apt-get") else []
    subprocess.run(
        [sys.executable, "-m", "playwright", "install", *extra, "chromium"],
        stdout=sys.stderr,
        check=False,
    )


def main() -> None:
    if not find() and "REWEIGHTVIZ_CHROMIUM" not in os.environ:
        install()
    path = find()
    if not path:
        named = os.environ.get("REWEIGHTVIZ_CHROMIUM")
        tried = (
            f"REWEIGHTVIZ_CHROMIUM names {named}, which does not run."
            if named
            else (
                "No Chromium for the browser tests: neither apt-get (as root) nor `playwright install chromium` brought one; "
                "install chromium or google-chrome, or set REWEIGHTVIZ_CHROMIUM to the path of one."
            )
        )
        sys.exit(tried)
    print(path)


if __name__ == "__main__":
    main()
