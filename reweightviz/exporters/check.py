"""Check: a framework's reading of a config, as a table, and every reason to mistrust it."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from reweightviz.core.errors import ReweightvizError, list_names
from reweightviz.core.foreign_file import guard_reading
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.core.token_counts import parse_budget
from reweightviz.exporters.document import Document, Given, name_given
from reweightviz.exporters.epochs import MAX_EPOCHS, cut_at_end
from reweightviz.exporters.exporter import Exporter
from reweightviz.exporters.plan import Config
from reweightviz.exporters.provenance import hash_text
from reweightviz.exporters.reading_back import find_record, find_unit_key, is_edited
from reweightviz.exporters.recognise import match
from reweightviz.exporters.report import Report
from reweightviz.exporters.text import yaml_versions
from reweightviz.exporters.text.encoding import check_utf8

__all__ = ["MOST_NAMES", "OTHER_LANGUAGES", "check"]


OTHER_LANGUAGES = (".py", ".json", ".jsonl", ".csv", ".txt")
"""Endings of files that no reader of YAML opens."""
MOST_NAMES = 12
"""The most domains that one sentence names."""


def check(
    path: Given,
    framework: str | None = None,
    *,
    sources: Sources | Mapping[str, Any] | None = None,
    tokens: float | str | None = None,
) -> Report:
    """Report what a framework would make of a config, as it is now. Nothing in it is executed.

    Args:
        path: the config, or the folder that was written; or the command line of a training, as
            text or as a list of words.
        framework: whose config it is; found from the file when not given.
        sources: tokens and documents of each domain, for shares of tokens and epochs.
        tokens: budget of the run; the one that the provenance holds when not given.

    Raises:
        ReweightvizError: the file cannot be read, or is no config of that framework.
    """
    known = Sources.of(sources)
    budget = parse_budget(tokens)
    with guard_reading(name_given(path)):
        return _report(path, framework, known, budget)


def _report(
    path: Given, framework: str | None, sources: Sources | None, tokens: float | None
) -> Report:
    exporter, found_by, whole = match(path, framework)
    document = whole.for_framework(exporter.name)
    config = exporter.read_config(document)
    for numbers in config.stages.values():
        for name in numbers:
            check_utf8(name)
    findings = _Findings(exporter, document, config, sources, tokens)
    if document is not whole:
        findings.notes.insert(
            0,
            f"{whole.sidecar.name} says that this is a config for "
            f"{whole.record['framework']!r}, not for {exporter.name!r}: the names "
            "and sizes in it were left out of account.",
        )
    return Report(
        Path(str(name_given(path))),
        exporter.name,
        exporter.title,
        found_by,
        findings.unit.sentence,
        findings.table(),
        refused=tuple(config.refused),
        traps=(*config.traps, *findings.traps(), *_choose_traps(exporter, config)),
        notes=tuple(findings.notes),
    )


def _choose_traps(exporter: Exporter, config: Config) -> tuple[str, ...]:
    """Return what to know of every config of a framework, with weights or without."""
    without = {unit.key for unit in exporter.read_only_units}
    if config.unit in without and exporter.unweighted_traps is not None:
        return exporter.unweighted_traps
    return exporter.traps


class _Findings:
    """The shares and epochs of a config, with notes on what is not known of them."""

    def __init__(
        self,
        exporter: Exporter,
        document: Document,
        config: Config,
        sources: Sources | None,
        tokens: float | None,
    ) -> None:
        self.exporter = exporter
        self.document = document
        self.config = config
        self.record = find_record(document, config)
        self.sources = sources
        self.tokens = tokens
        if tokens is None:
            self.tokens = self.record.get("tokens")
        self.domains = exporter.find_domains(config, self.record)
        key = find_unit_key(config, self.record)
        # Unlike find_unit, an unknown unit is no error here: reading the schedule reports it.
        units = {unit.key: unit for unit in (*exporter.read_only_units, *exporter.units)}
        self.unit = units.get(str(key), exporter.units[0])
        self.notes: list[str] = []
        if self.record is not document.record:
            self.notes.append(_tell_edit(document.record, self.record))
        self.notes += self._find_changed_files()
        self.schedule = self._read_schedule()
        self.epochs, self.end = cut_at_end(self._find_epochs(), self.tokens, config.stop)

    def table(self) -> pd.DataFrame:
        """Return a row a domain."""
        names: dict[str, list[str]] = {}
        if self.schedule is not None:
            names = {domain: [] for domain in self.schedule.domains}
        for name, domain in self.domains.items():
            names.setdefault(domain, []).append(name)
        rows = [self._row(domain, held) for domain, held in names.items()]
        # Without rows pandas cannot infer the columns.
        columns = None if rows else ["domain", "name", "number", "share", "epochs"]
        return pd.DataFrame(rows, columns=columns)

    def traps(self) -> Iterator[str]:
        """Generate what a person should know of this very config."""
        yield from self._repeats()
        if self.end:
            yield self.end
        paths = [path for held in self.config.paths.values() for path in held]
        if self.exporter.by_path:
            paths += self.domains
        raw = self.exporter.find_unprepared(paths)
        if raw:
            yield (
                f"{self.exporter.title} reads {self.exporter.prepared_data}, not files of text; "
                f"this names {list_names(raw, 3)}."
            )
        yield from self._misread_words({*self.domains, *self.domains.values(), *paths})

    def _find_changed_files(self) -> Iterator[str]:
        """Generate a sentence for each file beside the config that is not as it was written."""
        for name, mark in (self.record.get("files") or {}).items():
            text = ""
            # What is not there is changed; a name that leads out of the folder is none of ours.
            if name == Path(name).name:
                with contextlib.suppress(ReweightvizError):
                    text = self.document.sibling(name).text
            if hash_text(text) != mark:
                yield (
                    f"{name} is not the one that was written with {self.document.path.name}: it "
                    "was edited since, or an export was cut short; export again to be sure."
                )

    def _repeats(self) -> Iterator[str]:
        limit = self.record.get("max_epochs") or MAX_EPOCHS
        # Weights capped at the limit reach it only up to rounding, and are not worth a warning.
        often = [
            f"{domain[:60]!r} {passes:.3g}"
            for domain, passes in self.epochs.items()
            if passes > limit * (1 + 1e-6)
        ]
        if often:
            budget = ""
            if self.tokens:
                budget = f" at {self.tokens:.4g} tokens"
            yield (
                f"More than {limit:g} passes over a domain{budget}: "
                f"{', '.join(often[:MOST_NAMES])}."
            )

    def _misread_words(self, names: set[str]) -> Iterator[str]:
        """Generate a sentence for each name or number that PyYAML takes for something else."""
        text = self.document.text
        if self.document.path.suffix in OTHER_LANGUAGES or _is_json(text):
            return
        numbers = {value for stage in self.config.stages.values() for value in stage.values()}
        for word in yaml_versions.find_words(text):
            if word.text in names or _to_float(word.text) in numbers:
                yield (
                    f"Line {word.line}: PyYAML, with which most frameworks read "
                    f"YAML, takes the bare {word.text!r} for "
                    f"{word.meaning}: {_remedy(word.text)}."
                )

    def _column(self, kind: str, start: int) -> str:
        if len(self.config.stages) == 1:
            return kind
        return f"{kind}@{start}"

    def _row(self, domain: str, names: list[str]) -> dict[str, Any]:
        """Return the row of a domain, which has no name in the file where it is not drawn."""
        row: dict[str, Any] = {"domain": domain, "name": _shorten(names)}
        for start, numbers in self.config.stages.items():
            values = [numbers[name] for name in names if name in numbers]
            row[self._column("number", start)] = math.nan
            if values:
                row[self._column("number", start)] = math.fsum(values)
        epochs = self.epochs.get(domain, math.nan)
        if domain not in self.epochs and self.epochs and self._is_never_drawn(domain):
            epochs = 0.0
        return row | self._shares(domain) | {"epochs": epochs}

    def _is_never_drawn(self, domain: str) -> bool:
        if self.schedule is None:
            return False
        return not any(mixture[domain] for mixture in self.schedule.values())

    def _read_schedule(self) -> Schedule | None:
        if self.config.refused:
            return None
        try:
            return self.exporter.to_schedule(self.config, self.document, self.sources)
        except ReweightvizError as error:
            note = f"{str(error)[:1].upper()}{str(error)[1:]}"
            if self.unit.size == "mean_tokens":
                note += " The shares shown are of examples."
            self.notes.append(note)
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
            own = [value for name, value in numbers.items() if self.domains[name] == domain]
            total = math.fsum(numbers.values()) or math.nan
            shares[self._column("share_of_examples", start)] = math.fsum(own) / total
        return shares

    def _find_epochs(self) -> Mapping[str, float]:
        recorded = self.record.get("epochs")
        # Recorded epochs hold for the recorded weights, budget and sizes alone.
        as_recorded = self.tokens == self.record.get("tokens") and not is_edited(self.record)
        if recorded and as_recorded and self.sources is None:
            return {str(domain): float(passes) for domain, passes in recorded.items()}
        if self.schedule is not None and self.sources is not None and self.tokens is not None:
            try:
                return self.schedule.mean().epochs(self.sources.token_table, self.tokens)
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


def _tell_edit(newest: Mapping[str, Any], used: Mapping[str, Any]) -> str:
    """Say that a config is not as its newest record was written with."""
    wrote = (
        f"The weights were edited since {newest.get('written_by', 'reweightviz')} wrote them "
        f"at {newest.get('created')}"
    )
    if is_edited(used):
        return f"{wrote}."
    return f"{wrote}, or that export was cut short: they are those that it replaced."


def _shorten(names: list[str]) -> str | None:
    if not names:
        return None
    shown = ", ".join(names[:3])
    if len(names) <= 3:
        return shown
    return f"{shown} and {len(names) - 3} more"


def _to_float(word: str) -> float | None:
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


def _remedy(word: str) -> str:
    value = _to_float(word)
    if value is None:
        return "put it in quotes"
    number = repr(value)
    # PyYAML takes a number with an exponent for one only where it has a point.
    if "." not in number:
        number = number.replace("e", ".0e")
    return f"write {number} for the number, or put it in quotes"
