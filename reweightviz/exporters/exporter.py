"""Exporter: everything that is the same for all frameworks, and the hooks for what differs."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from reweightviz.core.errors import RefusedByFramework, ReweightvizError, UnknownName, list_names
from reweightviz.core.mixture import Mixture
from reweightviz.core.schedule import Schedule
from reweightviz.core.sources import Sources
from reweightviz.exporters import provenance, reading_back
from reweightviz.exporters.document import Document, Given, PathLike, to_path
from reweightviz.exporters.draft import Draft
from reweightviz.exporters.plan import Config, Entry, Plan, source_paths
from reweightviz.exporters.text import endings, shell, yaml_edit, yaml_write
from reweightviz.exporters.units import TOKENS, Unit
from reweightviz.exporters.writing import write_draft

__all__ = ["MOST_COMMANDS", "MOST_REPEATS", "TEXT_FILE", "Exporter"]


MOST_COMMANDS = 200
"""The most commands of a script that are looked at one by one."""
MOST_REPEATS = 6
"""The most keys that stand twice which one sentence names."""

TEXT_FILE = re.compile(r"\.(jsonl|json|ndjson|parquet|csv|txt|arrow)(\.(gz|zst|bz2|xz))?$")
"""Files of text, as they are before a framework's own preprocessing."""


