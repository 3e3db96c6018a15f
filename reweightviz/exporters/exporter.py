"""Exporter: what every framework's file has in common, from shares of tokens to its numbers and back."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from reweightviz.core.errors import (
    InvalidValue,
    RefusedByFramework,
    ReweightvizError,
    UnknownName,
    UnreadableFile,
    UnwritableFile,
    WrongContent,
    listed,
    warn,
)
from reweightviz.core.jsonable import to_jsonable
from reweightviz.core.mixture import Mixture
from reweightviz.core.protocols import needs
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.core.token_counts import parse_budget
from reweightviz.exporters import provenance
from reweightviz.exporters.document import Document, PathLike
from reweightviz.exporters.draft import Draft
from reweightviz.exporters.plan import Config, Entry, Numbers, Plan, digest
from reweightviz.exporters.text import endings, yaml_edit
from reweightviz.exporters.text.encoding import check_utf8, to_json
from reweightviz.exporters.units import TOKENS, Unit, exact_shares

CONFIGS = {".yaml", ".yml", ".json", ".py", ".txt", ".csv"}
TEXT = re.compile(r"\.(jsonl|json|ndjson|parquet|csv|txt|arrow)(\.(gz|zst|bz2|xz))?$")
"""Files of text, as they are before a framework's own preprocessing."""


