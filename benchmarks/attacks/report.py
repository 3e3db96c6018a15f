"""trust.md: what the attacks came to, for a reader who does not believe it."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["write_report"]

STATES = ("old", "new", "part", "mixed", "unreadable", "raised", "hangs")
TITLES = {
    "kills": "Killed with -9",
    "calls": "Calls that fail",
    "disk": "A full disk",
    "readonly": "A read-only folder",
    "writers": "Several processes at once",
}
INTRODUCTION = """# Trust, attacked

Written by `benchmarks/trust.py` from `benchmarks/results/trust.json`; `python benchmarks/trust.py \
--full` runs it again, `--short` in a few minutes without writing here, and `tests/test_trust.py` \
a part of every attack in `make test`.

A row is one thing that writes. An attack makes the old state, opens it in a new process, and \
strikes while that process changes it. Another new process then reads through the public API what \
is there, makes the next change, and reads again. Allowed is the old state or the new one, whole \
(of a log: its first lines); then the next change must work, and leave no file of ours that an \
undisturbed run would not leave. What counts as wrong: **mixed** (a value that nobody wrote), \
**unreadable** (a sentence where there was a value), **raised** (an error that is not ours), \
**hangs** (over 60 s), **stuck** (the next change fails), **left** (files of ours stay).

Calls are struck below Python, in the C library (`benchmarks/attacks/watched.c`, LD_PRELOAD), so \
that those of Arrow and Lance count too: rename, link, unlink, mkdir, create, write, truncate, \
fsync, chmod. Every call of a change is counted in a run without an attack.

Beside these stand `benchmarks/fuzz.py`, `bombs.py`, `hostile.py`, `explorer_machine.py` and \
`browser_hour.py`, each a script of its own.
"""
BEFORE = """
Before, in 0.5 (issue 13, by other scripts, of the same kind): 1,260 kills left 72 states damaged \
or mixed; what held then were 840 of 840 kills of mixtures, live mixtures, run logs, samplers and \
merges. Two processes that saved columns of one corpus lost both; 8 kB of free disk broke a corpus \
for good; two explorers in one folder overwrote each other without a word.
"""
EARLIER = "trust_0.5.json"
SAME_ATTACKS = """
These attacks, shorter, on the code before the mends (`trust.py --short --package`):
"""
LIMITS = """
## What this does not show

