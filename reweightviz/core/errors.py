"""The error sentences: what was asked, what came, what would do."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from difflib import get_close_matches


class ReweightvizError(ValueError):
    """Bad input, said in one sentence."""


class MissingPackageError(ReweightvizError, ImportError):
    """An optional package is not installed."""


class ReweightvizWarning(UserWarning):
    """Something was done that a person should know of."""


def warn(sentence: str) -> None:
    """Warn at the line of the caller's own code that led here, the first outside this package."""
    level, frame = 2, sys._getframe(1)  # noqa: SLF001
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == "reweightviz":
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, ReweightvizWarning, stacklevel=level)


def listed(names: Iterable[object], limit: int = 12) -> str:
    """Names in quotes, the first ``limit`` of them.

    >>> listed(["web", "code"])
    "'web', 'code'"
    """
    shown = [_short(str(name)) for name in names]
    rest = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {rest} more" if rest > 0 else "")


def _short(name: str, width: int = 60) -> str:
    return repr(name if len(name) <= width else name[: width - 1] + "…")


def missing_column(who: str, wanted: str, present: Iterable[str], hint: str = "") -> ReweightvizError:
    """A column that a verb needs is not there; the sentence names those that are."""
    tail = f" {hint}" if hint else ""
    return ReweightvizError(f"{who} needs column {wanted!r}; there is {listed(present)}.{tail}")


def unknown_name(kind: str, wanted: str, known: Iterable[str]) -> ReweightvizError:
    """A name outside a closed list; the sentence suggests the nearest one."""
    known = sorted(known)
    near = get_close_matches(str(wanted).lower(), known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return ReweightvizError(f"no {kind} {_short(str(wanted))}; {hint}there is {listed(known, 40)}.")


def missing_package(who: str, package: str, extra: str) -> MissingPackageError:
    """An optional package is missing; the sentence is the command that installs it."""
    return MissingPackageError(f'{who} needs {package}: pip install "reweightviz[{extra}]".')