class Exporter:
    """One framework's config. A subclass says how it differs, in ``render``, ``parse`` and ``recognises``.

    ``render(plan, old, *, options)`` returns name to text: {"": text} for a single file, or the
    config under ``main`` with what else belongs in the folder. ``old`` is the file to merge into,
    or None. ``parse(document)`` returns a :class:`Config`. ``recognises(document)`` tells this
    framework's file from any other.
    """

    name: ClassVar[str] = ""
    """What ``rv.export`` calls it."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Other names that find it, in lower case."""
    title: ClassVar[str] = ""
    """How sentences name the framework."""
    units: ClassVar[tuple[Unit, ...]] = (TOKENS,)
    """What its numbers may count; the first is the default, ``unit=`` takes another."""
    main_file: ClassVar[str] = ""
    """Name of the config where a folder is written; "" where that never happens."""
    suffix: ClassVar[str] = ""
    """The ending of the file, such as ".py", which the framework insists on; "" takes any."""
    other_suffixes: ClassVar[tuple[str, ...]] = ()
    """Other endings that it takes."""
    exact: ClassVar[bool] = False
    """Shares are rounded to a binary grid, so that they sum to exactly 1 in any order, for frameworks that compare."""
    precision: ClassVar[float] = 1e-9
    """How near, relatively, what is read back is to what was written; an ``exact`` grid is coarser."""
    repeats_nothing: ClassVar[bool] = False
    """The framework repeats nothing: it trains at most until the first domain is used up."""
    prepared_data: ClassVar[str] = ""
    """What it reads instead of files of text, such as "indexed datasets"; "" reads text."""
    largest_number: ClassVar[float] = math.inf
    """The largest number that the framework takes, for units that count passes."""
    name_pattern: ClassVar[str] = r"(?s).*"
    """A pattern of the names that the file can hold; others are written as a slug."""
    by_path: ClassVar[bool] = False
    """The file has no names: an entry is known by its path, of which every domain needs one."""
    writes_zeros: ClassVar[bool] = False
    """Domains of weight 0 are written too."""
    takes_schedules: ClassVar[bool] = False
    """The framework takes a mixture that changes by step."""
    merges: ClassVar[bool] = False
    """``render`` can change a file that is there."""
    traps: ClassVar[tuple[str, ...]] = ()
    """What a person should know of every config of this framework, as sentences."""

    # *args beside **options is how a type checker lets each framework name options of its own.
    def render(
        self, plan: Plan, old: Document | None, *args: Any, **options: Any
    ) -> dict[str, str]:
        """Return the name of each file and its text."""
        raise NotImplementedError

    def parse(self, document: Document) -> Config:
        """What the file says."""
        raise NotImplementedError

    def recognises(self, document: Document) -> bool:
        """Whether the file is this framework's."""
        raise NotImplementedError

    def write(
        self,
        mixture: Mixture | Schedule,
        path: PathLike,
        *,
        sources: Sources | Mapping[str, Any] | None = None,
        tokens: float | str | None = None,
        unit: str | None = None,
        max_epochs: float | None = None,
        overwrite: bool = False,
        merge: bool = False,
        backup: bool = True,
        **options: Any,
    ) -> Path:
        """Write the config, and what it says of itself in ``<path>.provenance.json`` (``provenance.json`` in a folder).

        Args:
            mixture: (K,) weights, shares of training tokens; or a Schedule, where the framework
                takes one. Domains of weight 0 are left out, and said so.
            path: the file or folder; the folder that it lies in must be there.
            sources: what there is of each domain: files, tokens, documents, where the format or
                its unit needs them.
            tokens: budget of the run, in tokens, such as 1e11 or "100B"; adds the epochs of each
                domain.
            unit: what the numbers count, where the framework leaves it open.
            max_epochs: refuse to pass over a domain more often; without it, more than 4 passes are
                warned about.
            overwrite: replace what is there.
            merge: change only the mixture in a config that is there.
            backup: keep what a merge changes as ``<file>.bak``.
            **options: the framework's own, as ``render`` names them.

        Returns:
            ``path``.

        Raises:
            ReweightvizError: one sentence; nothing was replaced.
        """
        return self.draft(
            mixture,
            path,
            sources=sources,
            tokens=tokens,
            unit=unit,
            max_epochs=max_epochs,
            overwrite=overwrite,
            merge=merge,
            backup=backup,
            **options,
        ).save()

    def draft(
        self,
        mixture: Mixture | Schedule,
        path: PathLike,
        *,
        sources: Sources | Mapping[str, Any] | None = None,
        tokens: float | str | None = None,
        unit: str | None = None,
        max_epochs: float | None = None,
        overwrite: bool = False,
        merge: bool = False,
        backup: bool = True,
        **options: Any,
    ) -> Draft:
        """What :meth:`write` would write; arguments as there."""
        known = needs(self.render)
        for option in options:
            if option not in known:
                raise UnknownName(
                    kind=f"option of {self.title}", name=option, known=[*known, *needs(self.write)]
                )
        target = Path(path)
        if not target.name.endswith((self.suffix, *self.other_suffixes)):
            raise RefusedByFramework(
                framework=self.title,
                reason=f"reads a file that ends in {self.suffix}; got {target.name!r}",
            )
        if merge and overwrite:
            raise ReweightvizError(
                "merge=True changes a config that is there and overwrite=True replaces "
                "it; pass one of them."
            )
        if max_epochs is not None and not (math.isfinite(max_epochs) and max_epochs > 0):
            raise InvalidValue(name="max_epochs", value=max_epochs, expected="a number above 0")
        old = self._old(target) if merge else None
        table = Sources.of(sources)
        budget = parse_budget(tokens)
        plan = self._plan(
            mixture,
            table,
            budget,
            self.find_unit(unit),
            max_epochs,
            old,
            (self.render.__kwdefaults__ or {}) | options,
        )
        if old is not None:
            self._check_strangers(plan, old)
        texts = self.render(plan, old, **options)
        key = "" if "" in texts else self.main_file
        folder = key != "" and not (merge and target.is_file())
        if folder and target.suffix in CONFIGS and not target.is_dir():
            raise RefusedByFramework(
                framework=self.title,
                reason=f"needs {listed(texts)}, so a folder is written; got the name of a "
                f"file, {target.name!r}",
            )
        files = {
            target / name if folder else target: text
            for name, text in texts.items()
            if folder or name == key
        }
        there = [file for file in files if file.exists()]
        if there and not overwrite and not merge:
            hint = "merge=True changes its mixture only, " if self.merges else ""
            raise UnwritableFile(
                path=there[-1], reason=f"it exists already; {hint}pass overwrite=True to replace it"
            )
        main = target / key if folder else target
        beside = Document(main, "").sidecar
        sidecar = (
            target / "provenance.json"
            if folder and not (target / "provenance.json").exists()
            else beside
        )
        written = self.parse(
            Document(main, files[main], {file.name: text for file, text in files.items()})
        )
        if written.refused:
            raise RefusedByFramework(
                framework=self.title,
                reason=f"would not take what was to be written: {written.refused[0]}",
            )
        self._check_written(plan, written)
        shown = options if merge else (self.render.__kwdefaults__ or {}) | options
        record = plan.record | {
            "file": main.name,
            "digest": digest(written),
            "options": to_jsonable(
                {name: value for name, value in shown.items() if value is not None}
            ),
        }
        ordered = (
            {sidecar: to_json(record)}
            | {f: t for f, t in files.items() if f != main}
            | {main: files[main]}
        )
        return Draft(target, ordered, backup=merge and backup)

    def read(
        self, path: PathLike, *, sources: Sources | Mapping[str, Any] | None = None
    ) -> Mixture:
        """The mixture, in shares of tokens, that the file asks for now; the provenance beside it gives names and sizes.

        Args:
            path: the file, or the folder that was written.
            sources: tokens and documents of each domain, for a file that counts something else and
                has no provenance.
        """
        schedule = self.read_schedule(path, sources=sources)
        if len(schedule) > 1:
            raise WrongContent(
                path=path,
                reason=f"holds a schedule of {len(schedule)} stages, not one mixture: "
                "rv.load_schedule reads it",
            )
        return schedule[0]

    def read_schedule(
        self, path: PathLike, *, sources: Sources | Mapping[str, Any] | None = None
    ) -> Schedule:
        """The same as a Schedule; a file without stages has one, at step 0."""
        document = self.open(path).for_framework(self.name)
        with document.fault_first():
            config = self.parse(document)
        if config.refused:
            raise ReweightvizError(f"{document.path}: {config.refused[0]}")
        return self.to_schedule(config, document, sources)

    def render_yaml(self, plan: Plan, old: Document | None, change: Callable[[Any], None]) -> str:
        """A new YAML text below the provenance, or the old one with its content changed in place."""
        title = f"Training mixture for {self.title}"
        if old is None:
            return plan.comment(title) + yaml_edit.make(change)
        text = yaml_edit.edit(old.text, change, old.path)
        ours = re.match(rf"# {re.escape(title)}, written by .*\n(#.*\n)*", text)
        return text if ours is None else plan.comment(title) + text[ours.end() :]

    def open(self, path: PathLike) -> Document:
        """The document of a config file, or of the one in the folder that was written."""
        target = Path(path)
        return Document.open(
            target / self.main_file if self.main_file and target.is_dir() else target
        )

    def to_schedule(
        self, config: Config, document: Document, sources: Sources | Mapping[str, Any] | None = None
    ) -> Schedule:
        """What a config says, in shares of tokens by domain."""
        record = document.record
        if 0 not in config.stages:
            raise UnreadableFile(
                path=document.path,
                reason="the first stage must begin at step 0; the stages begin at "
                f"{[*config.stages][:12]}",
            )
        table = Sources.of(sources)
        unit = self.find_unit(config.unit or record.get("unit_key"))
        domains = self.find_domains(config, record)
        sizes = self._sizes(unit, config, record, domains, table, document.path)
        edited = bool(record) and record.get("digest") != digest(config)
        stages = {}
        for start, numbers in config.stages.items():
            shares: Numbers = {}
            for name, number in numbers.items():
                shares[domains[name]] = shares.get(domains[name], 0.0) + number * sizes[name]
            stages[start] = provenance.restore_mixture(shares, record, document.path, edited=edited)
        every = dict.fromkeys(domain for mixture in stages.values() for domain in mixture)
        whole = {
            start: Mixture([(d, mixture.get(d, 0.0)) for d in every], source=mixture.source)
            for start, mixture in stages.items()
        }
        return Schedule(whole, steps=config.steps, source=stages[0].source)

    def find_domains(self, config: Config, record: Mapping[str, Any]) -> dict[str, str]:
        """Name in the file to domain: from the provenance, else the name, or the end of the path, itself."""
        known = {str(name): str(domain) for name, domain in (record.get("names") or {}).items()}
        names = list(dict.fromkeys(name for numbers in config.stages.values() for name in numbers))
        guesses = {
            name: self.guess_domain(name) if self.by_path else name
            for name in names
            if name not in known
        }
        counts = [*guesses.values(), *set(known.values())]
        return {
            name: known[name]
            if name in known
            else guesses[name]
            if counts.count(guesses[name]) == 1
            else name
            for name in names
        }

    def find_unprepared(self, paths: Iterable[str]) -> list[str]:
        """Those that are files of text, where the framework reads them only once they are prepared."""
        return [path for path in paths if self.prepared_data and TEXT.search(path.lower())]

    def guess_domain(self, name: str) -> str:
        """The domain that a path seems to hold: its last part, without endings."""
        return endings.strip(name) or name

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Name in the file to what it stands for: one entry a domain, by name, or by path for ``by_path``."""
        found: dict[str, Entry] = {}
        taken: set[str] = set()
        for domain in domains:
            paths = _paths(domain, sources)
            if self.by_path:
                name = self.identify(domain, paths, options)
            else:
                name = (
                    domain
                    if re.fullmatch(self.name_pattern, domain)
                    else provenance.slug(domain, taken)
                )
            if name in found:
                raise ReweightvizError(
                    f"{listed([found[name].domain, domain])} would both be read from "
                    f"{name!r}; each needs a place of "
                    "its own."
                )
            taken.add(name.lower())
            found[name] = Entry(domain, 1.0, tuple(paths))
        return found

    def identify(self, domain: str, paths: Sequence[str], options: Mapping[str, Any]) -> str:
        """What a ``by_path`` format knows a domain by: its only path."""
        if len(paths) != 1:
            got = f"{len(paths)} paths" if paths else "no path"
            raise RefusedByFramework(
                framework=self.title,
                reason=f"needs one path for each domain; sources= has {got} for "
                f"{listed([domain])} (`paths` of a domain, or Sources.with_paths)",
            )
        return paths[0]

    def _plan(
        self,
        mixture: Mixture | Schedule,
        sources: Sources | None,
        tokens: float | None,
        unit: Unit,
        max_epochs: float | None,
        old: Document | None,
        options: Mapping[str, Any],
    ) -> Plan:
        if isinstance(mixture, Schedule) and not self.takes_schedules and len(mixture) > 1:
            raise RefusedByFramework(
                framework=self.title,
                reason=f"trains on one mixture, not on a schedule of {len(mixture)} stages: "
                "export schedule.mean(), or each stage to a run of its own",
            )
        stages = mixture if isinstance(mixture, Schedule) else {0: mixture}
        steps = mixture.steps if isinstance(mixture, Schedule) else None
        whole = (
            mixture
            if isinstance(mixture, Mixture)
            else mixture.mean()
            if tokens is not None or steps
            else mixture[0]
        )
        for domain in whole:
            check_utf8(domain)
        drawn = [
            domain
            for domain in whole
            if self.writes_zeros or any(stage[domain] for stage in stages.values())
        ]
        self._check_sources(drawn, whole, sources)
        sizes = unit.sizes(drawn, sources, self.title)
        entries = self.make_entries(drawn, sources, options)
        known = (
            {domain: name for name, domain in (old.record.get("names") or {}).items()}
            if old is not None
            else {}
        )
        if not self.by_path:
            entries = {known.get(entry.domain, name): entry for name, entry in entries.items()}
        numbers = {
            start: self._numbers(
                {d: w for d, w in stage.items() if w or self.writes_zeros},
                entries,
                sizes,
                unit,
                tokens,
            )
            for start, stage in stages.items()
        }
        trained = self._held(whole, sources, tokens) if self.repeats_nothing else tokens
        record = provenance.record(
            self.name, unit.sentence, whole, sources=sources, tokens=trained, max_epochs=max_epochs
        )
        record |= {
            "source": to_jsonable(mixture.source),
            "dropped": [domain for domain in whole if domain not in drawn],
            "unit_key": unit.key,
            "names": {
                name: entry.domain for name, entry in entries.items() if name != entry.domain
            },
        }
        if unit.size:
            record["sizes"] = sizes
        dropped_names = [
            name
            for domain in record["dropped"]
            for name in (domain, known.get(domain, domain), *_paths(domain, sources))
        ]
        with contextlib.suppress(ReweightvizError):
            dropped_names += self.make_entries(record["dropped"], sources, options)
        return Plan(
            entries,
            numbers,
            tuple(dict.fromkeys(dropped_names)),
            unit,
            sources,
            tokens,
            steps,
            record,
        )

    def _check_sources(self, drawn: Sequence[str], whole: Mixture, sources: Sources | None) -> None:
        for domain in drawn:
            if sources is not None and domain not in sources and whole[domain]:
                raise UnknownName(kind="domain in sources=", name=domain, known=sources)
            raw = self.find_unprepared(_paths(domain, sources))
            if raw:
                raise RefusedByFramework(
                    framework=self.title,
                    reason=f"reads {self.prepared_data}, not files of text; sources= has "
                    f"{listed(raw, 2)} for {listed([domain])}",
                )

    def _held(self, whole: Mixture, sources: Sources | None, tokens: float | None) -> float | None:
        """The tokens of one pass, where less than the budget, for a framework that repeats nothing."""
        if tokens is None or sources is None:
            return tokens
        held, first = min(
            (sources[domain].tokens / weight, domain) for domain, weight in whole.items() if weight
        )
        if not 0 < held < tokens * (1 - 1e-6):
            return tokens
        warn(
            f"{self.title} repeats nothing: this mixture holds {held:.4g} of the "
            f"{tokens:.4g} tokens, until {first[:60]!r} is used up."
        )
        return held

    def _check_written(self, plan: Plan, written: Config) -> None:
        """What will be read back is what was planned."""
        for start, numbers in plan.stages.items():
            found = written.stages.get(start, {})
            scale = (
                1.0
                if plan.unit.passes
                else (sum(found.values()) or math.nan) / sum(numbers.values())
            )
            slack = {
                name: 0.01 * (max(value, 1.0) if plan.unit.passes else value * scale)
                for name, value in numbers.items()
            }
            off = [
                name
                for name, value in numbers.items()
                if not abs(found.get(name, math.nan) - value * scale) <= slack[name]
            ]
            if off:
                raise RefusedByFramework(
                    framework=self.title,
                    reason=f"would not train on what was planned: the weight of {listed(off)} "
                    "would be another",
                )

    def _check_strangers(self, plan: Plan, old: Document) -> None:
        try:
            there = self.parse(old).stages
        except ReweightvizError:
            return
        strangers = [
            name
            for numbers in there.values()
            for name, value in numbers.items()
            if value and name not in plan.entries and name not in plan.dropped_names
        ]
        if strangers:
            raise ReweightvizError(
                f"{old.path} trains on {listed(dict.fromkeys(strangers))}, which the "
                "mixture does not name: give them a "
                "weight (0 takes them out), or take them out of the config."
            )

    def _numbers(
        self,
        weights: Numbers,
        entries: Mapping[str, Entry],
        sizes: Numbers,
        unit: Unit,
        tokens: float | None,
    ) -> Numbers:
        numbers = unit.numbers(weights, sizes, tokens)
        over = {
            domain: number
            for domain, number in numbers.items()
            if number > self.largest_number * (1 + 1e-9)
        }
        if over:
            worst = max(over, key=lambda domain: over[domain])
            raise RefusedByFramework(
                framework=self.title,
                reason=f"takes numbers up to {self.largest_number:g}, but at {tokens:.4g} tokens "
                f"{listed([worst])} would be needed {over[worst]:.4g} times: "
                f"tokens={tokens * self.largest_number / over[worst]:.4g} is the most",
            )
        parts = {
            name: numbers[entry.domain] * entry.part
            for name, entry in entries.items()
            if entry.domain in numbers
        }
        if not self.exact or unit.passes:
            return parts
        return dict(zip(parts, exact_shares(np.array(list(parts.values()))).tolist(), strict=True))

    def find_unit(self, key: str | None) -> Unit:
        """The unit of a key; the default without one."""
        units = {unit.key: unit for unit in self.units}
        if key is not None and key not in units:
            raise UnknownName(kind=f"unit of {self.title}", name=key, known=units)
        return self.units[0] if key is None else units[key]

    def _old(self, target: Path) -> Document:
        if not self.merges:
            raise ReweightvizError(
                f"merge=True changes a YAML or JSON config; what {self.title} reads is "
                "written whole: leave merge out."
            )
        document = self.open(target).for_framework(self.name)
        if document.fault is not None:
            raise document.fault
        return document

    def _sizes(
        self,
        unit: Unit,
        config: Config,
        record: Mapping[str, Any],
        domains: Mapping[str, str],
        sources: Sources | None,
        path: Path,
    ) -> Numbers:
        if not unit.size:
            return dict.fromkeys(domains, 1.0)
        known = record.get("sizes") or {}
        found = {}
        for name, domain in domains.items():
            given = (
                getattr(sources[domain], unit.size)
                if sources is not None and domain in sources
                else None
            )
            found[name] = (
                _positive(given)
                or _positive(config.sizes.get(name))
                or _positive(known.get(domain))
            )
        absent = [domains[name] for name, size in found.items() if not size]
        if absent:
            wanted = "tokens and documents" if unit.size == "mean_tokens" else "tokens"
            raise ReweightvizError(
                f"in {path} {unit.sentence}, so shares of tokens need the {wanted} of "
                f"{listed(absent)}: pass sources=."
            )
        return {name: float(size) for name, size in found.items() if size}


def _paths(domain: str, sources: Sources | None) -> tuple[str, ...]:
    return sources[domain].paths if sources is not None and domain in sources else ()


def _positive(value: object) -> float | None:
    return (
        float(value)
        if isinstance(value, int | float) and math.isfinite(value) and value > 0
        else None
    )
