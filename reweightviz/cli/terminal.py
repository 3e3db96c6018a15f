"""Sentences on the terminal, in the words of the command line."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TextIO

__all__ = ["ARGUMENT", "FLAGS", "print_complaint", "print_line", "to_flags"]


FLAGS = ("sources", "tokens", "framework", "unit", "max_epochs", "overwrite", "merge")
"""Arguments of the verbs that are flags here."""
ARGUMENT = re.compile(r"(?<![\w'\"=/.-])(?<!--option )([a-z][a-z_]*)=(True\b)?(?=([\w'])?)")
"""An argument as a sentence of the library writes it, such as ``merge=True`` or ``seed=``."""


def print_line(line: str, end: str = "\n") -> None:
    """Print a line."""
    _write(sys.stdout, f"{line}{end}")


def print_complaint(sentence: str, options: argparse.Namespace) -> None:
    """Print a sentence of the library to the standard error."""
    _write(sys.stderr, f"reweightviz: {to_flags(sentence, options)}\n")


def _write(stream: TextIO, words: str) -> None:
    # What a terminal cannot show comes as escapes.
    encoding = stream.encoding or "utf-8"
    stream.write(words.encode(encoding, "backslashreplace").decode(encoding))


def to_flags(sentence: str, options: argparse.Namespace) -> str:
    """Return a sentence with the library's arguments as flags.

    ``merge=True`` becomes ``--merge``, ``seed=`` becomes ``--option seed=``.

    >>> to_flags("pass merge=True, or unit='tokens'", argparse.Namespace(to="trl"))
    "pass --merge, or --unit 'tokens'"
    """
    writes = "to" in options

    def to_flag(found: re.Match[str]) -> str:
        name, true, follows = found.groups()
        if name not in FLAGS and writes:
            return f"--option {found[0]}"
        if name not in FLAGS:
            return str(found[0])
        word = name.replace("_", "-")
        if name == "framework" and writes:
            word = "from"
        # "unit='tokens'" has its value right behind the sign, a flag has a space between.
        has_value = follows and not true
        return f"--{word} " if has_value else f"--{word}"

    return ARGUMENT.sub(to_flag, sentence)
