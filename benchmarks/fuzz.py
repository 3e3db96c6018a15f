"""Read mutated files, family by family: every one must end in a value or in one sentence.

Writes benchmarks/results/fuzz.json when all families are run; a note there says what was recorded
in another way.

.venv/bin/python benchmarks/fuzz.py                        a minute a family
.venv/bin/python benchmarks/fuzz.py --minutes 10 configs   one family, ten minutes
.venv/bin/python benchmarks/fuzz.py --examples runs logs   mutate the files of this folder, too

Families: configs, sources, logs, swarms, corpora, saved, trackers, selections, commands. An
example is a folder of files; one of
its files is mutated, by bytes, words or lines, and the whole is read. Counted are the values, the
sentences, those that only the boundary made of another library's exception ("below", with its
place), crashes (any other exception), hangs (over 8 s of processor time), and those that took more
memory than 10 times the bytes of the example and 200 MiB. fuzz_guided.py lets atheris, where it is
installed, keep what reaches new code.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz_families import FAMILIES, RecogniserRaised
from mutations import mutate

from reweightviz.core.errors import ReweightvizError

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "fuzz.json"
SECONDS = 8
"""Of processor time: other processes of a machine are nobody's hang."""
WAITING = 120
"""Seconds by the clock; what waits so long for something hangs too."""
TIMES = 10
"""Bytes of memory for a byte of an example."""
FREE = 200 * 2**20
"""Bytes of memory beyond that."""
MEMORY = 6 * 2**30
"""Bytes of address space; what asks for more ends in a MemoryError."""


class Hang(BaseException):
    """It took too long; no reader catches it."""


@dataclass
class Tally:
    """The figures of a family."""

    mutations: int = 0
    values: int = 0
    sentences: int = 0
    below: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    hangs: Counter[str] = field(default_factory=Counter)
    large: Counter[str] = field(default_factory=Counter)
    """What took more memory than it may, and the MiB."""

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, the most frequent places first."""
        counted = {
            name: dict(getattr(self, name).most_common(40))
            for name in ("below", "crashes", "hangs", "large")
        }
        return {
            "mutations": self.mutations,
            "values": self.values,
            "sentences": self.sentences,
            **counted,
        }


def run(seconds: float, families: Sequence[str] = (), seed: int = 0) -> dict[str, Any]:
    """Return the figures of some families, all if none is named, each read for some seconds."""
    return {
        name: run_family(name, seed, seconds=seconds).to_dict() for name in families or FAMILIES
    }


def run_family(
    name: str, seed: int, *, seconds: float = 0, most: int = 0, more: Path | None = None
) -> Tally:
    """Read mutated examples of a family.

    Args:
        name: of the family.
        seed: of the mutations.
        seconds: to run for; 0 runs ``most`` mutations.
        most: mutations at the most; 0 sets no limit.
        more: a folder of further examples, each a folder or a file.
    """
    write, read = FAMILIES[name]
    rng = random.Random(seed)
    tally = Tally()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as made:
        place = Path(made) / "examples"
        place.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write(place)
        examples = sorted(place.iterdir())
        if more is not None:
            examples += sorted(more.iterdir())
        while (not most or tally.mutations < most) and (
            not seconds or time.monotonic() - begun < seconds
        ):
            example = _mutate_example(rng.choice(examples), Path(made) / "mutated", rng)
            count(read, example, tally)
            shutil.rmtree(Path(made) / "mutated")
    return tally


def _mutate_example(example: Path, into: Path, rng: random.Random) -> Path:
    """Copy an example, one of its files mutated."""
    copy = into / example.name
    if example.is_dir():
        shutil.copytree(example, copy)
    else:
        copy.mkdir(parents=True)
        shutil.copy(example, copy)
    file = rng.choice(sorted(path for path in copy.rglob("*") if path.is_file()))
    file.write_bytes(mutate(file.read_bytes(), rng))
    return copy


def count(read: Callable[[Path], None], example: Path, tally: Tally) -> None:
    """Read an example, and count what came of it."""
    tally.mutations += 1
    size = sum(file.stat().st_size for file in example.rglob("*") if file.is_file())
    before = _memory()
    try:
        with _limit_time(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(example)
        tally.values += 1
    except ReweightvizError as error:
        tally.sentences += 1
        if _is_below(error):
            tally.below[f"{example.name}: {_find_place(error.__cause__)}"] += 1
    except Hang as error:
        tally.hangs[f"{example.name}: {_find_place(error)}"] += 1
    except Exception as error:  # noqa: BLE001  what is counted here
        tally.crashes[f"{example.name}: {_find_place(error)}"] += 1
    grown = _memory() - before
    if grown > TIMES * size + FREE:
        tally.large[f"{example.name}: {grown >> 20} MiB"] += 1


def _memory() -> int:
    """Return the most bytes of memory that this process had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _is_below(error: ReweightvizError) -> bool:
    """Return whether the sentence stands for an exception of another library that none foresaw."""
    if isinstance(error.__cause__, ReweightvizError | OSError | UnicodeError | None):
        return False
    last = traceback.extract_tb(error.__traceback__)[-1]
    return isinstance(error, RecogniserRaised) or last.filename.endswith("foreign_file.py")


def _find_place(error: BaseException) -> str:
    """Return the last line of ours that an exception came through, and its kind."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/reweightviz/" in frame.filename]
    where = "?"
    if ours:
        where = f"{ours[-1].filename.rpartition('/reweightviz/')[2]}:{ours[-1].lineno}"
    return f"{where} {type(error).__name__}"


@contextmanager
def _limit_time() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Hang

    timers = {
        signal.SIGPROF: (signal.ITIMER_PROF, SECONDS),
        signal.SIGALRM: (signal.ITIMER_REAL, WAITING),
    }
    before = {number: signal.signal(number, stop) for number in timers}
    for timer, seconds in timers.values():
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer, _ in timers.values():
            signal.setitimer(timer, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def main() -> None:
    """Run the families that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("families", nargs="*", choices=[*FAMILIES, []])
    parser.add_argument("--minutes", type=float, default=1.0, help="a family")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--examples", type=Path, help="a folder of further examples")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    found: dict[str, Any] = {"seed": options.seed, "minutes": options.minutes}
    for name in options.families or FAMILIES:
        tally = run_family(name, options.seed, seconds=60 * options.minutes, more=options.examples)
        found[name] = tally.to_dict()
        print(name, json.dumps(found[name], indent=2, ensure_ascii=False), flush=True)
    if not options.families:
        RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