- The machine's own end: a kill leaves what the kernel holds; what a power cut takes depends on \
drive and file system. We ask for fsync before a rename that replaces what a person had.
- File systems of a network: rename and locks of NFS, SMB or a bucket are not those of a local disk.
- Hands: a file edited while we write it, or a folder copied half way, is whatever it then is.
"""


def write_report(results: Path, report: Path) -> None:
    """Write the report of a JSON of results."""
    found = json.loads(results.read_text("utf-8"))
    parts = [INTRODUCTION, "\n## In all\n", _summarize(found), BEFORE]
    before = results.with_name(EARLIER)
    if before.exists():
        earlier = json.loads(before.read_text("utf-8"))
        parts += [SAME_ATTACKS, _summarize(earlier), "\n", _list_worst(earlier)]
    for part, write in WRITERS.items():
        if part in found:
            parts.append(f"\n## {TITLES[part]}\n\n{_name_run(found[part])}\n\n")
            parts.append(write(found[part]["rows"]))
            parts.append(_list_faults(found[part]["rows"]))
    parts.append(LIMITS)
    report.write_text("".join(parts), "utf-8")


def _name_run(part: Mapping[str, Any]) -> str:
    run = part.get("measured", {})
    packages = ", ".join(f"{name} {number}" for name, number in run.get("packages", {}).items())
    return (
        f"{run.get('date')}, {run.get('device')}, Python {run.get('python')}, {packages}; "
        f"{run.get('minutes')} minutes in {run.get('processes')} processes, "
        f"at most {run.get('moments')} random moments a row."
    )


def _summarize(found: Mapping[str, Any]) -> str:
    lines = [
        "\n| attack | rows | attacks | old | new | whole part | mixed | unreadable | raised, hangs "
        "| stuck | left | rows with a fault |",
        "|---|" + "---:|" * 11,
    ]
    for part, title in TITLES.items():
        rows = [row for row in found.get(part, {}).get("rows", {}).values() if row["attacks"]]
        if not rows:
            continue
        states = _add_states(rows)
        counts = ["", "", "", "", "", ""]
        if states:
            counts = [f"{states[name]:,}" for name in STATES[:5]]
            counts.append(f"{states['raised'] + states['hangs']:,}")
        faulty = sum(bool(row.get("faults")) for row in rows)
        more = [_total(rows, "stuck"), _total(rows, "left")]
        lines.append(
            _join([title, f"{len(rows)}", _total(rows, "attacks"), *counts, *more, f"{faulty}"])
        )
    return "\n".join(lines) + "\n"


def _list_worst(found: Mapping[str, Any]) -> str:
    """Name the rows that had faults, by the attack."""
    lines = []
    for part, title in TITLES.items():
        rows = found.get(part, {}).get("rows", {})
        names = sorted(name for name, row in rows.items() if row.get("faults"))
        if names:
            lines.append(f"- {title}: {'; '.join(names)}.")
    return "\n".join(lines) + "\n"


def _add_states(rows: Sequence[Mapping[str, Any]]) -> Counter[str]:
    states: Counter[str] = Counter()
    for row in rows:
        states.update(row.get("states", {}))
    return states


def _total(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    return f"{sum(row.get(name, 0) for row in rows):,}"


def _join(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _gather(rows: Mapping[str, Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield a name and its rows; the ways to write one format are one line."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, row in rows.items():
        if row["attacks"]:
            key = name
            if name.startswith("export "):
                key = name.split(",")[0]
            groups[key].append(row)
    yield from sorted(groups.items())


def _write_states(rows: Mapping[str, Any]) -> str:
    lines = [
        "| row | attacks | calls of a change | old | new | whole part | wrong | stuck | left |",
        "|---|" + "---:|" * 8,
    ]
    for name, group in _gather(rows):
        states = _add_states(group)
        calls = max(sum(row.get("calls", {}).values()) for row in group)
        good = [f"{states[state]:,}" for state in STATES[:3]]
        wrong = sum(states[state] for state in STATES[3:])
        counts = [
            f"{calls or ''}",
            *good,
            f"{wrong}",
            _total(group, "stuck"),
            _total(group, "left"),
        ]
        lines.append(_join([name, _total(group, "attacks"), *counts]))
    return "\n".join(lines) + "\n"


def _write_ends(rows: Mapping[str, Any]) -> str:
    lines = [
        "| row | attacks | ended in a sentence | went on without | ended otherwise | old | new "
        "| whole part | wrong | stuck | left |",
        "|---|" + "---:|" * 10,
    ]
    for name, group in _gather(rows):
        states = _add_states(group)
        ends: Counter[str] = Counter()
        for row in group:
            ends.update(row.get("ends", {}))
        other = ends.total() - ends["sentence"] - ends["value"]
        good = [f"{states[state]:,}" for state in STATES[:3]]
        wrong = sum(states[state] for state in STATES[3:])
        counts = [f"{ends['sentence']}", f"{ends['value']}", f"{other}", *good, f"{wrong}"]
        more = [_total(group, "stuck"), _total(group, "left")]
        lines.append(_join([name, _total(group, "attacks"), *counts, *more]))
    return "\n".join(lines) + "\n"


def _write_sentences(rows: Mapping[str, Any]) -> str:
    lines = ["| row | what a user without rights is told |", "|---|---|"]
    for name, row in sorted(rows.items()):
        if row["attacks"] and not name.startswith("export "):
            said = row.get("said") or "nothing: its result needs no file"
            lines.append(_join([name, _shorten(said)]))
    return "\n".join(lines) + "\n"


def _write_writers(rows: Mapping[str, Any]) -> str:
    lines = [
        "| thing | writes | fine | told | an example of what is said |",
        "|---|---:|---:|---:|---|",
    ]
    for name, row in rows.items():
        if row["attacks"]:
            said = _shorten(row.get("said", ""))
            counts = [f"{row[key]:,}" for key in ("attacks", "fine", "told")]
            lines.append(_join([name, *counts, said]))
    return "\n".join(lines) + "\n"


def _shorten(words: str) -> str:
    """Return a sentence that is safe in a table."""
    return " ".join(words.split()).replace("|", "\\|")[:200]


def _list_faults(rows: Mapping[str, Any]) -> str:
    lines = []
    for name, row in sorted(rows.items()):
        for kind, words in row.get("faults", {}).items():
            lines.append(f"- {name}: {kind}: {_shorten(words)}")
        if row.get("skipped"):
            lines.append(f"- {name}: skipped, {row['skipped']}")
    if not lines:
        return "\nNothing was wrong, and nothing was left out.\n"
    return "\n" + "\n".join(lines) + "\n"


WRITERS = {
    "kills": _write_states,
    "calls": _write_ends,
    "disk": _write_ends,
    "readonly": _write_sentences,
    "writers": _write_writers,
}
