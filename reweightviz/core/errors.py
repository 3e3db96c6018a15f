"""The kinds of error: each builds one sentence of what was asked, what came, what would do.

Every kind is a ``ReweightvizError``, which is a ``ValueError``, and keeps its fields as attributes:
a caller matches the kind and never the sentence. An error of no kind is a ``ReweightvizError``.
"""

from __future__ import annotations

import pickle
import sys
import warnings
from collections.abc import Iterable
from difflib import get_close_matches
from os import PathLike
from types import FrameType
from typing import Any, ClassVar

from reweightviz.core.notebook_traceback import traceback_lines

__all__ = [
    "DuplicateName",
    "InvalidArgument",
    "InvalidValue",
    "MissingColumn",
    "MissingPackage",
    "MissingSignal",
    "RefusedByFramework",
    "ReweightvizError",
    "ReweightvizWarning",
    "UnknownName",
    "UnmetNeed",
    "UnreadableFile",
    "UnwritableFile",
    "WrongContent",
    "WrongDomains",
    "list_names",
    "warn",
]


class ReweightvizError(ValueError):
    """Bad input, in one sentence.

    In a notebook it shows its sentence and the line that led to it. ``%tb`` shows the whole trace
    of the last error, the environment variable ``REWEIGHTVIZ_TRACEBACK=full`` that of every one.
    """

    sentence: ClassVar[str] = "{sentence}"

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle needs: a kind is made by keywords, and its fields may be anything."""
        fields = {name: _make_picklable(value) for name, value in vars(self).items()}
        return _restore, (type(self), self.args, fields)

    def _render_traceback_(self) -> list[str]:
        return traceback_lines(self)


class MissingColumn(ReweightvizError):
    """A table lacks a column.

    Attributes:
        column: the column that is needed.
        available: the columns that are there.
        who: the call or the file that needs it.
        hint: what would make it, as one more sentence.
    """

    sentence = "{who} needs column {column}; there is {available}.{hint}"

    def __init__(
        self, *, column: str, available: Iterable[object], who: str, hint: str = ""
    ) -> None:
        self.column = column
        self.available = tuple(available)
        self.who = who
        self.hint = hint
        super().__init__(
            self.sentence.format(
                who=who,
                column=repr(column),
                available=_choice(self.available),
                hint=hint and f" {hint}",
            )
        )


class UnknownName(ReweightvizError):
    """A name is not in a closed list; the sentence suggests the nearest one.

    Attributes:
        kind: what the name is a name of, such as "domain of this corpus".
        name: the name that came.
        known: the names that would do, sorted.
    """

    sentence = "no {kind} {name}; there is {known}."

    def __init__(self, *, kind: str, name: object, known: Iterable[object]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(map(str, known)))
        near = get_close_matches(str(name).lower(), self.known, n=1, cutoff=0.4)
        sentence = self.sentence
        if near:
            # The name stands in a template, where its own braces would be fields.
            nearest = repr(near[0]).replace("{", "{{").replace("}", "}}")
            sentence = sentence.replace("there is", f"did you mean {nearest}? there is", 1)
        super().__init__(
            sentence.format(kind=kind, name=_short(str(name)), known=_choice(self.known, 40))
        )


class DuplicateName(ReweightvizError):
    """A name stands more than once where each may stand once.

    Attributes:
        kind: what the names are names of, such as "domain".
        names: those that came more often.
        where: what holds them, such as "a Mixture".
    """

    sentence = "each {kind} may stand once in {where}; {names} came more often."

    def __init__(self, *, kind: str, names: Iterable[object], where: str) -> None:
        self.kind = kind
        self.names = tuple(names)
        self.where = where
        super().__init__(self.sentence.format(kind=kind, where=where, names=list_names(self.names)))


class WrongDomains(ReweightvizError):
    """The domains asked for differ from those that are there.

    Attributes:
        who: what names the domains asked for, such as "the mixture".
        asked: these domains.
        other: what holds the domains that are there, such as "the data".
        there: these domains.
        unknown: asked for and not there.
        absent: there and not asked for; empty where ``part`` of the domains would do.
        hint: what would do.
    """

    sentence = "{who} and {other} name different domains: {difference}{hint}."
    sentence_of_a_part = "{who} must name domains of {other}, {there}; got {unknown}{hint}."

    def __init__(
        self,
        *,
        who: str,
        asked: Iterable[object],
        other: str,
        there: Iterable[object],
        part: bool = False,
        hint: str = "",
    ) -> None:
        self.who = who
        self.asked = tuple(asked)
        self.other = other
        self.there = tuple(there)
        self.unknown = tuple(name for name in self.asked if name not in self.there)
        self.absent: tuple[object, ...] = ()
        template = self.sentence_of_a_part
        if not part:
            self.absent = tuple(name for name in self.there if name not in self.asked)
            template = self.sentence
        self.hint = hint
        super().__init__(
            template.format(
                who=who,
                other=other,
                there=_choice(self.there),
                unknown=list_names(self.unknown),
                difference=self._difference(),
                hint=hint and f": {hint}",
            )
        )

    def _difference(self) -> str:
        if not self.unknown and not self.absent:
            return f"{list_names(self.asked)} and {list_names(self.there)}, in that order"
        found = []
        if self.unknown:
            found.append(f"only in {self.who} {list_names(self.unknown)}")
        if self.absent:
            found.append(f"only in {self.other} {list_names(self.absent)}")
        return "; ".join(found)


class MissingSignal(ReweightvizError):
    """A method or a picture needs a signal that was not measured.

    Attributes:
        who: the method or the call that needs it.
        signals: the names of what it needs.
        available: the names of what is there.
        where: where they are, such as "the log 'a' has".
        hint: what would do.
    """

    sentence = "{who} needs {signals}; {where} {available}{hint}."

    def __init__(
        self,
        *,
        signals: str | Iterable[str],
        available: Iterable[object],
        who: str,
        where: str = "there is",
        hint: str = "",
    ) -> None:
        self.signals = (signals,) if isinstance(signals, str) else tuple(signals)
        self.available = tuple(available)
        self.who = who
        self.where = where
        self.hint = hint
        super().__init__(
            self.sentence.format(
                who=who,
                where=where,
                signals=list_names(self.signals),
                available=_choice(self.available),
                hint=hint and f": {hint}",
            )
        )


class InvalidValue(ReweightvizError):
    """A value is not what it must be.

    Attributes:
        name: what the value is of, such as "level".
        value: the value that came.
        expected: what would do, such as "a probability between 0 and 1".
    """

    sentence = "{name} must be {expected}; got {value}."

    def __init__(self, *, name: str, value: Any, expected: str, got: str | None = None) -> None:
        """Take ``got`` for how the value stands in the sentence, where its repr would not do."""
        self.name = name
        self.value = value
        self.expected = expected
        if got is None:
            got = _show(value)
        super().__init__(self.sentence.format(name=name, expected=expected, value=got))


class UnmetNeed(InvalidValue):
    """A method or a noun needs other settings or data than it got; ``name`` is the method."""

    sentence = "{name} needs {expected}; got {value}."


class InvalidArgument(InvalidValue):
    """A call was handed another kind of thing than it takes; ``name`` is the call."""

    sentence = "{name} takes {expected}; got {value}."


_LONGEST_PATH = 500
"""Letters of a path in a sentence; a whole text may be given for one."""


class UnreadableFile(ReweightvizError):
    """A file cannot be read, or does not hold what it should.

    Attributes:
        path: the file or folder.
        line: the line at fault, counted from 1, where one is.
        wanted: what it was read as, such as "CSV".
        reason: why not, and what would do.
    """

    sentence = "cannot read {path}{line}{wanted}: {reason}."
    after_line: ClassVar[str] = ""

    def __init__(
        self, *, path: object, reason: object, line: int | None = None, wanted: str = ""
    ) -> None:
        self.path = path
        self.line = line
        self.wanted = wanted
        self.reason = str(reason).rstrip(".")
        place = "" if line is None else f", line {line}{self.after_line}"
        super().__init__(
            self.sentence.format(
                path=_show_path(path),
                line=place,
                wanted=wanted and f" as {wanted}",
                reason=self.reason,
            )
        )


class WrongContent(UnreadableFile):
    """A file was read and holds something else than it should; ``reason`` goes on from its path."""

    sentence = "{path}{line} {reason}."
    after_line = ","


class UnwritableFile(ReweightvizError):
    """A file or folder cannot be written.

    Attributes:
        path: the file or folder.
        reason: why not, and what would do.
    """

    sentence = "cannot write {path}: {reason}."

    def __init__(self, *, path: object, reason: object) -> None:
        self.path = path
        self.reason = str(reason).rstrip(".")
        super().__init__(self.sentence.format(path=_show_path(path), reason=self.reason))


class RefusedByFramework(ReweightvizError):
    """A training framework would refuse or misread what was asked for.

    Attributes:
        framework: its title.
        reason: what it does and what would do; the sentence goes on from the title.
    """

    sentence = "{framework} {reason}."

    def __init__(self, *, framework: str, reason: str) -> None:
        self.framework = framework
        self.reason = reason.rstrip(".")
        super().__init__(self.sentence.format(framework=framework, reason=self.reason))


class MissingPackage(ReweightvizError, ImportError):
    """An optional package is not installed; the sentence is the command that installs it.

    Attributes:
        package: the package or packages that are needed.
        extra: the extra of reweightviz that brings them, None where none does.
        who: the call that needs them.
        hint: what would do without them, as one more sentence.
    """

    sentence = "{who} needs {package}: pip install {extra}.{hint}"

    def __init__(self, *, package: str, who: str, extra: str | None = None, hint: str = "") -> None:
        self.package = package
        self.extra = extra
        self.who = who
        self.hint = hint
        wanted = f'"reweightviz[{extra}]"' if extra else package.replace(" and ", " ")
        super().__init__(
            self.sentence.format(who=who, package=package, extra=wanted, hint=hint and f" {hint}")
        )


class ReweightvizWarning(UserWarning):
    """Something was done that a person should know of."""


def warn(sentence: str) -> None:
    """Warn at the line of the caller's own code that led here, the first outside this package."""
    frame = sys._getframe(1)  # noqa: SLF001
    level = 2
    while frame.f_back is not None and _is_ours(frame):
        frame = frame.f_back
        level += 1
    warnings.warn(sentence, ReweightvizWarning, stacklevel=level)


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).partition(".")[0] == "reweightviz"


