"""Read mutated files, family by family: every one must end in a value or in one sentence.

Writes benchmarks/results/fuzz.json when all families are run.

.venv/bin/python benchmarks/fuzz.py                        a minute a family
.venv/bin/python benchmarks/fuzz.py --minutes 10 configs   one family, ten minutes
.venv/bin/python benchmarks/fuzz.py --examples runs logs   mutate the files of this folder, too

Families: configs, sources, logs, swarms, corpora, saved. An example is a folder of files; one of
its files is mutated, by bytes, words or lines, and the whole is read. Counted are the values, the
sentences, those that only the boundary made of another library's exception ("below", with its
place), crashes (any other exception), and hangs (over 20 s).
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd

import reweightviz as rv
from reweightviz import exporters
from reweightviz.core.errors import ReweightvizError
from reweightviz.exporters.document import Document

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "fuzz.json"
SECONDS = 20
MEMORY = 6 * 2**30
"""Bytes of address space; what asks for more ends in a MemoryError."""
DOMAINS = ("web", "code", "math")
WORDS = (
    *("", "0", "-1", "1e999", "nan", "1.5", "1" + "0" * 400, "9" * 5000, "1,234.5", "2024-01-01"),
    *("null", "true", "~", "[]", "{}", "[1]", "{a: b}", "{a: {b: [c]}}", '"', "'", "\\", "*a"),
    *("&a [*a]", "<<", "!x", ": ", "- ", "\t", "\r", "\n", "\0", "\ufeff", "\u2028", "日本語"),
    *("{", "}", "[" * 2000, "(" * 300, "$X", "$(x)", "%s", "../..", "a" * 300, "/" * 5, "NaN"),
)
WORD = re.compile(rb"[\w.+/-]+")


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

    def to_dict(self) -> dict[str, Any]:
        """Return the figures, the most frequent places first."""
        counted = {
            name: dict(getattr(self, name).most_common(40))
            for name in ("below", "crashes", "hangs")
        }
        return {
            "mutations": self.mutations,
            "values": self.values,
            "sentences": self.sentences,
            **counted,
        }


# ---- mutations


def mutate(data: bytes, rng: random.Random) -> bytes:
    """Return the data with one to four changes."""
    for _ in range(rng.randint(1, 4)):
        data = rng.choice((change_word, change_word, change_word, cut, repeat, flip, swap))(
            data, rng
        )
    return data


def change_word(data: bytes, rng: random.Random) -> bytes:
    """Put something else in the place of a word or number."""
    words = list(WORD.finditer(data[:100_000]))
    if not words:
        return data + rng.choice(WORDS).encode()
    found = rng.choice(words)
    return data[: found.start()] + rng.choice(WORDS).encode() + data[found.end() :]


def cut(data: bytes, rng: random.Random) -> bytes:
    """Leave out a part."""
    start, end = _part(data, rng)
    return data[:start] + data[end:]


def repeat(data: bytes, rng: random.Random) -> bytes:
    """Write a part twice."""
    start, end = _part(data, rng)
    return data[:end] + data[start:end] + data[end:]


def flip(data: bytes, rng: random.Random) -> bytes:
    """Change a byte."""
    place, _ = _part(data, rng)
    return data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :]


def swap(data: bytes, rng: random.Random) -> bytes:
    """Exchange two lines."""
    lines = data.split(b"\n")
    one = rng.randrange(len(lines))
    other = rng.randrange(len(lines))
    held = lines[one]
    lines[one] = lines[other]
    lines[other] = held
    return b"\n".join(lines)


def _part(data: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 10, 100, len(data))))


# ---- families: what makes the examples, below a folder each, and what reads one


def write_configs(folder: Path) -> None:
    """Export a mixture, and a schedule where it is taken, as every framework's config."""
    mixture = rv.Mixture({"web": 0.5, "code": 0.25, "math": 0.25})
    late = rv.Mixture({"web": 0.25, "code": 0.5, "math": 0.25})
    sources = rv.Sources(
        {name: {"tokens": 1e9, "documents": 1e6, "paths": f"data/{name}.jsonl"} for name in mixture}
    )
    prepared = sources.with_paths({name: f"data/{name}_text_document" for name in mixture})
    for framework, exporter in exporters.FRAMEWORKS.items():
        known = prepared if exporter.prepared_data else sources
        stages: dict[str, Any] = {"mixture": mixture}
        if exporter.takes_schedules:
            stages["schedule"] = rv.Schedule({0: mixture, 1000: late})
        for name, one in stages.items():
            place = folder / f"{framework}-{name}"
            place.mkdir()
            options = {"batch_size": 32} if framework == "levanter" and name == "schedule" else {}
            try:
                rv.export(one, framework, place / f"out{exporter.suffix}", sources=known, **options)
            except ReweightvizError:
                # It wants options or sources of its own; others of its kind stand for it.
                shutil.rmtree(place)
                continue
            bare = shutil.copytree(place, folder / f"{place.name}-bare")
            for sidecar in bare.rglob("*provenance.json"):
                sidecar.unlink()


