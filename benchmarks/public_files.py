"""Check every config-like file of public repositories: whose it is, and how often that fails.

Writes benchmarks/results/public_files.md.

.venv/bin/python benchmarks/public_files.py                     all of .checkouts/
.venv/bin/python benchmarks/public_files.py levanter nanotron   these folders of it
.venv/bin/python benchmarks/public_files.py --each each.jsonl   and a line a file

Which repositories, at which commits, stands in tests/frameworks/checkouts.txt. Anything but a
report or one sentence of ours is a crash. "Below" counts the sentences that only the boundary
made of another library's exception: a reader that should have said it better itself.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from reweightviz.core.errors import ReweightvizError
from reweightviz.core.version import VERSION
from reweightviz.exporters.check import check
from reweightviz.exporters.text.encoding import MOST_BYTES

ROOT = Path(__file__).parents[1]
CHECKOUTS = ROOT / ".checkouts"
COMMITS = ROOT / "tests" / "frameworks" / "checkouts.txt"
RESULTS = ROOT / "benchmarks" / "results" / "public_files.md"
SUFFIXES = (".yaml", ".yml", ".json", ".py", ".sh", ".slurm", ".txt", ".toml", ".csv")
UNKNOWN = "is no config that is known here"


@dataclass
class Checked:
    """One file: what it was found to be, or the sentence, or the crash."""

    path: str
    seconds: float
    framework: str = ""
    ok: bool = True
    said: tuple[str, ...] = ()
    shares: str = ""
    sentence: str = ""
    below: str = ""
    crash: str = ""


def check_file(path: Path) -> Checked:
    """Check one file."""
    found = Checked(str(path.relative_to(CHECKOUTS)), 0.0)
    begun = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = check(path)
            str(report)
        found.framework = report.framework
        found.ok = report.ok
        found.said = (*report.refused, *report.traps, *report.notes)
        names = [column for column in report.table if column.startswith(("share", "number"))]
        found.shares = report.table[["domain", *names]].head(8).to_csv(index=False)
    except ReweightvizError as error:
        found.sentence = str(error)
        cause = error.__cause__
        last = traceback.extract_tb(error.__traceback__)[-1]
        if cause is not None and last.filename.endswith("foreign_file.py"):
            found.below = type(cause).__name__
    except Exception as error:  # noqa: BLE001  what is counted here
        found.crash = f"{type(error).__name__}: {error}"
    found.seconds = time.perf_counter() - begun
    return found


def find_files(folder: Path) -> Iterator[Path]:
    """Generate the config-like files of a checkout, in order."""
    for path in sorted(folder.rglob("*")):
        fits = path.suffix in SUFFIXES and path.is_file() and not path.is_symlink()
        if fits and path.stat().st_size <= MOST_BYTES:
            yield path


def read_commits() -> dict[str, str]:
    """Return folder to repository and commit."""
    lines = [line.split() for line in COMMITS.read_text("utf-8").splitlines()]
    return {line[0]: " ".join(line[1:]) for line in lines if line and line[0] != "#"}


def to_row(title: str, found: Sequence[Checked]) -> str:
    """Return the row of a repository."""
    known = [one for one in found if one.framework]
    named = Counter(one.framework for one in known)
    seconds = [one.seconds for one in found] or [0.0]
    told = [one for one in found if one.sentence and UNKNOWN not in one.sentence]
    cells = (
        title,
        len(found),
        len(known),
        ", ".join(f"{name} {count}" for name, count in sorted(named.items())) or "–",
        sum(not one.ok for one in known),
        len(told),
        sum(bool(one.below) for one in found),
        sum(bool(one.crash) for one in found),
        f"{1000 * statistics.median(seconds):.1f}",
        f"{max(seconds):.2f}",
    )
    return f"| {' | '.join(map(str, cells))} |"


HEAD = (
    "| repository | files | recognised | by framework | refused | other sentences | below | "
    "crashes | median, ms | worst, s |\n|---|--:|--:|---|--:|--:|--:|--:|--:|--:|"
)


def main() -> None:
    """Check what was asked for; write the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--each", type=Path, help="JSON lines, a file each")
    options = parser.parse_args()
    commits = read_commits()
    rows: list[str] = []
    every: list[Checked] = []
    for folder in options.folders or sorted(commits):
        if not (CHECKOUTS / folder).is_dir():
            rows.append(f"| {commits[folder]} | not there |||||||||")
            continue
        found = [check_file(path) for path in find_files(CHECKOUTS / folder)]
        every += found
        rows.append(to_row(commits.get(folder, folder), found))
        print(rows[-1], flush=True)
    if options.each:
        options.each.write_text("".join(json.dumps(asdict(one)) + "\n" for one in every))
    text = "\n".join((HEAD, *rows, to_row("**all**", every)))
    slowest = max(every, key=lambda one: one.seconds)
    print(to_row("all", every))
    if options.folders:
        return
    RESULTS.write_text(
        f"# Public files through `rv.check`\n\nreweightviz {VERSION}, Python "
        f"{platform.python_version()}, one process; `benchmarks/public_files.py`. Files of "
        f'{", ".join(SUFFIXES)} up to {MOST_BYTES:,} bytes. "Refused": recognised, and a named '
        f"fault that the framework refuses. The slowest is {slowest.path}.\n\n{text}\n"
    )


if __name__ == "__main__":
    main()