def list_names(names: Iterable[object], limit: int = 12) -> str:
    """Return names in quotes, the first ``limit`` of them.

    >>> list_names(["web", "code"])
    "'web', 'code'"
    """
    quoted = [_short(str(name)) for name in names]
    rest = len(quoted) - limit
    sentence = ", ".join(quoted[:limit])
    return f"{sentence} and {rest} more" if rest > 0 else sentence


def _choice(names: Iterable[object], limit: int = 12) -> str:
    return list_names(names, limit) or "none"


def _short(name: str, width: int = 60) -> str:
    if len(name) > width:
        name = name[: width - 1] + "…"
    return repr(name)


def _show_path(path: object) -> str:
    """Return a path for one line of a sentence; of text that is none, its two ends."""
    text = str(path)
    if len(text) > _LONGEST_PATH:
        text = f"{text[: _LONGEST_PATH // 2]}…{text[-_LONGEST_PATH // 2 :]}"
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def _show(value: Any) -> str:
    if isinstance(value, PathLike):
        return repr(str(value))
    # The repr of a numpy number names its type, which is nothing to a person.
    try:
        text = str(value) if hasattr(value, "dtype") else repr(value)
    except ValueError:
        # Python writes no whole number of more than 4,300 digits.
        # Python writes no whole number of more than 4,300 digits.
        return "a whole number too long to show"
    return text[:80]


def _make_picklable(value: Any) -> Any:
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001  a foreign object may fail in any way
        return repr(value)[:200]
    return value


def _restore(
    kind: type[ReweightvizError], args: tuple[Any, ...], fields: dict[str, Any]
) -> ReweightvizError:
    # Past the constructor, which takes the fields by keyword and would write the sentence again.
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error