def read_config(example: Path) -> None:
    """Ask every recogniser, then check and load."""
    parts = sorted(example.iterdir())
    path = next((one for one in parts if one.name.startswith("out")), parts[0])
    raised: list[Exception] = []
    try:
        files = [path] if path.is_file() else [one for one in path.iterdir() if one.is_file()]
        documents = [Document.open(one) for one in files]
    except ReweightvizError:
        documents = []
    for document in documents:
        for exporter in exporters.FRAMEWORKS.values():
            try:
                exporter.recognises(document)
            except ReweightvizError:
                pass
            except Exception as error:  # noqa: BLE001  what is counted here
                raised.append(error)
    names = [*DOMAINS, *(f"{name}.jsonl" for name in DOMAINS)]
    sources = {name: {"tokens": 1e9, "documents": 1e6} for name in names}
    str(rv.check(path, sources=sources, tokens=1e9))
    rv.load_schedule(path, sources=sources)
    if raised:
        raise ReweightvizError("a recogniser raised") from raised[0]


def write_sources(folder: Path) -> None:
    """Write the tables that people have of their domains."""
    rows = [
        {"domain": name, "tokens": "1.2T", "documents": "1e6", "path": f"s3://b/{name}"}
        for name in DOMAINS
    ]
    table = pd.DataFrame(rows)
    texts = {
        "a.yaml": "tokenizer: gpt2\ndomains:\n  web: {tokens: 1.2T, paths: [a, b]}\n  code: 300B\n",
        "b.yml": "web: &x {tokens: 1_000_000}\ncode: *x\n'no': 5\n",
        "c.json": json.dumps({name: {"tokens": 1e9, "documents": 10} for name in DOMAINS}),
        "d.csv": table.to_csv(index=False),
        "e.tsv": table.to_csv(index=False, sep="\t"),
    }
    for name, text in texts.items():
        _write(folder / name / name, text)
    (folder / "f.parquet").mkdir()
    table.to_parquet(folder / "f.parquet" / "f.parquet", index=False)


