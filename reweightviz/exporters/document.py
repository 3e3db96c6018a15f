"""Document: a framework's config as it is read. A Python config is parsed, never run."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from reweightviz.core.errors import ReweightvizError, UnreadableFile, WrongContent
from reweightviz.core.local_path import check_local
from reweightviz.exporters.provenance import FOLDER_RECORD, read_record
from reweightviz.exporters.text import yaml_load
from reweightviz.exporters.text.encoding import read_text
from reweightviz.exporters.text.options import read_options
from reweightviz.exporters.text.python_file import PythonFile

__all__ = [
    "COMMAND",
    "HAS_OPTION",
    "JSON_AT_MOST",
    "LANGUAGES",
    "SCRIPTS",
    "SHARED",
    "TABLES",
    "Document",
    "Given",
    "PathLike",
    "is_command",
    "name_given",
    "to_path",
]


PathLike = str | os.PathLike[str]
Given = PathLike | Sequence[str]
"""A path, or a command line: its text, or the list of its words."""
COMMAND = "the command line"
"""Stands for its path."""
HAS_OPTION = re.compile(r"(?:^|\s)['\"]?(?:--?[A-Za-z]|\+{0,2}[A-Za-z_][\w.]*=\S)")
"""An option of a command, such as ``--data-path`` or ``dataset.blend=[...]``."""
SCRIPTS = (".sh", ".bash", ".slurm", ".sbatch")
"""Endings of shell scripts, whose commands have options."""
LANGUAGES = (".py", ".json", ".yaml", ".yml", "")
"""Endings of files whose language has a syntax; one without an ending is taken for YAML."""
JSON_AT_MOST = (".txt", ".text", ".sh", ".bash", ".md", ".jsonl", ".ndjson", ".log")
"""Endings of files that may hold JSON, but not YAML: any words are good YAML."""
SHARED = (".json", ".yaml", ".yml")
"""Endings of files that configs of several folders may share."""
TABLES = (".csv", ".tsv")
"""Endings of tables, most of which would load as YAML text of many words."""


@dataclass(frozen=True)
class Document:
    """One file: its path, its text, and what the text holds.

    Args:
        path: of the file.
        text: of the file.
        drafts: name to text of files beside it that are not written yet.
        recorded: take the provenance beside it into account.
        command: the text is a command line, and has no file.
    """

    path: Path
    text: str
    drafts: Mapping[str, str] = field(default_factory=dict)
    recorded: bool = True
    command: bool = False

    @classmethod
    def open(cls, path: Given) -> Document:
        """Read a text file, or take a command line as it is.

        Raises:
            UnreadableFile: there is none, or it is too large for a config.
        """
        file = to_path(path)
        if file is None:
            text = shlex.join(path) if isinstance(path, list | tuple) else str(path)
            return cls(Path(COMMAND), text, recorded=False, command=True)
        check_local(path)
        named = _find_file_in(str(path))
        if named is not None:
            raise UnreadableFile(
                path=file,
                reason="there is no such file; of a training that is told its config, check "
                f"{named!r}",
            )
        return cls(file, read_text(file))

    def sibling(self, name: str) -> Document:
        """Read a file that this one names: below its folder, or YAML or JSON anywhere.

        Raises:
            UnreadableFile: it is of another kind and lies elsewhere, as a config may name any file
                of the machine.
        """
        path = self.path.parent / name
        if name in self.drafts:
            return Document(path, self.drafts[name])
        if path.suffix not in SHARED and not _lies_in(path, self.path.parent):
            reason = "it lies outside of the folder of the config that names it"
            raise UnreadableFile(path=path, reason=f"{reason}: copy it beside that")
        return Document.open(path)

    @property
    def data(self) -> Any:
        """The content of a YAML or JSON text; None for another text, or a Python file."""
        return self._loaded[0].content

    @property
    def repeats(self) -> tuple[yaml_load.Repeat, ...]:
        """The keys that stand twice in one mapping of a YAML, JSON or Python text."""
        if self.path.suffix == ".py":
            return self.python.repeats
        return self._loaded[0].repeats

    @property
    def mapping(self) -> Mapping[str, Any]:
        """``data`` where it is a mapping, else an empty one."""
        data = self.data
        if isinstance(data, Mapping):
            return data
        return {}

    def at(self, *keys: str) -> Mapping[str, Any]:
        """Return the mapping at a path of keys, an empty one where there is none."""
        node = self.mapping
        for key in keys:
            below = node.get(key)
            if not isinstance(below, Mapping):
                return {}
            node = below
        return node

    @property
    def has_commands(self) -> bool:
        """Whether it is a command line or a shell script; ``data`` is then of its options."""
        is_script = self.path.suffix.lower() in SCRIPTS or self.text.startswith("#!")
        return self.command or (is_script and self.path.suffix != ".py")

    @cached_property
    def python(self) -> PythonFile:
        """The calls and names of a Python file; an empty one for a file of another kind."""
        return PythonFile(self.text if self.path.suffix == ".py" else "")

    @property
    def fault(self) -> ReweightvizError | None:
        """The syntax error of a YAML, JSON or Python file; None where there is none."""
        if self.path.suffix == ".py":
            if not self.python.fault:
                return None
            # The file may well be one of a newer Python.
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            reason = f"is no file of Python {version}: {self.python.fault}"
            return WrongContent(path=self.path, reason=reason)
        # A shell script often has no ending, and its syntax is not checked.
        if self.path.suffix not in LANGUAGES or self.has_commands:
            return None
        return self._loaded[1]

    @contextmanager
    def fault_first(self) -> Iterator[None]:
        """Raise the syntax error of the text instead of what reading it led to."""
        try:
            yield
        except ReweightvizError as error:
            if self.fault is not None:
                raise self.fault from error
            raise
        except (MemoryError, RecursionError) as error:
            raise UnreadableFile(path=self.path, reason="it is nested too deeply") from error

    @cached_property
    def record(self) -> dict[str, Any]:
        """The provenance beside the file, {} where there is none."""
        if not self.recorded:
            return {}
        return read_record(self.sidecar, self.path.name)

    @property
    def sidecar(self) -> Path:
        """The path of the provenance: beside the file, or that of the folder where it names it."""
        own = self.path.with_name(f"{self.path.name}.{FOLDER_RECORD}")
        shared = self.path.with_name(FOLDER_RECORD)
        # Path.exists raises where a name is too long for the disk.
        if not os.path.exists(own) and read_record(shared, self.path.name):  # noqa: PTH110
            return shared
        return own

    def for_framework(self, framework: str) -> Document:
        """Return the document without its provenance where that names another framework."""
        if self.record.get("framework") in (None, framework):
            return self
        return replace(self, recorded=False)

    @cached_property
    def _loaded(self) -> tuple[yaml_load.Loaded, ReweightvizError | None]:
        """What a YAML or JSON text holds, and its syntax error."""
        nothing = yaml_load.Loaded(None)
        if self.path.suffix in (".py", *TABLES):
            return nothing, None
        if self.has_commands and not self.text.lstrip().startswith("{"):
            return yaml_load.Loaded(read_options(self.text)), None
        if self.path.suffix in JSON_AT_MOST and not self.text.lstrip().startswith("{"):
            return nothing, None
        try:
            return yaml_load.read(self.text, self.path), None
        except ReweightvizError as error:
            return nothing, error


def _lies_in(path: Path, folder: Path) -> bool:
    """Return whether a path lies in a folder by its words; links there are its owner's."""
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))  # noqa: PTH100


def is_command(given: Given) -> bool:
    """Check whether a command line was given: words, or text with options that names no file.

    >>> is_command("train --data-path 0.7 a 0.3 b"), is_command("my configs/a.yaml")
    (True, False)
    """
    if isinstance(given, list | tuple):
        return True
    if not isinstance(given, str) or HAS_OPTION.search(given) is None:
        return False
    return not os.path.exists(given)  # noqa: PTH110  Path.exists raises on long names


def _find_file_in(text: str) -> str | None:
    """Return the file that a command without options names, as in ``axolotl train config.yml``."""
    words = text.split()
    if len(words) < 2 or os.path.exists(text):  # noqa: PTH110  Path.exists raises on long names
        return None
    return next((word for word in words if os.path.isfile(word)), None)  # noqa: PTH113


def to_path(given: Given) -> Path | None:
    """Return a path; None of a command line."""
    if is_command(given):
        return None
    return Path(cast("PathLike", given))


def name_given(given: Given) -> object:
    """Return a path as it is, and what a command line is called in a sentence."""
    return COMMAND if is_command(given) else given
