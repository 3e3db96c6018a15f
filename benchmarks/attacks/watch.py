"""The calls that change files, counted, killed at or failed: what watched.c does, from Python."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = [
    "COUNT",
    "FAIL_FROM",
    "FAIL_ONE",
    "KILL_AFTER",
    "KILL_BEFORE",
    "OFF",
    "arm",
    "build",
    "count",
    "name_of",
    "why_not",
]

OFF, COUNT, KILL_BEFORE, KILL_AFTER, FAIL_ONE, FAIL_FROM = range(6)
VARIABLE = "TRUST_WATCH"


def why_not() -> str:
    """Return why no call can be watched here; empty where they can."""
    if sys.platform != "linux":
        return "calls are watched by LD_PRELOAD and /proc, on Linux alone"
    if shutil.which("cc") is None:
        return "calls are watched by a library that a C compiler, cc, builds first"
    return ""


def build(folder: Path) -> dict[str, str]:
    """Build the library and return the environment that a worker needs to be watched."""
    library = folder / "watched.so"
    source = Path(__file__).with_name("watched.c")
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return {"LD_PRELOAD": str(library), VARIABLE: str(library)}


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(os.environ[VARIABLE])
    library.trust_count.restype = ctypes.c_long
    library.trust_name.restype = ctypes.c_char_p
    library.trust_name.argtypes = [ctypes.c_long]
    library.trust_arm.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long, ctypes.c_int]
    return library


def arm(folder: Path, mode: int, number: int = 0, error: int = 0) -> None:
    """Strike at a call below the folder from now on, in this process."""
    _library().trust_arm(os.fsencode(folder), mode, number, error)


def count() -> int:
    """Return how many calls there were since the library was armed."""
    return int(_library().trust_count())


def name_of(number: int) -> str:
    """Return what a counted call did: write, rename, fsync, ..."""
    return str(_library().trust_name(number).decode())
