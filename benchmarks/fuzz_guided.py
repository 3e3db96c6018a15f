"""Fuzz a family with atheris, which keeps mutants that reach new code of reweightviz.

It needs ``pip install atheris`` (3.0.0 was tried, Python 3.11), which nothing else here does.

python benchmarks/fuzz_guided.py configs --seconds 600

An input is the place of an example, the place of its file, and the bytes of that file; it is
mutated by mutations.py or by libFuzzer itself. The figures are those of fuzz.py.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["reweightviz"]):
    from fuzz import Tally, count
    from fuzz_families import FAMILIES

from mutations import mutate

HEAD = 2
"""Bytes of an input before those of the file."""


def main() -> None:
    """Fuzz the family that was asked for, and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("family", choices=list(FAMILIES))
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    write, read = FAMILIES[options.family]
    tally = Tally()
    made = Path(tempfile.mkdtemp())
    (made / "examples").mkdir()
    (made / "corpus").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(made / "examples")
    examples = sorted((made / "examples").iterdir())
    for place, example in enumerate(examples):
        for number, file in enumerate(_files(example)):
            seed = bytes([place % 256, number % 256]) + file.read_bytes()
            (made / "corpus" / f"{place}-{number}").write_bytes(seed)
    until = time.monotonic() + options.seconds

    def try_input(data: bytes) -> None:
        if time.monotonic() > until:
            print(json.dumps(tally.to_dict(), indent=2), flush=True)
            shutil.rmtree(made)
            os._exit(0)
        if len(data) <= HEAD:
            return
        example = examples[data[0] % len(examples)]
        copy = shutil.copytree(example, made / "mutated" / example.name)
        files = _files(copy)
        files[data[1] % len(files)].write_bytes(data[HEAD:])
        count(read, copy, tally)
        shutil.rmtree(made / "mutated")

    def change(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < 0.25:
            return atheris.Mutate(data, most)
        return (data[:HEAD] + mutate(data[HEAD:], rng))[:most]

    arguments = [sys.argv[0], "-max_len=200000", "-timeout=0", "-rss_limit_mb=0", "-verbosity=0"]
    atheris.Setup([*arguments, str(made / "corpus")], try_input, custom_mutator=change)
    atheris.Fuzz()


def _files(example: Path) -> list[Path]:
    return sorted(path for path in example.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