class Exporter:
    """One framework's config: a subclass holds how it differs, and this class does the rest.

    A subclass has ``render``, ``parse`` and ``recognises``, and the attributes below where they
    are not the default.
    """

    name: ClassVar[str] = ""
    """The framework's name in ``rv.export``."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Other names that find it, in lower case."""
    title: ClassVar[str] = ""
    """The framework's name in sentences."""
    units: ClassVar[tuple[Unit, ...]] = (TOKENS,)
    """What its numbers may count; the first is the default, ``unit=`` takes another."""
    read_only_units: ClassVar[tuple[Unit, ...]] = ()
    """What the numbers of a config may count beside, which an export never writes."""

    # The file.
    refusing_loader: ClassVar[str] = ""
    """The loader of its YAML, where that refuses a key that stands twice; others take the last."""
    refuses_repeats: ClassVar[bool] = False
    """A key that stands twice is refused, as no framework settles which of them counts."""
    main_file: ClassVar[str] = ""
    """Name of the config where a folder is written; "" where that never happens."""
    suffix: ClassVar[str] = ""
    """The ending of the file, such as ".py", which the framework insists on; "" takes any."""
    other_suffixes: ClassVar[tuple[str, ...]] = ()
    """Other endings that it takes."""
    merges: ClassVar[bool] = False
    """``render`` can change a file that is there."""

    is_last_resort: ClassVar[bool] = False
    """A file is taken for its own only where no other framework recognises it."""

    # Its entries.
    name_pattern: ClassVar[str] = r"(?s).*"
    """A pattern of the names that the file can hold; others are written as a slug."""
    by_path: ClassVar[bool] = False
    """The file has no names: an entry is known by its path, of which every domain needs one."""
    prepared_data: ClassVar[str] = ""
    """The data read instead of files of text, such as "indexed datasets"; "" reads text."""
    writes_zeros: ClassVar[bool] = False
    """Domains of weight 0 are written too."""

    # Its numbers.
    exact: ClassVar[bool] = False
    """Shares sum to exactly 1 in any order, on a binary grid, for frameworks that compare."""
    precision: ClassVar[float] = 1e-9
    """How near, relatively, what is read back is to what was written; an ``exact`` grid is
    coarser."""
    largest_number: ClassVar[float] = math.inf
    """The largest number that the framework takes, for units that count passes."""
    repeats_nothing: ClassVar[bool] = False
    """Training ends at the latest when the first domain is used up."""
    on_command_line: ClassVar[bool] = False
    """Its settings may stand on a command line, by the names that they have in its config."""
    reads_options: ClassVar[bool] = True
    """The settings of a command are read as ``data``, not from the text of the script."""
    takes_schedules: ClassVar[bool] = False
    """The framework takes a mixture that changes by step."""

    traps: ClassVar[tuple[str, ...]] = ()
    """Sentences on what a person should know of every config of this framework."""
    unweighted_traps: ClassVar[tuple[str, ...] | None] = None
    """Those of a config without weights, in a unit that is only read; the same when None."""

    # *args beside **options is how a type checker lets each framework name options of its own.
    def render(
        self, plan: Plan, old: Document | None, *args: Any, **options: Any
    ) -> dict[str, str]:
        """Return the name of each file to its text.

        Args:
            plan: what the file is to hold.
            old: the file to merge into, or None.
            *args: none; see above.
            **options: the framework's own, as keywords.

        Returns:
            ``{"": text}`` for a single file, or the config under ``main_file`` with what else
            belongs in the folder.
        """
        raise NotImplementedError

    def parse(self, document: Document) -> Config:
        """Read a file as the framework would, defaults included."""
        raise NotImplementedError

    def recognises(self, document: Document) -> bool:
        """Check whether a file is this framework's, whoever wrote it."""
        raise NotImplementedError

    def read_config(self, document: Document) -> Config:
        """:meth:`parse` a file, and add what its loader makes of keys that stand twice.

        A syntax error of the file comes before what reading it led to.
        """
        mixing = self._find_commands(document)
        if mixing and self.reads_options:
            # By itself: what another command of the script sets is none of its options.
            document = mixing[0]
        with document.fault_first():
            config = self.parse(document)
        if len(mixing) > 1:
            sentence = (
                f"the script has {len(mixing)} commands with mixtures that differ, and one of "
                "them is shown: check the others as command lines."
            )
            return replace(config, traps=(sentence, *config.traps))
        if not document.repeats:
            return config
        keys = ", ".join(map(str, document.repeats[:MOST_REPEATS]))
        if self.refuses_repeats:
            sentence = f"each key may stand once in one mapping: keep one {keys}."
            return replace(config, refused=(sentence, *config.refused))
        # json and Python take the last, whatever reads the YAML.
        if self.refusing_loader and document.path.suffix not in (".json", ".py"):
            sentence = (
                f"{self.refusing_loader}, with which {self.title} reads YAML, refuses a key that "
                f"stands twice in one mapping: keep one {keys}."
            )
            return replace(config, refused=(sentence, *config.refused))
        sentence = f"of a key that stands twice in one mapping the last is taken: {keys}."
        return replace(config, traps=(sentence, *config.traps))

    def _find_commands(self, document: Document) -> list[Document]:
        """Return the commands of a script that set a mixture each, another than those before."""
        found: dict[str, Document] = {}
        commands = shell.find_own_commands(document.text) if document.has_commands else ()
        for text in itertools.islice(commands, MOST_COMMANDS):
            own = replace(document, text=text, command=True)
            # Look, and never raise: what cannot be read by itself is left to the whole script.
            with contextlib.suppress(Exception):
                if self.recognises(own):
                    found.setdefault(repr(self.parse(own).stages), own)
        return list(found.values())

    def write(self, mixture: Mixture | Schedule, path: PathLike, **arguments: Any) -> Path:
        """Write the config and its provenance, and return ``path``; all files or none.

        The provenance is ``<path>.provenance.json``, or ``provenance.json`` in a folder.

        Args:
            mixture: (K,) weights, shares of training tokens; or a Schedule of them.
            path: the file or folder.
            **arguments: as :func:`reweightviz.exporters.writing.write_draft` names them.

        Raises:
            ReweightvizError: one sentence; nothing was replaced.
        """
        return self.draft(mixture, path, **arguments).save()

    def draft(self, mixture: Mixture | Schedule, path: PathLike, **arguments: Any) -> Draft:
        """Return the files that :meth:`write` would write."""
        return write_draft(self, mixture, path, **arguments)

    def read(self, path: Given, *, sources: Sources | Mapping[str, Any] | None = None) -> Mixture:
        """Read the mixture of a file as it is now, in shares of tokens.

        The provenance beside the file gives names and sizes.

        Args:
            path: the file, or the folder that was written.
            sources: tokens and documents of each domain, for a file that counts something else and
                has no provenance.
        """
        return reading_back.read_mixture(self, path, sources)

    def read_schedule(
        self, path: Given, *, sources: Sources | Mapping[str, Any] | None = None
    ) -> Schedule:
        """Read the same as a Schedule; a file without stages has one, at step 0."""
        return reading_back.read_schedule(self, path, sources)

    def to_schedule(
        self, config: Config, document: Document, sources: Sources | Mapping[str, Any] | None = None
    ) -> Schedule:
        """Convert a config into shares of tokens by domain."""
        return reading_back.to_schedule(self, config, document, Sources.of(sources))

    def open(self, path: Given) -> Document:
        """Open a config file, the one in the folder that was written, or a command line."""
        target = to_path(path)
        if target is None:
            return Document.open(path)
        if self.main_file and target.is_dir():
            target = target / self.main_file
        return Document.open(target)

    def render_yaml(self, plan: Plan, old: Document | None, change: Callable[[Any], None]) -> str:
        """Return a new YAML text below the provenance, or the old one, changed in place.

        Args:
            plan: what the file is to hold.
            old: the file to merge into, or None.
            change: fills the loaded mapping, with the functions of ``text.yaml_edit``.
        """
        title = f"Training mixture for {self.title}"
        if old is None:
            return plan.comment(title) + yaml_write.fill(change)
        text = yaml_edit.edit(old.text, change, old.path)
        # A comment of an earlier export at the top is renewed; a person's own stays.
        ours = re.match(rf"# {re.escape(title)}, written by .*\n(#.*\n)*", text)
        if ours is None:
            return text
        return plan.comment(title) + text[ours.end() :]

    def find_unit(self, key: str | None, *, reading: bool = False) -> Unit:
        """Return the unit of a key, as it may be written or also read; the default without one."""
        units = {unit.key: unit for unit in self.units}
        if reading:
            units = {unit.key: unit for unit in self.read_only_units} | units
        if key is None:
            return self.units[0]
        if key not in units:
            raise UnknownName(kind=f"unit of {self.title}", name=key, known=units)
        return units[key]

    def find_domains(self, config: Config, record: Mapping[str, Any]) -> dict[str, str]:
        """Return name in the file to domain, by the provenance or by the name itself."""
        return reading_back.find_domains(self, config, record)

    def find_unprepared(self, paths: Iterable[str]) -> list[str]:
        """Return the files of text, where the framework reads them only once they are prepared."""
        return [path for path in paths if self.prepared_data and TEXT_FILE.search(path.lower())]

    def guess_domain(self, name: str) -> str:
        """Return the domain that a path seems to hold: its last part, without endings."""
        return endings.strip(name) or name

    def make_entries(
        self, domains: Sequence[str], sources: Sources | None, options: Mapping[str, Any]
    ) -> dict[str, Entry]:
        """Make one entry a domain, by name, or by path for ``by_path``."""
        found: dict[str, Entry] = {}
        taken: set[str] = set()
        for domain in domains:
            paths = source_paths(domain, sources)
            if self.by_path:
                name = self.identify(domain, paths, options)
            elif re.fullmatch(self.name_pattern, domain):
                name = domain
            else:
                name = provenance.slug(domain, taken)
            if name in found:
                raise ReweightvizError(
                    f"{list_names([found[name].domain, domain])} would both be read from "
                    f"{name!r}; each needs a place of its own."
                )
            taken.add(name.lower())
            found[name] = Entry(domain, 1.0, paths)
        return found

    def identify(self, domain: str, paths: Sequence[str], options: Mapping[str, Any]) -> str:
        """Return what a ``by_path`` format knows a domain by: its only path."""
        if len(paths) == 1:
            return paths[0]
        got = f"{len(paths)} paths" if paths else "no path"
        raise RefusedByFramework(
            framework=self.title,
            reason=f"needs one path for each domain; sources= has {got} for "
            f"{list_names([domain])} (`paths` of a domain, or Sources.with_paths)",
        )
