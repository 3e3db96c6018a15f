"""Check: whose config a file is, and what that framework would make of it. Nothing in a config is executed."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from reweightviz.core.errors import ReweightvizError, WrongContent, listed
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.core.token_counts import parse_budget
from reweightviz.exporters import FRAMEWORKS, find, provenance
from reweightviz.exporters.document import Document, PathLike
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.plan import Config, digest
from reweightviz.exporters.report import Report
from reweightviz.exporters.text import yaml_versions
from reweightviz.exporters.text.encoding import check_utf8
from reweightviz.exporters.units import Unit

NATIVE = (".py", ".json", ".jsonl", ".csv", ".txt")
"""Endings of files that no reader of YAML opens."""


def check(
    path: PathLike,
    framework: str | None = None,
    *,
    sources: Sources | Mapping[str, Any] | None = None,
    tokens: float | str | None = None,
) -> Report:
    """What a framework would make of a config, as it is now.

    Args:
        path: the config, or the folder that was written.
        framework: whose config it is; told from the file when not given.
        sources: tokens and documents of each domain, for shares of tokens and epochs.
        tokens: budget of the run; the one that the provenance holds when not given.

    Raises:
        ReweightvizError: the file cannot be read, or is no config of that framework.
    """
    known = _recognised(Path(path)) if framework is None else Known(find(framework), "asked")
    exporter = known.exporter
    whole = known.document or exporter.open(path)
    document = whole.for_framework(exporter.name)
    with document.fault_first():
        config = exporter.parse(document)
    for name in (name for numbers in config.stages.values() for name in numbers):
        check_utf8(name)
    found = _Findings(exporter, document, config, sources, parse_budget(tokens))
    return Report(
        Path(path),
        exporter.name,
        exporter.title,
        known.by,
        found.unit.sentence,
        found.table(),
        refused=tuple(config.refused),
        traps=(*config.traps, *found.traps(), *exporter.traps),
        notes=(*_strange_record(whole, document, exporter), *found.notes),
    )


def recognise(path: PathLike) -> Exporter:
    """The exporter of the framework whose config a file is: from the provenance beside it, else from its content."""
    return _recognised(Path(path)).exporter


def find_exporter(path: PathLike, framework: str | None = None) -> Exporter:
    """The exporter of a framework, or the one that a file is recognised by where none is named."""
    return recognise(path) if framework is None else find(framework)


def read_paths(path: PathLike, framework: str | None = None) -> dict[str, list[str]]:
    """Domain to the files or datasets that a config names for it."""
    exporter = find_exporter(path, framework)
    document = exporter.open(path).for_framework(exporter.name)
    with document.fault_first():
        config = exporter.parse(document)
    found: dict[str, list[str]] = {}
    for name, domain in exporter.find_domains(config, document.record).items():
        found.setdefault(domain, []).extend(
            config.paths.get(name) or ([name] if exporter.by_path else [])
        )
    return found


class Known(NamedTuple):
    """Whose config a file is, how that is known, and the file, where one was opened to find out."""

    exporter: Exporter
    by: str
    document: Document | None = None


def _recognised(path: Path) -> Known:
    documents = _documents(path)
    recorded = [
        Known(FRAMEWORKS[named], "provenance", document)
        for document in documents
        if (named := str(document.record.get("framework"))) in FRAMEWORKS
    ]
    for known in recorded:
        if _recognises(known.exporter, known.document):
            return known
    found = {
        exporter.name: Known(exporter, "content", document)
        for document in documents
        for exporter in FRAMEWORKS.values()
        if (not path.is_dir() or exporter.main_file == document.path.name)
        and _recognises(exporter, document)
    }
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise WrongContent(
            path=path, reason=f"could be a config of {listed(found)}: name one with framework="
        )
    for document in documents:
        if document.fault is not None:
            raise document.fault
    if recorded:
        return recorded[0]
    held = " and ".join(_held(document) for document in documents[:2])
    raise WrongContent(
        path=path,
        reason=f"is no config that is known here, it holds {held}; name the framework "
        f"with framework=, one of {listed(sorted(FRAMEWORKS), 40)}",
    )


def _recognises(exporter: Exporter, document: Document) -> bool:
    try:
        return exporter.recognises(document)
    except (MemoryError, RecursionError):
        return False


def _strange_record(whole: Document, document: Document, exporter: Exporter) -> Iterator[str]:
    """A sentence where the provenance beside a file was left out of account."""
    if document is not whole:
        yield (
            f"{whole.sidecar.name} says that this is a config for "
            f"{whole.record['framework']!r}, not for {exporter.name!r}: the names "
            "and sizes in it were left out of account."
        )


def _documents(path: Path) -> list[Document]:
    if not path.is_dir():
        return [Document.open(path)]
    names = sorted({exporter.main_file for exporter in FRAMEWORKS.values() if exporter.main_file})
    documents = [Document.open(path / name) for name in names if (path / name).is_file()]
    if not documents:
        there = sorted(one.name for one in path.iterdir())
        raise WrongContent(
            path=path,
            reason=f"is a folder without a config of a framework ({listed(names)}); it has "
            f"{listed(there) or 'nothing'}",
        )
    return documents


def _held(document: Document) -> str:
    """What a file holds, in a few words."""
    if not document.text.strip():
        return "nothing"
    if document.path.suffix == ".py":
        calls = [node.func for node in ast.walk(document.python.tree) if isinstance(node, ast.Call)]
        called = {getattr(function, "attr", getattr(function, "id", "")) for function in calls}
        return f"Python that calls {listed(sorted(filter(None, called))) or 'nothing'}"
    if document.mapping:
        return f"the keys {listed(document.mapping)}"
    return (
        "a list"
        if isinstance(document.data, list)
        else f"text that begins with {document.text.strip()[:40]!r}"
    )


class _Findings:
    """What is worked out from a config; ``notes`` fill while it is."""

    def __init__(
        self,
        exporter: Exporter,
        document: Document,
        config: Config,
        sources: Sources | Mapping[str, Any] | None,
        tokens: float | None,
    ) -> None:
        self.exporter, self.config, self.document, self.record = (
            exporter,
            config,
            document,
            document.record,
        )
        self.sources = Sources.of(sources)
        self.tokens = self.record.get("tokens") if tokens is None else tokens
        self.domains = exporter.find_domains(config, self.record)
        key = config.unit or self.record.get("unit_key")
        self.unit: Unit = next(
            (unit for unit in exporter.units if unit.key == key), exporter.units[0]
        )
        self.edited = bool(self.record) and self.record.get("digest") != digest(config)
        self.notes: list[str] = []
        if self.edited:
            self.notes.append(
                "The weights were edited since "
                f"{self.record.get('written_by', 'reweightviz')} wrote them "
                f"at {self.record.get('created')}."
            )
        self.schedule = self._schedule()
        self.epochs = self._epochs()

    def table(self) -> pd.DataFrame:
        """A row a domain."""
        names: dict[str, list[str]] = {
            domain: [] for domain in (self.schedule.domains if self.schedule else ())
        }
        for name, domain in self.domains.items():
            names.setdefault(domain, []).append(name)
        rows = []
        for domain, held in names.items():
            row: dict[str, Any] = {"domain": domain, "name": _shortened(held)}
            for start, numbers in self.config.stages.items():
                values = [numbers[name] for name in held if name in numbers]
                row[self._column("number", start)] = math.fsum(values) if values else math.nan
            left_out = self.schedule is not None and not any(
                mixture[domain] for mixture in self.schedule.values()
            )
            unknown = 0.0 if self.epochs and left_out else math.nan
            rows.append(row | self._shares(domain) | {"epochs": self.epochs.get(domain, unknown)})
        return pd.DataFrame(
            rows, columns=None if rows else ["domain", "name", "number", "share", "epochs"]
        )

    def traps(self) -> Iterator[str]:
        """What a person should know of this very config."""
        limit = self.record.get("max_epochs") or provenance.MAX_EPOCHS
        often = {
            domain: passes for domain, passes in self.epochs.items() if passes > limit * (1 + 1e-6)
        }
        if often:
            at = f" at {self.tokens:.4g} tokens" if self.tokens else ""
            said = ", ".join(
                f"{domain[:60]!r} {passes:.3g}" for domain, passes in list(often.items())[:12]
            )
            yield f"More than {limit:g} passes over a domain{at}: {said}."
        paths = [path for held in self.config.paths.values() for path in held] + [
            *(self.domains if self.exporter.by_path else ())
        ]
        raw = self.exporter.find_unprepared(paths)
        if raw:
            yield f"{self.exporter.title} reads {self.exporter.prepared_data}, not files of text; this names {listed(raw, 3)}."
        names = {*self.domains, *self.domains.values(), *paths}
        numbers = {value for stage in self.config.stages.values() for value in stage.values()}
        if not (self.document.path.suffix in NATIVE or _is_json(self.document.text)):
            for reading in yaml_versions.readings(self.document.text):
                if reading.word in names or _as_number(reading.word) in numbers:
                    yield (
                        f"Line {reading.line}: PyYAML, with which most frameworks read "
                        f"YAML, takes the bare {reading.word!r} for "
                        f"{reading.taken}: {_mended(reading)}."
                    )

    def _column(self, kind: str, start: int) -> str:
        return kind if len(self.config.stages) == 1 else f"{kind}@{start}"

    def _schedule(self) -> Schedule | None:
        if self.config.refused:
            return None
        try:
            return self.exporter.to_schedule(self.config, self.document, self.sources)
        except ReweightvizError as error:
            shown = " The shares shown are of examples." if self.unit.size == "mean_tokens" else ""
            self.notes.append(f"{str(error)[:1].upper()}{str(error)[1:]}{shown}")
            return None

    def _shares(self, domain: str) -> dict[str, float]:
        if self.schedule is not None:
            return {
                self._column("share", start): mixture[domain]
                for start, mixture in self.schedule.items()
            }
        if self.unit.size != "mean_tokens" or self.config.refused:
            return {self._column("share", start): math.nan for start in self.config.stages}
        shares = {}
        for start, numbers in self.config.stages.items():
            held = math.fsum(
                value for name, value in numbers.items() if self.domains[name] == domain
            )
            shares[self._column("share_of_examples", start)] = held / (
                math.fsum(numbers.values()) or math.nan
            )
        return shares

    def _epochs(self) -> Mapping[str, float]:
        if (
            self.sources is None
            and self.tokens == self.record.get("tokens")
            and not self.edited
            and self.record.get("epochs")
        ):
            return {str(domain): float(passes) for domain, passes in self.record["epochs"].items()}
        if self.schedule is not None and self.sources is not None and self.tokens is not None:
            try:
                whole = self.schedule[0] if len(self.schedule) == 1 else self.schedule.mean()
                return whole.epochs(self.sources.token_table, self.tokens)
            except ReweightvizError as error:
                self.notes.append(f"Epochs are not known: {error}")
                return {}
        if self.unit.passes and len(self.config.stages) == 1:
            return {domain: self.config.stages[0][name] for name, domain in self.domains.items()}
        if self.schedule is not None:
            self.notes.append(
                "Epochs are not known: they need sources=, the tokens of each domain, "
                "and tokens=, the budget."
            )
        return {}


def _shortened(names: list[str]) -> str | None:
    return (
        ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        if names
        else None
    )


def _as_number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _mended(reading: yaml_versions.Reading) -> str:
    value = _as_number(reading.word)
    if value is None:
        return "put it in quotes"
    shown = repr(value)
    return f"write {shown if '.' in shown else shown.replace('e', '.0e')} for the number, or put it in quotes"