def write_logs(folder: Path) -> None:
    """Write runs in the formats of text."""
    log = rv.demo_log("doremi")
    (folder / "run").mkdir()
    log.save(folder / "run" / "run.jsonl")
    steps = range(10, 60, 10)
    rows = [
        {"step": step, "loss": 2.5, **{f"eval/{name}/loss": 3 - step / 100 for name in DOMAINS}}
        for step in steps
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    by_domain = "".join(
        json.dumps({"step": step, "domain": name, "loss": 2.0}) + "\n"
        for step in steps
        for name in DOMAINS
    )
    _write(folder / "rows" / "metrics.jsonl", lines)
    _write(folder / "by_domain" / "metrics.jsonl", by_domain)
    _write(folder / "csv" / "metrics.csv", pd.DataFrame(rows).to_csv(index=False))
    state = {"global_step": 50, "log_history": rows}
    _write(folder / "state" / "trainer_state.json", json.dumps(state, indent=2))
    trainer = [{"current_steps": step, "total_steps": 60, "loss": 2.5} for step in steps]
    text = "".join(json.dumps(row) + "\n" for row in trainer)
    _write(folder / "trainer_log" / "trainer_log.jsonl", text)
    megatron = "".join(
        f" [2026-01-01 00:00:{step}] iteration {step:8d}/     100 | consumed samples: {step * 8} | "
        f"learning rate: 1.0E-04 | global batch size: 8 | lm loss: 9.{step}E+00 |\n"
        for step in steps
    )
    _write(folder / "megatron" / "train.log", megatron)
    printed = "".join(
        f"{{'loss': 2.{step}, 'epoch': 0.{step}, 'step': {step}}}\n" for step in steps
    )
    _write(folder / "printed" / "train.log", printed)


def write_swarms(folder: Path) -> None:
    """Write tables of proxy runs: two tables, one, and an export of a tracker."""
    runs = range(8)
    weights = [{"index": run, "train_web": run / 8, "train_code": 1 - run / 8} for run in runs]
    losses = [
        {"index": run, "eval/web/loss": 3 - run / 9, "eval/code/loss": 2 + run / 9} for run in runs
    ]
    both = [{**one, **other} for one, other in zip(weights, losses, strict=True)]
    _write(folder / "two" / "ratios.csv", pd.DataFrame(weights).to_csv(index=False))
    _write(folder / "two" / "metrics.csv", pd.DataFrame(losses).to_csv(index=False))
    _write(folder / "one" / "runs.csv", pd.DataFrame(both).to_csv(index=False))
    text = "".join(json.dumps(row) + "\n" for row in both)
    _write(folder / "lines" / "runs.jsonl", text)
    tracker = [
        {"Name": f"run {run}", "train_web": run / 8, "train_code": 1 - run / 8, **losses[run]}
        for run in runs
    ]
    _write(folder / "tracker" / "runs.csv", pd.DataFrame(tracker).to_csv(index=False))


def read_swarm(example: Path) -> None:
    """Read two tables, or one."""
    rv.read_swarm(*sorted(example.iterdir(), reverse=True))


def write_corpora(folder: Path) -> None:
    """Write documents as JSON lines, plain and packed, and as Parquet."""
    rows = [{"text": f"text {row}", "domain": DOMAINS[row % 3], "id": row} for row in range(30)]
    table = pd.DataFrame(rows)
    lines = table.to_json(orient="records", lines=True)
    _write(folder / "lines" / "a.jsonl", lines)
    for name in ("a.jsonl.gz", "a.parquet"):
        (folder / name).mkdir()
    table.to_json(folder / "a.jsonl.gz" / "a.jsonl.gz", orient="records", lines=True)
    table.to_parquet(folder / "a.parquet" / "a.parquet")


def read_corpus(example: Path) -> None:
    """Read the documents, and the text of the first."""
    corpus = rv.read_corpus(next(example.iterdir()), text="text", domain="domain")
    corpus.text([0])


def write_saved(folder: Path) -> None:
    """Copy what version 0.3 saved."""
    saved = ROOT / "tests" / "golden" / "saved_0.3.0"
    for name in ("mixture.json", "schedule.json", "log.jsonl"):
        _write(folder / name / name, (saved / name).read_text("utf-8"))
    (folder / "live").mkdir()
    for path in saved.glob("live.*"):
        shutil.copy(path, folder / "live")
    (folder / "state").mkdir()
    shutil.copy(saved / "explorer" / "state.json", folder / "state")


def read_saved(example: Path) -> None:
    """Open it as what it was."""
    from reweightviz.apps.explorer.state import ExplorerState

    readers: dict[str, Callable[[Path], Any]] = {
        "mixture.json": rv.Mixture.load,
        "schedule.json": rv.Schedule.load,
        "log.jsonl": rv.RunLog.load,
        "live": lambda path: rv.LiveMixture(path / "live.json").changes(),
        "state": lambda path: ExplorerState.load(path / "state.json"),
    }
    kind = example.name
    readers[kind](example if kind in {"live", "state"} else example / kind)


def _read_first(read: Callable[[Path], Any]) -> Callable[[Path], None]:
    return lambda example: read(next(example.iterdir()))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")


FAMILIES: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "configs": (write_configs, read_config),
    "sources": (write_sources, _read_first(rv.read_sources)),
    "logs": (write_logs, _read_first(rv.read_log)),
    "swarms": (write_swarms, read_swarm),
    "corpora": (write_corpora, read_corpus),
    "saved": (write_saved, read_saved),
}


# ---- running


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
            _count(read, example, tally)
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


def _count(read: Callable[[Path], None], example: Path, tally: Tally) -> None:
    tally.mutations += 1
    try:
        with _limit_time(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(example)
        tally.values += 1
    except ReweightvizError as error:
        tally.sentences += 1
        cause = error.__cause__
        if cause is not None and not isinstance(cause, ReweightvizError | OSError | UnicodeError):
            place = _find_place(cause)
            if "boundary" in _find_kind(error) or str(error) == "a recogniser raised":
                tally.below[f"{example.name}: {place}"] += 1
    except Hang as error:
        tally.hangs[f"{example.name}: {_find_place(error)}"] += 1
    except Exception as error:  # noqa: BLE001  what is counted here
        tally.crashes[f"{example.name}: {_find_place(error)}"] += 1


def _find_kind(error: BaseException) -> str:
    """Return "boundary" where the sentence was made by the boundary alone."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return "boundary" if last.filename.endswith("foreign_file.py") else ""


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

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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
