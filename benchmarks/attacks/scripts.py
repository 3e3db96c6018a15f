"""Scripts of their own that belong to the proof: fuzzing, steps of an editor, an hour in a page."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from pathlib import Path
from typing import Any

__all__ = ["SCRIPTS", "run_script"]

SCRIPTS = {
    "fuzz": ("benchmarks/fuzz.py", "--minutes", "10"),
    "bombs": ("benchmarks/bombs.py",),
    "code": ("benchmarks/hostile.py",),
    "steps": ("benchmarks/explorer_machine.py", "10000"),
    "hour": ("benchmarks/browser_hour.py",),
    "saved": ("-m", "pytest", "-q", "tests/api/test_saved_files.py", "-p", "no:cacheprovider"),
}
"""Part to the words of its command; each writes its own figures, if any, below results/."""
LINES = 12


def run_script(part: str, root: Path) -> dict[str, Any]:
    """Run a script; return how it ended and the last lines that it printed."""
    words = SCRIPTS[part]
    if words[0].endswith(".py") and not (root / words[0]).exists():
        return {"attacks": 0, "skipped": f"{words[0]} is not there"}
    last: deque[str] = deque(maxlen=LINES)
    own = {"PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=root,
        env=os.environ | own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            last.append(line.rstrip()[:400])
    result: dict[str, Any] = {"attacks": 1, "exit": process.returncode, "last": list(last)}
    if process.returncode:
        result["faults"] = {"exit": f"{process.returncode}: {last[-1] if last else ''}"}
    return result
