"""Sentences on the terminal, in the words of the command line."""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from reweightviz.core.errors import ReweightvizWarning

__all__ = [
    "ARGUMENT",
    "COUNT_FLAGS",
    "COUNT_SWITCHES",
    "FLAGS",
    "print_complaint",
    "print_line",
    "say_warnings",
    "to_flags",
]


FLAGS = ("sources", "tokens", "framework", "unit", "max_epochs", "overwrite", "merge")
"""Arguments of the verbs that are flags here."""
COUNT_FLAGS = ("text", "domain", "tokens", "tokenizer")
"""Arguments of ``rv.count_sources`` that are flags of ``count``."""
COUNT_SWITCHES = {"domain=None": "--by-file", "on_error='skip'": "--skip"}
"""Its arguments with a value to a flag of ``count`` without one."""
ARGUMENT = re.compile(r"(?<![\w'\"=/.-])(?<!--option )([a-z][a-z_]*)=(True\b)?(?=([\w'])?)")
"""An argument as a sentence of the library writes it, such as ``merge=True`` or ``seed=``."""


@contextmanager
def say_warnings(options: argparse.Namespace) -> Iterator[None]:
    """Print the warnings of a block as lines, without the place in the code that Python adds."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ReweightvizWarning)
        yield
    for warning in caught:
        print_complaint(f"warning: {warning.message}", options)


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
    flags: tuple[str, ...] = FLAGS
    if "by_file" in options:
        flags = COUNT_FLAGS
        for argument, switch in COUNT_SWITCHES.items():
            sentence = sentence.replace(argument, switch)

    def to_flag(found: re.Match[str]) -> str:
        name, true, follows = found.groups()
        if name not in flags and writes:
            return f"--option {found[0]}"
        if name not in flags:
            return str(found[0])
        word = name.replace("_", "-")
        if name == "framework" and writes:
            word = "from"
        # "unit='tokens'" has its value right behind the sign, a flag has a space between.
        has_value = follows and not true
        return f"--{word} " if has_value else f"--{word}"

    return ARGUMENT.sub(to_flag, sentence)
