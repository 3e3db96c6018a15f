"""Small files that stand for large ones, and every reader over them, each in a process of its own.

A bomb unfolds (gz, bz2, xz, zstd, zip, npz, Parquet, aliases), nests, has a number of a million
digits, a line or a name without end, or more keys than anybody wrote. Each must end in a value or
in one sentence within the seconds of process time and the memory that fuzz.py allows.

.venv/bin/python benchmarks/bombs.py                  all
.venv/bin/python benchmarks/bombs.py configs digits   those whose name holds both words
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import json
import lzma
import os
import random
import resource
import shutil
import tempfile
import time
import traceback
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fuzz import FREE, SECONDS, TIMES

import reweightviz as rv
from reweightviz.core.errors import ReweightvizError

__all__ = ["Bomb", "Outcome", "list_bombs", "run", "try_bomb"]

ADDRESSES = 8 * 2**30
"""Bytes of address space of a child; what asks for more ends in a MemoryError."""

Reader = Callable[[Path], Any]


class Bomb(NamedTuple):
    """A file and what reads it."""

    name: str
    file: str
    """Its name, by whose ending readers know it."""
    make: Callable[[], bytes]
    read: Reader


class Outcome(NamedTuple):
    """What came of a bomb."""

    name: str
    size: int
    """Bytes of the file."""
    seconds: float
    """Of process time."""
    grown: int
    """Bytes of memory at the highest, above what was there before."""
    said: str
    """"value", the sentence, or the fault of another kind."""
    fault: str
    """Empty, or what is wrong with it."""


# ---- what reads


def _check(path: Path) -> None:
    sources = {name: {"tokens": 1e9, "documents": 1e6} for name in ("web", "code")}
    str(rv.check(path, sources=sources, tokens=1e9))


def _merge(path: Path) -> None:
    rv.export({"web": 0.5, "code": 0.5}, "yaml", path, merge=True, backup=False)


def _select(path: Path) -> None:
    corpus = rv.Corpus({"text": ["a", "b"], "domain": ["web", "code"]})
    rv.load_selection(path, corpus)


def _corpus(path: Path) -> None:
    rv.read_corpus(path, text="text", domain="domain").text([0])


def _explorer(path: Path) -> None:
    from reweightviz.apps.explorer.state import ExplorerState

    ExplorerState.load(path)


def _swarm(path: Path) -> None:
    rv.read_swarm(path)


def _follow(path: Path) -> None:
    _ = rv.read_log(path, follow=True).log


TEXTS: dict[str, tuple[tuple[str, ...], Reader]] = {
    "check": (("a.yaml", "a.json", "a.py", "a.sh", "a.txt", "a.csv", "a"), _check),
    "schedule of a config": (("a.yaml", "a.py"), rv.load_schedule),
    "merge": (("a.yaml",), _merge),
    "command": (("a.cmd",), lambda path: rv.check(path.read_text("utf-8"))),
    "sources": (("a.yaml", "a.json", "a.csv", "a.tsv"), rv.read_sources),
    "log": (
        ("a.jsonl", "a.json", "a.csv", "a.log", "trainer_state.json", "trainer_log.jsonl"),
        rv.read_log,
    ),
    "follow": (("a.jsonl", "a.csv", "a.log"), _follow),
    "swarm": (("a.csv", "a.json", "a.jsonl", "a.txt"), _swarm),
    "corpus": (("a.jsonl", "a.json", "a.csv"), _corpus),
    "selection": (("a.csv", "a.jsonl"), _select),
    "mixture": (("a.json",), rv.Mixture.load),
    "schedule": (("a.json",), rv.Schedule.load),
    "live": (("a.json",), lambda path: rv.LiveMixture(path).changes()),
    "run log": (("a.jsonl",), rv.RunLog.load),
    "explorer": (("a.json",), _explorer),
}
"""Role to the names of files of text, and what reads them."""

# ---- what they read

MILLION = 10**6
DEEP = 100_000


def _texts() -> Iterator[tuple[str, Callable[[], str]]]:
    """Generate names and texts that any reader of text may meet."""
    yield "brackets", lambda: "[" * DEEP
    yield "objects", lambda: '{"weights":' * DEEP
    yield "closed objects", lambda: '{"weights":' * DEEP + "1" + "}" * DEEP
    yield "closed brackets", lambda: '{"weights": ' + "[" * 900 + "]" * 900 + "}"
    yield "dashes", lambda: "- " * DEEP + "a"
    yield "indents", lambda: "\n".join(" " * depth + "a:" for depth in range(1500))
    yield "questions", lambda: "? " * DEEP
    yield "minuses", lambda: "WEIGHTS = " + "-" * DEEP + "1"
    yield (
        "sums",
        lambda: "WEIGHTS = [" + "1+" * DEEP + "1, 2]\nmix(datasets, probabilities=WEIGHTS)",
    )
    yield "attributes", lambda: "interleave_datasets(a" + ".b" * DEEP + ", probabilities=[1])"
    yield "calls", lambda: "a = " + "f(" * 150 + ")" * 150
    yield "digits", lambda: '{"weights": {"web": ' + "9" * MILLION + "}}"
    yield "digits of a step", lambda: '{"step": ' + "9" * MILLION + ', "loss": {"web": 1}}\n'
    yield "digits in quotes", lambda: '{"web": "' + "9" * MILLION + '", "code": "1"}'
    yield "hexadecimal", lambda: "web: 0x" + "f" * MILLION + "\ncode: 1\n"
    yield "hexadecimal weights", lambda: "weights: {web: 0x" + "f" * 5000 + ", code: 1}\n"
    yield "sexagesimal", lambda: "%YAML 1.1\n---\nweights: {web: 1" + ":59" * 300_000 + "}\n"
    yield "underscores", lambda: "weights: {web: 1" + "_1" * 300_000 + "}\n"
    yield "exponent", lambda: "weights: {web: 1e999999999999, code: 1}\nweb: 1e-99999999999999\n"
    yield "digits of Python", lambda: "WEIGHTS = {'web': " + "9" * MILLION + "}"
    yield "hexadecimal of Python", lambda: "mixture_weights = {'web': 0x" + "f" * 5000 + "}"
    yield "a power of Python", lambda: "mixture_weights = [" + "9" * 4000 + "*" + "9" * 4000 + ",1]"
    yield "keys", lambda: json.dumps({f"k{key}": 1 for key in range(200_000)})
    yield "weights", lambda: json.dumps({"weights": {f"k{key}": 1 for key in range(200_000)}})
    yield "keys of YAML", lambda: "".join(f"k{key}: 1\n" for key in range(300_000))
    yield "columns", lambda: ",".join(f"c{key}" for key in range(200_000)) + "\n" + "1," * 200_000
    yield (
        "rows of keys",
        lambda: "".join(
            json.dumps({"step": step, f"loss/{step}": 1}) + "\n" for step in range(20_000)
        ),
    )
    yield "nothing but commas", lambda: "," * MILLION
    yield "one word", lambda: "a" * (4 * MILLION)
    yield "lines without end", lambda: "\n" * (4 * MILLION)
    yield "nulls", lambda: "\0" * MILLION
    yield "aliases", _nest_aliases
    yield "wide aliases", lambda: "a: &a [" + "x," * 1000 + "]\nb: [" + "*a," * 100_000 + "]\n"
    yield "merge keys", _nest_merges
    yield "anchors", lambda: "".join(f"- &a{n} x\n" for n in range(200_000))
    yield "comments", lambda: "#" + "\n#" * 2 * MILLION
    yield "options", lambda: "train " + "--a " * 300_000 + "--data-path 1 a"
    yield "assignments", lambda: "A=1\n" + "A=$A$A\n" * 100 + "train --data-path $A"
    yield "many assignments", lambda: "A=1\n" * 9_000 + "train --data-path $A\n" * 9_000
    yield "quotes", lambda: '"' * MILLION
    yield "odd quotes", lambda: "train --data-path " + '"a\\' * 300_000
    for unit in LINES:
        yield f"line of {unit!r}", lambda unit=unit: unit * (MILLION // len(unit)) + "\n"
        yield (
            f"printed line of {unit!r}",
            lambda unit=unit: (
                f"step 1: loss 2.5\nstep 2: loss 2.5\nstep 3 loss"
                f"{unit * (MILLION // len(unit))}\nstep 4: loss 1\n"
            ),
        )


LINES = (
    *(
        " ",
        "a ",
        "a=",
        "a: ",
        "a: 1 ",
        "1,",
        "1.",
        "_",
        "'",
        "\\",
        "(",
        "[a",
        "[",
        "| a ",
        "|",
        "/",
    ),
    *(
        "=",
        "\t",
        "\r",
        "&a ",
        "$",
        "${A}",
        "$A",
        "{{",
        "{",
        "%",
        "é",
        "loss ",
        "step 1 ",
        "a[",
        "(a",
    ),
    *("\x1b[", "1 ", "--a ", "--a=", "iteration ", "\\\n", "a=b ", ": ", ", ", '"a" ', ";", "a.b."),
)
"""What a line of a million letters repeats."""
LINED = {"a.cmd", "a.sh", "a.txt", "a.log", "a.yaml", "a.py", "a.csv"}
"""Files that long lines are tried in."""


def _nest_aliases() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join(lines) + "\nweights: *a11\nweb: *a11\n"


def _nest_merges() -> str:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], k{n}: 1}}" for n in range(1, 40)]
    return "\n".join(lines) + "\nweights: *a39\n"


# ---- what is packed

ZEROS = 2**30
"""Bytes that a packed bomb unfolds to."""


def _pack(packing: str, block: bytes) -> bytes:
    """Return a GiB of a block, compressed piece by piece."""
    times = ZEROS // len(block)
    if packing == "zst":
        return bytes(pa.Codec("zstd").compress(block * times).to_pybytes())
    if packing == "gz":
        # Members one behind the other are a file of theirs all.
        return gzip.compress(block * 8, 1) * (times // 8)
    if packing == "bz2":
        return bz2.compress(block * 8, 1) * (times // 8)
    return lzma.compress(block * 8, preset=1) * (times // 8)


def _line_of_text() -> bytes:
    row = json.dumps({"text": "a" * 1000, "domain": "web", "step": 1, "loss": 2}) + "\n"
    return (row.encode() * 1100)[: 2**20]


def _packed() -> Iterator[Bomb]:
    contents = {
        "zeros": lambda: bytes(2**20),
        "rows": _line_of_text,
        "brackets": lambda: b"[" * 2**20,
    }
    for packing in ("gz", "bz2", "xz", "zst"):
        for what, block in contents.items():
            for role, read, ending in (
                ("corpus", _corpus, "jsonl"),
                ("corpus", _corpus, "csv"),
                ("swarm", _swarm, "jsonl"),
                ("swarm", _swarm, "csv"),
            ):
                yield Bomb(
                    f"packed {what} {role} {ending}.{packing}",
                    f"a.{ending}.{packing}",
                    lambda packing=packing, block=block: _pack(packing, block()),
                    read,
                )


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _zips() -> Iterator[Bomb]:
    log = rv.read_log
    big = ZEROS - 1
    yield Bomb(
        "zip of Comet",
        "a.zip",
        lambda: _zip({"messages.json": bytes(big), "experiment.json": b"{}"}),
        log,
    )
    row = b'{"type": "metric_msg", "payload": {"metric": {"metricName": "a", "step": 1}}}\n'
    yield Bomb(
        "zip of Comet, rows",
        "a.zip",
        lambda: _zip({"messages.json": row * 5_000_000, "experiment.json": b"{}"}),
        log,
    )
    yield Bomb(
        "zip of ClearML",
        "a.zip",
        lambda: _zip({"metrics.jsonl": b"\n" * big, "task.json": b"{}"}),
        log,
    )


# ---- tables

ROWS = 20 * MILLION


def _parquet(columns: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


def _repeat(value: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), pa.array([value]))


def _tables() -> Iterator[Bomb]:
    text = "a" * 10_000

    def documents() -> bytes:
        return _parquet({"text": _repeat(text, MILLION), "domain": _repeat("web", MILLION)})

    def sources() -> bytes:
        return _parquet({"domain": _repeat("web", ROWS), "tokens": np.ones(ROWS, np.int8)})

    def long_sources() -> bytes:
        return _parquet({"domain": _repeat(text, MILLION), "tokens": np.ones(MILLION, np.int8)})

    def losses() -> bytes:
        return _parquet({"_step": np.zeros(ROWS, np.int64), "loss/web": np.ones(ROWS)})

    def words() -> bytes:
        return _parquet({"_step": np.zeros(MILLION, np.int64), "loss/web": _repeat(text, MILLION)})

    def ids() -> bytes:
        return _parquet({"id": _repeat(text, MILLION)})

    def wide() -> bytes:
        return _parquet({f"loss/{column}": np.ones(1) for column in range(20_000)} | {"_step": [1]})

    yield Bomb("parquet corpus, one text", "a.parquet", documents, _corpus)
    yield Bomb("parquet sources, one domain", "a.parquet", sources, rv.read_sources)
    yield Bomb("parquet sources, one long domain", "a.parquet", long_sources, rv.read_sources)
    yield Bomb("parquet sources of a corpus", "a.parquet", documents, rv.read_sources)
    yield Bomb("parquet log, zeros", "a.parquet", losses, rv.read_log)
    yield Bomb("parquet log, one text", "a.parquet", words, rv.read_log)
    yield Bomb("parquet log, columns", "a.parquet", wide, rv.read_log)
    yield Bomb("parquet swarm, zeros", "a.parquet", losses, _swarm)
    yield Bomb("parquet swarm, one text", "a.parquet", words, _swarm)
    yield Bomb("parquet swarm, columns", "a.parquet", wide, _swarm)
    yield Bomb("parquet selection, one id", "a.parquet", ids, _select)
    yield Bomb("arrow corpus, one text", "a.arrow", _arrow_of_one_text, _corpus)
    yield Bomb("arrow corpus, zstd", "a.arrow", _arrow_packed, _corpus)


def _arrow_of_one_text() -> bytes:
    columns = {"text": _repeat("a" * 10_000, MILLION), "domain": _repeat("web", MILLION)}
    return _arrow(pa.table(columns), None)


def _arrow_packed() -> bytes:
    return _arrow(pa.table({"text": pa.array(["a" * 1000] * 300_000)}), "zstd")


def _arrow(table: pa.Table, packing: str | None) -> bytes:
    buffer = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=packing)
    with pa.ipc.new_file(buffer, table.schema, options=options) as file:
        file.write_table(table)
    return buffer.getvalue()


# ---- arrays of our own


def _arrays() -> Iterator[Bomb]:
    def zeros() -> bytes:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, a=np.zeros(ZEROS // 8))
        return buffer.getvalue()

    def claimed() -> bytes:
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999,), }"
        header += b" " * (117 - len(header)) + b"\n"
        array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
        return _zip({"a.npy": array})

    for what, make in (("zeros", zeros), ("claimed", claimed)):
        yield Bomb(f"npz of a cache, {what}", "demo-0.npz", make, _read_cached)
        yield Bomb(f"npz of a model, {what}", "model.npz", make, _read_model)


def _read_cached(path: Path) -> None:
    from reweightviz.core import cache

    os.environ["REWEIGHTVIZ_CACHE"] = str(path.parent)
    place = cache.cache_path("demo", 1)
    assert place is not None
    path.rename(place)
    found = cache.compute_once("demo", (1,), lambda: {"a": np.ones(1)})
    assert found["a"].size


def _read_model(path: Path) -> None:
    from reweightviz.models.byte_transformer import ByteTransformer

    ByteTransformer.load(path)


# ---- trying


def list_bombs() -> Iterator[Bomb]:
    """Generate every bomb."""
    for what, make in _texts():
        for role, (files, read) in TEXTS.items():
            for file in files:
                if "line of" in what and file not in LINED:
                    continue
                yield Bomb(
                    f"text {what} {role} {file}", file, lambda make=make: make().encode(), read
                )
    yield from _packed()
    yield from _zips()
    yield from _tables()
    yield from _arrays()


def try_bomb(bomb: Bomb, folder: Path) -> Outcome:
    """Make a bomb in one child, read it in another, and return what came of it."""
    path = folder / bomb.file
    _make(bomb, path)
    size = path.stat().st_size
    out, into = os.pipe()
    child = os.fork()
    if not child:
        os.close(out)
        try:
            _report(bomb, path, into)
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    try:
        seconds, grown, what = json.loads(said)
    except ValueError:
        seconds, grown, what = float(SECONDS), 0, f"ended by signal {os.WTERMSIG(status)}"
        if os.WTERMSIG(status) in (24, 9, 14):
            what = f"no end within {SECONDS} s"
    fault = _find_fault(size, seconds, grown, what)
    return Outcome(bomb.name, size, seconds, grown, what, fault)


def _make(bomb: Bomb, path: Path) -> None:
    """Write the file: what making it takes would else count as memory that is there already."""
    child = os.fork()
    if not child:
        path.write_bytes(bomb.make())
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert not status, bomb.name


def _find_fault(size: int, seconds: float, grown: int, said: str) -> str:
    if said.startswith(("ended", "no end", "crash")):
        return said
    if seconds > SECONDS:
        return f"{seconds:.1f} s"
    if grown > TIMES * size + FREE:
        return f"{grown >> 20} MB of {size >> 20} MB"
    return ""


def _report(bomb: Bomb, path: Path, into: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    used = resource.getrusage(resource.RUSAGE_SELF)
    before = used.ru_maxrss
    # Processor seconds count, not those that other processes of the machine take.
    limit = int(time.process_time()) + SECONDS + 2
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
    begun = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bomb.read(path)
        said = "value"
    except ReweightvizError as error:
        said = f"{type(error).__name__}: {str(error)[:300]}"
        if len(str(error)) > 3000 or "\n" in str(error):
            said = f"crash: a sentence of {len(str(error))} letters"
    except BaseException as error:  # noqa: BLE001  what is counted here
        places = [
            one
            for one in traceback.extract_tb(error.__traceback__)
            if "reweightviz" in one.filename
        ]
        place = f"{places[-1].filename.rpartition('reweightviz/')[2]}:{places[-1].lineno}"
        said = f"crash: {type(error).__name__} at {place}: {str(error)[:100]}"
    seconds = time.process_time() - begun
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    os.write(into, json.dumps([round(seconds, 2), grown, said]).encode())


def run(seconds: float, words: Sequence[str] = (), seed: int = 0) -> dict[str, Any]:
    """Try bombs in any order for some seconds, and return their count, faults and slowest."""
    bombs = [bomb for bomb in list_bombs() if all(word in bomb.name for word in words)]
    random.Random(seed).shuffle(bombs)
    until = time.monotonic() + seconds
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as made:
        for bomb in bombs:
            if time.monotonic() > until:
                break
            folder = Path(made) / "bomb"
            folder.mkdir()
            outcomes.append(try_bomb(bomb, folder))
            shutil.rmtree(folder)
    return {
        "bombs": len(bombs),
        "tried": len(outcomes),
        "faults": {one.name: f"{one.fault}: {one.said[:160]}" for one in outcomes if one.fault},
        "most_seconds": max((one.seconds for one in outcomes), default=0.0),
        "most_mib": max((one.grown >> 20 for one in outcomes), default=0),
    }


def main() -> None:
    """Try those that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", help="that stand in the name of a bomb")
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    print(json.dumps(run(60 * options.minutes, options.words), indent=2, ensure_ascii=True))


if __name__ == "__main__":
    main()
